"""Wide screens of 2560 px: nothing lies beside the page, and pictures use the room that is there."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from labeling.models import Study
from tests.browser.access import serious
from training.worker.ranking import RankingWorker

WIDE = {"width": 2560, "height": 1440}
# [selector of a child, how far it stands out of the page to the right], for whatever is in sight and not clipped.
BEYOND = """
() => [...document.querySelectorAll("main *")]
  .filter((one) => one.checkVisibility({ checkVisibilityCSS: true }))
  .map((one) => [one.id || one.className, one.getBoundingClientRect()])
  .filter(([, box]) => box.width && (box.right > innerWidth + 1 || box.left < -1))
  .map(([name]) => String(name))
"""


@pytest.fixture
def wide(page: Page, live_server: Any, study: Study, log_in: Callable[[], None]) -> Callable[[str], Page]:
    """Opens a page of the study on a wide screen, once it is ready."""
    assert RankingWorker().rank(study)
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    log_in()

    def go(part: str) -> Page:
        page.goto(f"{live_server.url}/studies/{study.pk}/{part}")
        page.wait_for_load_state("networkidle")
        if page.query_selector("main[data-state]"):
            page.wait_for_selector("main[data-state=ready]")
        return page

    return go


@pytest.mark.parametrize("part", ["read/", "", "grid/"])
def test_nothing_lies_beside_a_wide_page(part: str, wide: Callable[[str], Page], troubles: list[str]) -> None:
    page = wide(part)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate(BEYOND) == []
    assert serious(page) == [] and troubles == []


def test_the_crop_is_as_large_as_the_screen_is_high_but_for_the_answers(wide: Callable[[str], Page]) -> None:
    page = wide("read/")
    frame, stage = (page.locator(name).bounding_box() for name in ("#crop-frame", ".stage"))
    assert frame and stage
    assert frame["width"] == frame["height"] == pytest.approx(min(stage["width"], stage["height"]), abs=1)
    assert frame["height"] > 0.75 * WIDE["height"]
    canvas = page.locator("#crop-canvas").bounding_box()
    assert canvas and canvas["width"] == pytest.approx(frame["width"], abs=1)


def test_the_grid_fills_the_width_with_columns(wide: Callable[[str], Page]) -> None:
    page = wide("grid/")
    boxes = [tile.bounding_box() for tile in page.query_selector_all(".grid-tile")]
    tops = [box["y"] for box in boxes if box]
    first_row = [box for box in boxes if box and box["y"] == min(tops)]
    grid = page.locator("#grid").bounding_box()
    assert grid and grid["width"] > 0.8 * WIDE["width"]
    last = max(box["x"] + box["width"] for box in first_row)
    assert grid["x"] + grid["width"] - last < 2 * first_row[0]["width"]


def test_the_overview_stays_at_a_width_that_can_be_read(wide: Callable[[str], Page]) -> None:
    box = wide("").locator("main").bounding_box()
    assert box and box["width"] <= 1300
    assert box["x"] + box["width"] / 2 == pytest.approx(WIDE["width"] / 2, abs=16)
