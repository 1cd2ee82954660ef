"""What a reader sees, in a real browser: zoom, surroundings, channels, planes and the whole field."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from django.contrib.auth import get_user_model
from PIL import Image as Picture
from playwright.sync_api import Page

from imaging.models import Crop, Experiment
from imaging.pixels.scanning import scan_folder
from imaging.worker.ingest import Options, ingest
from labeling.models import Annotation, Study
from labeling.services.studies import StudyPlan, create_study
from tests.browser.access import serious
from tests.browser.conftest import field_of_nuclei, rank_everything

READY = "main[data-state=ready]"
# [painters, largest difference of a byte, brightest byte] for three gammas: twelve channels, some pixels no numbers.
PAINT_TWELVE = """
async (base) => {
  const { Painter } = await import(`${base}/static/js/shared/painter.js`);
  const pixels = Float32Array.from({ length: 12 * 9 }, (_, at) => Math.floor(at / 9) + (at % 9) / 9);
  pixels.set([NaN, Infinity, -Infinity], 0);
  const image = { pixels, shape: [12, 3, 3], dtype: "float32" };
  const colors = ["#ff2000", "#20ff00", "#0020ff"];
  const row = (at, gamma) => ({ color: colors[at % 3], low: -1, high: 40, gamma, on: true });
  const rows = (gamma) => Array.from({ length: 12 }, (_, at) => row(at, gamma));
  const read = (webgl, gamma) => {
    const canvas = document.createElement("canvas");
    new Painter({ webgl, fewest: 0 }).draw(canvas, image, rows(gamma));
    return [canvas.dataset.painter, [...canvas.getContext("2d").getImageData(0, 0, 3, 3).data]];
  };
  return [1, 0.5, 2].map((gamma) => {
    const [kind, one] = read(true, gamma);
    const [otherKind, other] = read(false, gamma);
    return [[kind, otherKind], Math.max(...one.map((value, at) => Math.abs(value - other[at]))), Math.max(...other)];
  });
}
"""


def _light(page: Page, selector: str) -> np.ndarray:
    """What the screen shows there, as luminance (height, width)."""
    shot = Picture.open(io.BytesIO(page.locator(selector).screenshot())).convert("L")
    return np.asarray(shot, dtype=float)


def _contexts_ready(page: Page) -> None:
    page.wait_for_selector("[data-context='2'] canvas[data-painter]:not(.off)", state="attached")
    page.wait_for_selector("[data-context='0'] canvas[data-painter]:not(.off)", state="attached")


def _zoom(page: Page) -> float:
    return float(page.get_attribute("#crop-frame", "data-zoom") or 0)


def _middle(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_16_bit_crop_of_at_most_5000_counts_is_visible_on_screen_untouched(room: Page) -> None:
    light = _light(room, "#crop-frame")
    assert light.mean() > 30 and light.max() > 200


def test_zoom_by_key_wheel_and_drag_and_back_by_double_click(room: Page) -> None:
    scale, power = room.inner_text("#scale-text"), room.inner_text("#zoom-text")
    room.keyboard.press("+")
    room.keyboard.press("+")
    assert _zoom(room) == pytest.approx(2, abs=0.01)
    assert room.inner_text("#scale-text") != scale and room.inner_text("#zoom-text") != power
    x, y = _middle(room, "#crop-frame")
    before = room.get_attribute("#crop-overlay", "viewBox")
    room.mouse.move(x, y)
    room.mouse.down()
    room.mouse.move(x + 3, y)
    room.mouse.up()
    assert room.get_attribute("#crop-overlay", "viewBox") == before, "less than four pixels are a click"
    room.mouse.down()
    room.mouse.move(x + 60, y + 40, steps=4)
    room.mouse.up()
    left, top, *_ = map(float, (room.get_attribute("#crop-overlay", "viewBox") or "").split())
    assert left < 16 and top < 16
    room.mouse.wheel(0, -400)
    room.wait_for_selector("#crop-frame[data-zoom='4.00']")
    room.mouse.dblclick(x, y)
    assert _zoom(room) == 1
    assert Annotation.objects.count() == 0


def test_surroundings_come_at_three_scales_and_nothing_moves(room: Page) -> None:
    parts = "[...document.querySelectorAll('.frame, .answers, .panel, #classes')]"
    places = f"{parts}.map((part) => JSON.stringify(part.getBoundingClientRect()))"
    before = room.evaluate(places)
    _contexts_ready(room)
    assert [text.split(" ")[0] for text in room.locator(".context-name").all_inner_texts()] == ["×2", "×4", "×16"]
    for key in ("1", "2", "i", "m"):
        room.wait_for_selector(READY)
        room.keyboard.press(key)
    assert room.evaluate(places) == before


@pytest.mark.parametrize("size", [(1440, 900), (1280, 720), (1024, 768)])
def test_surroundings_and_their_button_are_in_sight_whole(room: Page, size: tuple[int, int]) -> None:
    room.set_viewport_size({"width": size[0], "height": size[1]})
    assert room.eval_on_selector(".side", "side => side.scrollHeight <= side.clientHeight")
    bottom = "element => element.getBoundingClientRect().bottom"
    assert room.eval_on_selector("#open-field", bottom) <= room.eval_on_selector(".room-body", bottom)


def test_a_key_of_ones_own_shows_the_crop_as_it_came_while_it_is_held(room: Page) -> None:
    room.keyboard.press("?")
    room.click("[data-action=peek]")
    room.keyboard.press("k")
    room.wait_for_selector("#key-note:has-text('k is now as it came')")
    room.keyboard.press("Escape")
    room.wait_for_selector("dialog[open]", state="detached")
    assert room.inner_text("#peek-hint kbd") == "k"
    room.keyboard.press("i")
    room.wait_for_selector("#invert[aria-pressed=true]")
    room.keyboard.down("k")
    room.wait_for_selector("#invert[aria-pressed=false]")
    room.keyboard.up("k")
    room.wait_for_selector("#invert[aria-pressed=true]")


def test_a_slider_with_the_focus_keeps_its_arrows(room: Page) -> None:
    first = room.get_attribute("main", "data-crop-id")
    room.keyboard.press("1")
    room.wait_for_selector(f"{READY}:not([data-crop-id='{first}'])")
    slider = room.locator("#channels [data-end=high]").first
    slider.focus()
    before = float(slider.input_value())
    room.keyboard.press("ArrowLeft")
    assert float(slider.input_value()) < before
    assert room.get_attribute("main", "data-crop-id") != first
    room.keyboard.press("2")
    room.wait_for_selector('main[data-saved="2"]')


def test_a_change_of_contrast_asks_the_server_for_nothing_and_is_kept_and_logged(room: Page) -> None:
    _contexts_ready(room)
    room.wait_for_load_state("networkidle")
    asked: list[str] = []
    room.on("request", lambda request: asked.append(request.url))
    before = _light(room, "#crop-frame").mean()
    for end, value in (("high", 900), ("gamma", 0.5)):
        slide = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }"
        room.locator(f"#channels [data-end={end}]").first.evaluate(slide, value)
    room.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    changed = _light(room, "#crop-frame").mean()
    assert changed > before + 5 and asked == []
    room.keyboard.down("r")
    room.wait_for_selector("#window-note:has-text('as long as the key is held')")
    room.keyboard.up("r")
    room.reload()
    room.wait_for_selector(READY)
    room.keyboard.press("1")
    room.wait_for_selector('main[data-saved="1"]')
    logged = Annotation.objects.get().window[0]
    assert (logged["gamma"], logged["on"], logged["color"]) == (0.5, True, "#ffffff")
    assert logged["high"] == pytest.approx(900, abs=20)


def test_the_field_opens_with_the_object_marked_and_escape_leads_back(
    room: Page, study: Study, troubles: list[str]
) -> None:
    crop = Crop.objects.get(pk=int(room.get_attribute("main", "data-crop-id") or 0))
    room.keyboard.press("f")
    room.wait_for_selector(".viewer-marks[data-dot]", state="attached")
    room.keyboard.press("o")
    settled = "() => new Promise((done) => setTimeout(done, 700))"
    room.evaluate(settled)
    room.wait_for_load_state("networkidle")
    dot = [float(part) for part in (room.get_attribute(".viewer-marks", "data-dot") or "").split(",")]
    room.evaluate("document.querySelector('.viewer-marks').classList.add('off')")
    light = _light(room, ".viewer-stage")
    radius = 3.0 * crop.image.crop_field_px
    scale = float(min(light.shape)) / radius
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    near = (np.hypot(x - dot[0], y - dot[1]) < 24 * scale) & (light > 60)
    assert np.hypot(x[near].mean() - dot[0], y[near].mean() - dot[1]) <= 2
    assert serious(room) == []
    room.keyboard.press("Escape")
    room.wait_for_selector("dialog[open]", state="detached")
    assert room.query_selector("dialog[open]") is None
    room.keyboard.press("1")
    room.wait_for_selector('main[data-saved="1"]')
    assert troubles == []


def test_contrast_changes_the_field_without_a_request(room: Page) -> None:
    room.keyboard.press("f")
    room.wait_for_selector(".viewer-marks[data-dot]", state="attached")
    room.wait_for_load_state("networkidle")
    before = _light(room, ".viewer-stage").mean()
    asked: list[str] = []
    room.on("request", lambda request: asked.append(request.url))
    room.evaluate("document.getElementById('invert').click()")
    room.evaluate("new Promise((drawn) => setTimeout(drawn, 200))")
    assert abs(_light(room, ".viewer-stage").mean() - before) > 20 and asked == []


def test_a_lost_original_is_said_in_the_viewer_and_the_crop_stays(room: Page, tmp_path: Path) -> None:
    from django.conf import settings

    room.wait_for_load_state("networkidle")
    for path in (settings.DATA_FOLDER / "files" / "pyramids").glob("*/*"):
        path.unlink()
    for path in (tmp_path / "plate 1").iterdir():
        path.unlink()
    room.keyboard.press("f")
    room.wait_for_selector(".viewer-state:has-text('the crop itself is kept')")
    room.keyboard.press("Escape")
    room.wait_for_selector("dialog[open]", state="detached")
    assert _light(room, "#crop-frame").mean() > 30


def test_a_locked_study_says_so_and_shows_everybody_the_same(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None]
) -> None:
    Study.objects.filter(pk=study.pk).update(locks_view=True)
    log_in()
    page.goto(f"{live_server.url}/studies/{study.pk}/read/")
    page.wait_for_selector(READY)
    drawn = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].join()"
    before = page.eval_on_selector("#crop-canvas", drawn)
    for key in ("+", "i", "m", "Shift+Digit1"):
        page.keyboard.press(key)
    page.wait_for_selector("#save-state:has-text('locks the view')")
    assert page.is_visible("#view-locked") and not page.is_visible("#zoom-in")
    assert _zoom(page) == 1 and page.eval_on_selector("#crop-canvas", drawn) == before
    page.keyboard.press("1")
    page.wait_for_selector('main[data-saved="1"]')
    assert [(row["gamma"], row["on"]) for row in Annotation.objects.get().window] == [(1, True)]


def test_both_painters_show_twelve_channels_alike_with_gamma_and_broken_floats(room: Page, live_server: Any) -> None:
    for kinds, difference, brightest in room.evaluate(PAINT_TWELVE, live_server.url):
        assert kinds == ["webgl2", "2d"] and difference <= 1 and brightest > 40


@pytest.fixture
def stack(transactional_db: None, tmp_path: Path) -> Study:
    """A study over one stack of three planes with twelve channels, one nucleus bright in each plane alone."""
    folder = tmp_path / "stack"
    folder.mkdir()
    planes = np.full((3, 12, 320, 320), 200, np.uint16)
    for z in range(3):
        planes[z] = field_of_nuclei(7) // (1 + abs(z - 1))
    tifffile.imwrite(folder / "stack.ome.tif", planes, metadata={"axes": "ZCYX"})
    ingest(scan_folder(folder, None), Options(experiment="stack", pixel_size_um=0.5))
    lead = get_user_model().objects.create_user("reader", password="let me read")
    made = create_study(StudyPlan("stack", "Round?", ("yes", "no"), tuple(Experiment.objects.all())), lead)
    rank_everything(made)
    return made


def test_planes_and_a_dozen_channels_at_390_px(
    page: Page, live_server: Any, stack: Study, log_in: Callable[[], None], troubles: list[str]
) -> None:
    log_in()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live_server.url}/studies/{stack.pk}/read/")
    page.wait_for_selector(READY)
    brightest = _light(page, "#crop-frame").mean()
    page.keyboard.press("]")
    page.wait_for_selector("#z-text:has-text('z 1 of 3')")
    page.wait_for_load_state("networkidle")
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert _light(page, "#crop-frame").mean() < brightest - 10
    page.keyboard.press("[")
    page.click(".room-tabs [data-tab=channels]")
    assert page.locator(".channel").count() == 12
    page.click(".room-tabs [data-tab=context]")
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert serious(page) == [] and troubles == []
