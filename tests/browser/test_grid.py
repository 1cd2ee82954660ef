"""The grid in a browser: chosen by mouse, touch and keyboard, answered, undone; drawn as in the reading room."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from imaging.models import Crop
from labeling.models import Annotation, QueueEntry, Study
from labeling.services.answers import Submission, submit
from labeling.services.preferences import change_preferences
from labeling.services.reads import STREAM
from tests.browser.access import serious
from tests.browser.conftest import come_as
from tests.factories import add_reader
from training.services.embedding_maps import request_map
from training.worker.embedding_map import make_map
from training.worker.ranking import RankingWorker

PIXELS = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].join()"


@pytest.fixture
def known(study: Study) -> Study:
    """The study with eight answers of two classes, ranked; no random check waits, which the grid would turn away."""
    reader = get_user_model().objects.get(username="reader")
    for place, crop in enumerate(Crop.objects.order_by("id")[:8]):
        label = "round" if place % 2 else "long"
        submit(study, reader, Submission(uuid4(), crop.pk, "label", timezone.now(), (label,)))
    assert RankingWorker().rank(study)
    QueueEntry.objects.filter(why=STREAM).update(why="uncertain")
    return study


@pytest.fixture
def grid(page: Page, live_server: Any, known: Study, log_in: Callable[[], None], troubles: list[str]) -> Page:
    """The grid with every crop painted."""
    log_in()
    page.set_viewport_size({"width": 1440, "height": 900})
    _open(page, f"{live_server.url}/studies/{known.pk}/grid/", 32)
    return page


def _open(page: Page, address: str, crops: int) -> None:
    page.goto(address)
    _painted(page, crops)


def _painted(page: Page, crops: int) -> None:
    page.wait_for_selector(f"main[data-state=ready][data-painted='{crops}']")


def _crops(page: Page) -> list[int]:
    tiles = page.query_selector_all(".grid-tile")
    placed = sorted((int(tile.get_attribute("data-place") or 0), tile.get_attribute("data-crop")) for tile in tiles)
    return [int(crop or 0) for _, crop in placed]


def _bulk() -> Any:
    return Annotation.objects.current().filter(is_bulk=True)


def _exceptions(grid: Page, *marked: int) -> list[int]:
    """A page of unanswered crops predicted round in "exceptions", some of them marked; returns its crops."""
    grid.select_option("[name=state]", "unlabelled")
    _painted(grid, 24)
    grid.select_option("[name=predicted]", "round")
    grid.wait_for_selector("main[data-state=ready]:not([data-painted='24'])")
    grid.select_option("#mode", "exceptions")
    crops = _crops(grid)
    _painted(grid, len(crops))
    for place in marked:
        grid.click(f".grid-tile[data-place='{place}']")
    return crops


def _answer_all_offline(grid: Page) -> None:
    """The 24 unanswered crops get an answer that cannot leave."""
    grid.select_option("[name=state]", "unlabelled")
    _painted(grid, 24)
    grid.context.set_offline(True)
    for key in ("a", "1", "Enter"):
        grid.keyboard.press(key)
    expect(grid.locator("#grid-saved")).to_have_text("24 waiting, offline")


def _sent_once() -> bool:
    return _bulk().count() == 24 == Annotation.objects.filter(is_bulk=True).count()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_is_accessible_fits_a_phone_and_breaks_no_policy(
    theme: str, page: Page, live_server: Any, known: Study, log_in: Callable[[], None], troubles: list[str]
) -> None:
    make_map(request_map(known, None).pk)
    log_in()
    page.add_init_script(f"localStorage.setItem('parfocal.theme', '{theme}')")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        _open(page, f"{live_server.url}/studies/{known.pk}/grid/", 32)
        page.click("[data-class=round]")
        page.click("#open-map")
        page.wait_for_selector("#map-points[data-points]")
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        assert serious(page) == []
    assert troubles == []


def test_a_crop_is_drawn_as_in_the_reading_room(grid: Page, live_server: Any, known: Study) -> None:
    room = grid.context.new_page()
    room.goto(f"{live_server.url}/studies/{known.pk}/read/")
    room.wait_for_selector("main[data-state=ready]")
    crop = room.get_attribute("main", "data-crop-id")
    shown = grid.eval_on_selector(f".grid-tile[data-crop='{crop}'] canvas", PIXELS)
    assert room.eval_on_selector("#crop-canvas", PIXELS) == shown


def test_crops_are_assigned_by_keyboard_and_the_step_is_undone(grid: Page) -> None:
    grid.select_option("[name=state]", "unlabelled")
    _painted(grid, 24)
    first = _crops(grid)
    grid.focus("#grid")
    grid.keyboard.press("Space")
    grid.keyboard.press("ArrowRight")
    grid.keyboard.press("Shift+ArrowRight")
    grid.keyboard.press("Shift+ArrowRight")
    expect(grid.locator("#grid-chosen")).to_have_text("3 selected")
    grid.keyboard.press("2")
    expect(grid.locator("#confirm-text")).to_have_text("Answer 3 crops as long")
    grid.keyboard.press("Enter")
    grid.wait_for_selector("main[data-answered='3'][data-unsent='0']")
    assert sorted(_bulk().values_list("crop", flat=True)) == sorted(first[1:4])
    assert set(_bulk().values_list("labels__label_class__key", flat=True)) == {"long"}
    grid.keyboard.press("z")
    grid.wait_for_selector("main[data-answered='0'][data-unsent='0']")
    assert not _bulk().exists()


def test_ranges_boxes_and_inversion_choose_crops(grid: Page) -> None:
    tile = ".grid-tile[data-place='{}']"
    grid.click(tile.format(1))
    grid.click(tile.format(4), modifiers=["Shift"])
    expect(grid.locator("#grid-chosen")).to_have_text("4 selected")
    grid.click(tile.format(2), modifiers=["Control"])
    expect(grid.locator("#grid-chosen")).to_have_text("3 selected")
    grid.keyboard.press("s")
    expect(grid.locator("#grid-chosen")).to_have_text("29 selected")
    boxes = [grid.locator(tile.format(place)).bounding_box() for place in (0, 2)]
    assert boxes[0] and boxes[1]
    grid.mouse.move(boxes[0]["x"] + 10, boxes[0]["y"] + 10)
    grid.mouse.down()
    grid.mouse.move(boxes[1]["x"] + 20, boxes[1]["y"] + 30, steps=4)
    grid.mouse.up()
    expect(grid.locator("#grid-chosen")).to_have_text("3 selected")
    grid.keyboard.press("a")
    expect(grid.locator("#grid-chosen")).to_have_text("32 selected")


def test_exceptions_confirms_all_but_the_marked_ones(grid: Page) -> None:
    crops = _exceptions(grid, 0, 2)
    assert len(crops) > 3
    grid.keyboard.press("3")
    grid.click(".grid-tile[data-place='0']")
    grid.click("#confirm")
    grid.wait_for_selector("main[data-unsent='0']")
    expect(grid.locator("#grid-saved")).to_contain_text("saved")
    given = dict(_bulk().values_list("crop", "labels__label_class__key"))
    # The first was marked, then unmarked again: it is confirmed. The third got another class.
    assert given == dict.fromkeys(crops, "round") | {crops[2]: "other"}
    suggested = set(_bulk().exclude(suggested_by="").values_list("crop", flat=True))
    assert suggested == set(crops) - {crops[2]}


def test_crops_that_were_marked_as_wrong_are_not_confirmed_by_a_second_press(grid: Page) -> None:
    crops = _exceptions(grid, 0, 2)
    answered = f"main[data-answered='{len(crops) - 2}'][data-unsent='0']"
    grid.dblclick("#confirm")
    grid.focus("#grid")
    grid.keyboard.press("Enter")
    grid.wait_for_selector(answered)
    grid.keyboard.press("Enter")
    expect(grid.locator("#grid-said")).to_contain_text("Nothing is left to confirm")
    expect(grid.locator("#grid-chosen")).to_have_text("2 crops marked as wrong")
    grid.wait_for_selector(answered)
    assert set(_bulk().values_list("crop", flat=True)) == set(crops) - {crops[0], crops[2]}
    assert Annotation.objects.filter(is_bulk=True).count() == len(crops) - 2


def test_exceptions_confirm_what_was_on_screen_and_the_rest_after_scrolling_by_key(grid: Page) -> None:
    crops = _exceptions(grid)
    grid.set_viewport_size({"width": 500, "height": 700})
    grid.evaluate("document.querySelector('#grid').style.height = '200px'")
    grid.locator("[name=size]").fill("256")
    grid.reload()
    grid.evaluate("document.querySelector('#grid').style.height = '200px'")
    grid.locator("[name=size]").fill("256")
    _painted(grid, len(crops))
    grid.select_option("#mode", "exceptions")
    expect(grid.locator("#grid-unseen")).to_contain_text("Scroll to them")
    grid.focus("#grid")
    # That brings it on screen: what is painted has been seen once the button offers to confirm it.
    grid.wait_for_selector("main[data-state=ready]:has(#confirm[aria-disabled=false])")
    grid.keyboard.press("Enter")
    grid.wait_for_selector("main[data-answered]:not([data-answered='0'])[data-unsent='0']")
    first = set(_bulk().values_list("crop", flat=True))
    assert 0 < len(first) < len(crops)
    assert first == set(crops[: len(first)])
    for _ in crops:
        grid.keyboard.press("ArrowDown")
        grid.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(grid.locator("#grid-unseen")).to_have_text("")
    grid.wait_for_selector("main[data-state=ready]:has(#confirm[aria-disabled=false])")
    grid.keyboard.press("Enter")
    grid.wait_for_selector(f"main[data-answered='{len(crops)}'][data-unsent='0']")
    assert set(_bulk().values_list("crop", flat=True)) == set(crops)


def test_the_lasso_takes_crops_into_the_grid(grid: Page, known: Study) -> None:
    make_map(request_map(known, None).pk)
    grid.reload()
    _painted(grid, 32)
    grid.click("#open-map")
    grid.wait_for_selector("#map-points[data-points='32']")
    box = grid.locator("#map-lines").bounding_box()
    assert box
    middle, left = box["x"] + box["width"] / 2, box["x"] + 2
    corners = [(left, box["y"] + 2), (middle, box["y"] + 2), (middle, box["y"] + box["height"] - 2)]
    grid.mouse.move(*corners[0])
    grid.mouse.down()
    for corner in [*corners[1:], (left, box["y"] + box["height"] - 2)]:
        grid.mouse.move(*corner, steps=5)
    grid.mouse.up()
    expect(grid.locator("#map-count")).to_contain_text("in the lasso")
    number = int((grid.text_content("#map-count") or "").split()[0])
    assert 0 < number < 32
    _painted(grid, number)
    expect(grid.locator("#grid-range")).to_have_text(f"1–{number} of {number}")
    grid.click("#map-clear")
    _painted(grid, 32)


def test_answers_wait_while_the_server_is_away_and_none_is_lost_or_doubled(grid: Page) -> None:
    _answer_all_offline(grid)
    assert not _bulk().exists()
    grid.context.set_offline(False)
    grid.wait_for_selector("main[data-unsent='0']")
    assert _sent_once()


def test_answers_that_waited_are_sent_once_after_a_reload(grid: Page) -> None:
    grid.route("**/bulk/", lambda route: route.abort())
    grid.select_option("[name=state]", "unlabelled")
    _painted(grid, 24)
    for key in ("a", "1", "Enter"):
        grid.keyboard.press(key)
    expect(grid.locator("#grid-saved")).to_have_text("24 waiting, offline")
    warned: list[str] = []
    grid.on("dialog", lambda dialog: (warned.append(dialog.type), dialog.accept()))
    grid.unroute("**/bulk/")
    grid.reload()
    expect(grid.locator("#grid-saved")).to_contain_text("saved")
    grid.wait_for_selector("main[data-unsent='0']")
    assert warned == ["beforeunload"]
    assert _sent_once()


def test_waiting_answers_outlast_an_expired_session(grid: Page, log_in: Callable[[], None]) -> None:
    grid.select_option("[name=state]", "unlabelled")
    _painted(grid, 24)
    Session.objects.all().delete()
    for key in ("a", "1", "Enter"):
        grid.keyboard.press(key)
    expect(grid.locator("#grid-saved")).to_have_text("log in again: your answers are kept")
    assert grid.is_visible("#login-again") and not _bulk().exists()
    log_in()
    grid.evaluate("window.dispatchEvent(new Event('focus'))")
    grid.wait_for_selector("main[data-answered='24'][data-unsent='0']")
    assert not grid.is_visible("#login-again")
    assert _sent_once()


def test_waiting_answers_go_out_under_nobody_elses_name(
    grid: Page, live_server: Any, known: Study, log_in: Callable[[], None]
) -> None:
    _answer_all_offline(grid)
    come_as(grid.context, live_server, add_reader(known, "dora"))
    grid.context.set_offline(False)
    expect(grid.locator("#grid-saved")).to_have_text("this account may not answer here: 24 kept")
    assert not _bulk().exists()
    log_in()
    grid.evaluate("window.dispatchEvent(new Event('focus'))")
    grid.wait_for_selector("main[data-answered='24'][data-unsent='0']")
    assert _sent_once()
    assert set(_bulk().values_list("annotator__username", flat=True)) == {"reader"}


def test_the_grid_answers_over_plain_http_from_another_machine(
    launch_browser: Callable[..., Browser],
    browser_type_launch_args: dict[str, Any],
    live_server: Any,
    known: Study,
    context: Any,
    log_in: Callable[[], None],
) -> None:
    address = live_server.url.replace("localhost", "microscope.test")
    log_in()
    mapped = [*browser_type_launch_args["args"], "--host-resolver-rules=MAP microscope.test 127.0.0.1"]
    browser = launch_browser(args=mapped)
    elsewhere = browser.new_context()
    elsewhere.add_cookies([{"name": row["name"], "value": row["value"], "url": address} for row in context.cookies()])
    page = elsewhere.new_page()
    _open(page, f"{address}/studies/{known.pk}/grid/?state=unlabelled", 24)
    assert page.evaluate("isSecureContext") is False
    for key in ("a", "1", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("main[data-answered='24'][data-unsent='0']")
    page.keyboard.press("z")
    page.wait_for_selector("main[data-answered='0'][data-unsent='0']")
    assert Annotation.objects.filter(is_bulk=True, answer="label").count() == 24
    browser.close()


def test_pictures_that_did_not_come_are_not_answered_and_come_with_the_line(grid: Page) -> None:
    asked: list[str] = []
    grid.route("**/grid/pixels/**", lambda route: (asked.append(route.request.url), route.abort()))
    grid.select_option("[name=state]", "unlabelled")
    # Another size of tiles needs other pixels.
    grid.eval_on_selector("[name=size]", "field => { field.value = 256; field.dispatchEvent(new Event('input')); }")
    grid.eval_on_selector("[name=size]", "field => field.dispatchEvent(new Event('change'))")
    expect(grid.locator("#grid-missing")).to_contain_text("24 crops could not be loaded yet")
    for key in ("a", "1", "Enter"):
        grid.keyboard.press(key)
    expect(grid.locator("#grid-said")).to_have_text("24 crops left out: not shown yet.")
    assert asked
    grid.unroute("**/grid/pixels/**")
    grid.evaluate("window.dispatchEvent(new Event('online'))")
    _painted(grid, 24)
    expect(grid.locator("#grid-missing")).to_have_text("")
    grid.keyboard.press("Enter")
    grid.wait_for_selector("main[data-answered='24'][data-unsent='0']")
    assert _sent_once()


def test_ones_own_keys_hold_in_the_grid_and_an_object_can_be_wrong(grid: Page) -> None:
    change_preferences(get_user_model().objects.get(username="reader"), {"class:2": "s", "bad": "b"}, None)
    grid.reload()
    _painted(grid, 32)
    expect(grid.locator("[data-class=long] kbd")).to_have_text("s")
    expect(grid.locator("#bad-crop kbd")).to_have_text("b")
    expect(grid.locator("#choose-invert kbd")).to_have_text("g")
    grid.select_option("[name=state]", "unlabelled")
    _painted(grid, 24)
    crops = _crops(grid)
    grid.focus("#grid")
    for number, key in enumerate(("s", "b", "w", "0"), start=1):
        for press in ("Space", key, "Enter", "ArrowRight"):
            grid.keyboard.press(press)
        grid.wait_for_selector(f"main[data-answered='{number}'][data-unsent='0']")
    given = dict(_bulk().values_list("crop", "answer"))
    assert given == dict(zip(crops, ("label", "bad_crop", "wrong_object", "not_sure")))


def test_the_active_crop_is_still_marked_when_it_comes_back_into_sight(grid: Page) -> None:
    grid.eval_on_selector("[name=size]", "field => { field.value = 256; field.dispatchEvent(new Event('input')); }")
    grid.focus("#grid")
    grid.keyboard.press("ArrowRight")
    active = ".grid-tile.active[data-place='1']"
    grid.wait_for_selector(active)
    grid.eval_on_selector("#grid", "grid => grid.scrollTo(0, grid.scrollHeight)")
    grid.wait_for_selector(active, state="detached")
    grid.eval_on_selector("#grid", "grid => grid.scrollTo(0, 0)")
    grid.wait_for_selector(active)


def test_the_surroundings_open_by_right_click_and_by_key(grid: Page) -> None:
    grid.click(".grid-tile[data-place='3']", button="right")
    grid.wait_for_selector("#grid-popup canvas:visible")
    grid.keyboard.press("Escape")
    expect(grid.locator("#grid-popup")).to_be_hidden()
    grid.focus("#grid")
    grid.keyboard.press("c")
    grid.wait_for_selector("#grid-popup canvas:visible")


def test_surroundings_that_a_broken_line_kept_away_come_on_the_next_try(grid: Page) -> None:
    grid.context.set_offline(True)
    grid.click(".grid-tile[data-place='3']", button="right")
    expect(grid.locator("#grid-popup p")).to_contain_text("could not be loaded, try again")
    grid.keyboard.press("Escape")
    grid.context.set_offline(False)
    grid.click(".grid-tile[data-place='3']", button="right")
    grid.wait_for_selector("#grid-popup canvas:visible")


def test_a_pinned_crop_stays_first_and_the_address_keeps_the_filters(grid: Page) -> None:
    grid.click(".grid-tile[data-place='5']")
    crop = _crops(grid)[5]
    grid.keyboard.press("i")
    expect(grid.locator(".grid-tile[data-place='0']")).to_have_attribute("data-crop", str(crop))
    grid.select_option("[name=state]", "labelled")
    grid.wait_for_selector("main[data-state=ready][data-painted='9']")
    assert _crops(grid)[0] == crop
    assert "state=labelled" in grid.url


def test_a_long_press_selects_on_a_phone_with_two_columns(
    browser: Browser, live_server: Any, known: Study, context: Any, log_in: Callable[[], None]
) -> None:
    log_in()
    phone = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    phone.add_cookies(context.cookies())
    page = phone.new_page()
    page.goto(f"{live_server.url}/studies/{known.pk}/grid/")
    _painted(page, 32)
    page.eval_on_selector("[name=size]", "field => { field.value = 256; field.dispatchEvent(new Event('input')); }")
    tops = [page.locator(f".grid-tile[data-place='{place}']").bounding_box() for place in range(3)]
    assert tops[0] and tops[1] and tops[2] and tops[0]["y"] == tops[1]["y"] < tops[2]["y"]
    touch = "{bubbles: true, pointerType: 'touch', button: 0}"
    down = f"tile => tile.dispatchEvent(new PointerEvent('pointerdown', {touch}))"
    page.eval_on_selector(".grid-tile[data-place='1']", down)
    expect(page.locator("#grid-chosen")).to_have_text("1 selected")
    page.tap(".grid-tile[data-place='0']")
    expect(page.locator("#grid-chosen")).to_have_text("2 selected")
    phone.close()
