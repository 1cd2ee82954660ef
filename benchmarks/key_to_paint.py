"""From key press to the next crop on screen: a browser answers 200 of 10,000 crops on a running site."""

import shutil
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.measure import percentile
from benchmarks.room_site import Site, running_site
from benchmarks.rows import Beside, Row

ANSWERS = 200
BETWEEN_KEYS_MS = 100
# Mostly classes, now and then "not sure".
KEYS = ("1", "2", "1", "3", "1", "1", "2", "0")
CHROMIUM = ("chromium", "google-chrome", "chromium-browser")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
FLOOR = "a page that only changes its colour"
READY = "main[data-state=ready]"
PAINTS = "performance.getEntriesByName('key-to-paint').map((entry) => entry.duration)"
# A page that does nothing but change its colour, measured as the room measures itself.
BARE = """() => {
  window.spent = [];
  document.addEventListener("keydown", () => {
    const pressed = performance.now();
    document.body.style.background = window.spent.length % 2 ? "black" : "white";
    requestAnimationFrame(() => setTimeout(() => window.spent.push(performance.now() - pressed)));
  });
}"""


@dataclass(frozen=True, slots=True)
class Sitting:
    """Milliseconds from each key to the paint after it, and after how many keys a crop was not there in time.

    `bare_ms`: the same in a page that only changes its colour; no page of this browser is faster.
    """

    paints_ms: list[float]
    waits: int
    bare_ms: list[float]


def measure() -> list[Row]:
    """Median and p95 of the time from key to paint, keys that had to wait, and answers that were lost or doubled."""
    with running_site() as site:
        sitting = _sit(site)
        wrong = _lost_or_doubled(site)
    return [
        *(
            Row(
                name,
                percentile(sitting.paints_ms, share),
                "ms",
                target,
                Beside(FLOOR, percentile(sitting.bare_ms, share)),
            )
            for name, share, target in (("median", 50, "<= 16"), ("p95", 95, "<= 50"))
        ),
        Row("keys_that_waited", float(sitting.waits), f"of {ANSWERS}", "<= 0"),
        Row("lost_or_doubled", float(wrong), "answers", "<= 0"),
    ]


def _sit(site: Site) -> Sitting:
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        page = browser.new_page()
        log_in(page, site)
        waits = sum(_answer(page, KEYS[number % len(KEYS)]) for number in range(ANSWERS))
        page.wait_for_selector(f"main[data-saved='{ANSWERS}']")
        paints = [float(value) for value in page.evaluate(PAINTS)]
        bare = _bare(page)
        browser.close()
    return Sitting(paints, waits, bare)


def _bare(page: Page) -> list[float]:
    page.goto("about:blank")
    page.evaluate(BARE)
    for _ in range(ANSWERS // 2):
        page.keyboard.press("1")
        page.wait_for_timeout(BETWEEN_KEYS_MS)
    return [float(value) for value in page.evaluate("window.spent")]


def chromium() -> str:
    """Path of the installed browser; FileNotFoundError where there is none."""
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        raise FileNotFoundError("no Chromium on the path: `make browser` installs it")
    return found


def log_in(page: Page, site: Site) -> None:
    """Open the reading room as the site's reader; returns with the first crop on screen."""
    page.goto(f"{site.address}/accounts/login/?next=/studies/{site.study}/read/")
    page.fill("#id_username", site.user)
    page.fill("#id_password", site.password)
    page.press("#id_password", "Enter")
    page.wait_for_selector(READY)


def _answer(page: Page, key: str) -> bool:
    """Press the key and look 100 ms later; True when the next crop was not on screen by then."""
    page.keyboard.press(key)
    page.wait_for_timeout(BETWEEN_KEYS_MS)
    if page.query_selector(READY):
        return False
    page.wait_for_selector(READY)
    return True


def _lost_or_doubled(site: Site) -> int:
    from labeling.models import Annotation

    rows: Any = Annotation.objects.filter(study_id=site.study)
    crops = rows.values("crop").distinct().count()
    return int(abs(ANSWERS - crops) + rows.count() - crops)
