"""What every page is asked by axe: nothing serious, and targets of 24 px or with room around (WCAG 2.5.8)."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SERIOUS = ("serious", "critical")
# The rule about the size of targets is off unless it is asked for.
OPTIONS = {"rules": {"target-size": {"enabled": True}}}


def serious(page: Page) -> list[str]:
    """What axe finds serious or critical on the page as it stands, one element a rule."""
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return [
        f"{row['id']}: {node['html'][:100]}" for row in found if row["impact"] in SERIOUS for node in row["nodes"][:3]
    ]
