"""The grid in Chromium on a running site of 10,000 crops, and its pages over 100,000 crops from memory-mapped files."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.key_to_paint import ARGUMENTS, chromium
from benchmarks.measure import percentile
from benchmarks.room_site import Site, running_site
from benchmarks.rows import Row

CROPS = 500
LOADS, SCROLL_MS = 5, 4000
ANSWERED = 60
# A screen of 60 Hz: a frame that came late by half of one was missed.
FRAME_MS, LATE_MS = 1000 / 60, 25.0
PAINTED = f"main[data-state=ready][data-painted='{CROPS}']"
SPENT = """() => {
  const last = (name) => performance.getEntriesByName(name).at(-1).startTime;
  return last("grid-painted") - last("grid-asked");
}"""
SCROLL = """(ms) => new Promise((resolve) => {
  const grid = document.getElementById("grid");
  const frames = [];
  const started = performance.now();
  let before = started;
  const step = (now) => {
    frames.push(now - before);
    before = now;
    const way = (now - started) / ms;
    if (way >= 1) return resolve(frames.slice(2));
    grid.scrollTop = (grid.scrollHeight - grid.clientHeight) * (0.5 - 0.5 * Math.cos(2 * Math.PI * way));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""
POOL, CLASSES = 100_000, 5
QUERIES: dict[str, dict[str, Any]] = {
    "uncertain": {"sort": "uncertain"},
    "probability": {"sort": "probability", "label": "c2"},
    "unlabelled_predicted": {"state": "unlabelled", "predicted": "c1"},
    "lasso": {"lasso": ((0.2, 0.2), (0.8, 0.3), (0.6, 0.9)), "layout": "pca"},
}


def measure() -> list[Row]:
    """Time from asking for 500 crops to the last one painted, frames while scrolling, and points of the map drawn."""
    with running_site() as site, _page(site) as page:
        paints = [_load(page) for _ in range(LOADS)]
        frames = [float(value) for value in page.evaluate(SCROLL, SCROLL_MS)]
    late = sum(frame > LATE_MS for frame in frames) / len(frames)
    return [
        Row("500_crops_painted_median", percentile(paints, 50), "ms", "<= 1000"),
        Row("500_crops_painted_worst", max(paints), "ms", "<= 1000"),
        Row("scroll_frame_median", percentile(frames, 50), "ms", "<= 17"),
        Row("scroll_frames_per_s", 1000 * len(frames) / sum(frames), "1/s", ">= 58"),
        Row("scroll_late_frames", 100 * late, "%", "<= 5"),
    ]


@contextmanager
def _page(site: Site) -> Iterator[Page]:
    """The grid with 500 crops, in a window of 1440 x 900."""
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{site.address}/accounts/login/?next=/studies/{site.study}/grid/%3Fcount=500")
        page.fill("#id_username", site.user)
        page.fill("#id_password", site.password)
        page.press("#id_password", "Enter")
        page.wait_for_selector(PAINTED)
        yield page
        browser.close()


def _load(page: Page) -> float:
    """Milliseconds for another order of 500 crops, most of which are new to the browser."""
    page.wait_for_timeout(300)
    page.click("[name=reverse]")
    page.wait_for_selector("main[data-state=loading]", state="attached")
    page.wait_for_selector(PAINTED)
    return float(page.evaluate(SPENT))
