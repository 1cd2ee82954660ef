"""What every template may use."""

import re
from functools import cache

from django.http import HttpRequest

from config.environment import PROJECT


@cache
def version() -> str:
    """The version of the product: the newest heading of the change log."""
    text = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(r"^## (\d+\.\d+\.\d+)", text, re.MULTILINE)
    return found.group(1) if found else "0"


def site(request: HttpRequest) -> dict[str, str]:
    """The product's version, for the foot of each page."""
    return {"version": version()}
