"""Frames per second while a contrast slider is dragged over a crop of four channels and its surroundings."""

from itertools import pairwise
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks.key_to_paint import ARGUMENTS, chromium, log_in
from benchmarks.measure import percentile
from benchmarks.room_site import running_site
from benchmarks.rows import Row

FRAMES = 180
SURROUNDINGS = "[data-context='2'] canvas[data-painter]:not(.off)"
# One step of the slider a frame, as a hand moves it; the clock is the browser's own.
DRAG = """
(frames) => new Promise((done) => {
  const slider = document.querySelector("#channels [data-end=high]");
  const [low, high] = [Number(slider.min), Number(slider.max)];
  const times = [];
  const step = (now) => {
    times.push(now);
    if (times.length > frames) return done(times);
    slider.value = String(low + ((high - low) * (times.length % 60)) / 60);
    slider.dispatchEvent(new Event("input"));
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})
"""


def measure() -> list[Row]:
    """Frames per second of the drag, its slowest frames, and what it asked the server for."""
    with running_site(channels=4) as site, sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        page = browser.new_page()
        log_in(page, site)
        page.wait_for_selector(SURROUNDINGS, state="attached")
        page.wait_for_load_state("networkidle")
        times, asked = _drag(page)
        browser.close()
    gaps = [after - before for before, after in pairwise(times)]
    return [
        Row("frames_per_s", 1000 * len(gaps) / (times[-1] - times[0]), "frames/s", ">= 58"),
        Row("p95_frame", percentile(gaps, 95), "ms", "<= 20"),
        Row("requests", float(asked), "requests", "<= 0"),
    ]


def _drag(page: Page) -> tuple[list[float], int]:
    asked: list[Any] = []
    page.on("request", lambda request: asked.append(request.url) if "/pixels/" in request.url else None)
    page.on("request", lambda request: asked.append(request.url) if "/context/" in request.url else None)
    times = [float(value) for value in page.evaluate(DRAG, FRAMES)]
    return times, len(asked)
