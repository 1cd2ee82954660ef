"""Images that are not like the others, in the reading room: floats, a dozen channels, a crop of one pixel."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from django.contrib.auth import get_user_model
from playwright.sync_api import Page, Route

from imaging.models import Experiment
from imaging.pixels.scanning import scan_folder
from imaging.worker.ingest import Options, ingest
from labeling.models import Annotation, Study
from labeling.services.studies import StudyPlan, create_study
from tests.browser.access import serious
from tests.browser.conftest import field_of_nuclei, rank_everything

READY = "main[data-state=ready]"
LIGHT = """
(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const at = Array.from({ length: data.length / 4 }, (_, place) => 4 * place);
  const light = at.map((place) => data[place] + data[place + 1] + data[place + 2]);
  return [Math.min(...light), Math.max(...light)];
}
"""


@pytest.fixture
def read(
    page: Page, live_server: Any, transactional_db: None, tmp_path: Path, log_in: Callable[[], None]
) -> Callable[..., Page]:
    """Opens the reading room over one image."""

    def go(pixels: np.ndarray, axes: str) -> Page:
        folder = tmp_path / "odd"
        folder.mkdir()
        tifffile.imwrite(folder / "odd.ome.tif", pixels, metadata={"axes": axes})
        ingest(scan_folder(folder, None), Options(experiment="odd", pixel_size_um=0.5))
        lead = get_user_model().objects.create_user("reader", password="let me read")
        study = create_study(StudyPlan("odd", "Round?", ("yes", "no"), tuple(Experiment.objects.all())), lead)
        rank_everything(study)
        log_in()
        page.goto(f"{live_server.url}/studies/{study.pk}/read/")
        page.wait_for_selector(READY)
        return page

    return go


def answered(page: Page) -> None:
    page.keyboard.press("1")
    page.wait_for_selector('main[data-saved="1"][data-waiting="0"]')


@pytest.mark.parametrize("scale", [1.0, 1 / 5000, -1e-6], ids=["counts", "0 to 1", "tiny and negative"])
def test_a_float32_image_is_seen_untouched_and_its_sliders_fit_its_values(
    scale: float, read: Callable[..., Page], troubles: list[str]
) -> None:
    page = read((field_of_nuclei(3) * scale).astype(np.float32), "YX")
    darkest, brightest = page.eval_on_selector("#crop-canvas", LIGHT)
    assert brightest - darkest > 200
    low, high = (float(page.input_value(f"#channels [data-end={end}]")) for end in ("low", "high"))
    assert min(0, 5100 * scale) <= low < high <= max(0, 5100 * scale)
    answered(page)
    window = Annotation.objects.get().window[0]
    assert window["low"] < window["high"]
    assert troubles == []


def test_of_twelve_channels_all_are_named_nine_have_keys_and_each_can_be_seen_alone(
    read: Callable[..., Page], troubles: list[str]
) -> None:
    planes = np.full((12, 320, 320), 200, np.uint16)
    planes[:] = field_of_nuclei(5)
    page = read(planes, "CYX")
    toggles = page.locator(".channel-toggle")
    assert toggles.count() == 12
    assert [toggles.nth(place).locator("kbd").is_visible() for place in (0, 8, 9, 11)] == [True, True, False, False]
    page.keyboard.press("Shift+Digit9")
    page.wait_for_selector(".channel:nth-child(9) .channel-toggle[aria-pressed=false]")
    toggles.nth(11).click()
    page.wait_for_selector(".channel:nth-child(12) .channel-toggle[aria-pressed=false]")
    for _ in range(12):
        page.keyboard.press("m")
    page.wait_for_selector("#window-note:has-text('alone, in grey')")
    assert page.locator(".channel-toggle[aria-pressed=true]").count() == 1
    page.wait_for_selector("#crop-canvas[data-painter='2d']")
    page.wait_for_selector("[data-context='2'] canvas[data-painter=webgl2]")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious(page) == []
    answered(page)
    assert len(Annotation.objects.get().window) == 12
    assert troubles == []


def one_pixel(route: Route) -> None:
    """Hands on the crops to come as crops of one pixel."""
    reply = route.fetch()
    state = reply.json()
    for crop in state.get("crops", []):
        crop |= {
            "shape": [len(crop["channels"]), 1, 1],
            "contour": None,
            "dot": [0.5, 0.5],
            "inside": None,
            "detail": None,
        }
    route.fulfill(response=reply, body=json.dumps(state))


def test_a_crop_of_one_pixel_fills_the_frame_and_is_answered_like_any_other(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None], troubles: list[str]
) -> None:
    log_in()
    page.route("**/next/?*", one_pixel)
    bright = {"X-Shape": "1,1,1", "X-Dtype": "uint16"}
    page.route("**/pixels/?*", lambda route: route.fulfill(body=b"\x88\x13", headers=bright))
    page.goto(f"{live_server.url}/studies/{study.pk}/read/")
    page.wait_for_selector(READY)
    assert page.eval_on_selector("#crop-canvas", "canvas => [canvas.width, canvas.height]") == [1, 1]
    assert page.eval_on_selector("#crop-canvas", LIGHT)[0] > 600
    frame, canvas = (page.locator(name).bounding_box() for name in ("#crop-frame", "#crop-canvas"))
    assert frame == canvas
    for key in ("+", "i", "Space", "m"):
        page.keyboard.press(key)
    answered(page)
    assert troubles == []
