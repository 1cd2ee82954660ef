"""The reading room in a real browser: keys become answers, and nothing given is lost."""

from collections.abc import Callable
from typing import Any

from django.contrib.sessions.models import Session
from playwright.sync_api import BrowserContext, Page

from labeling.models import Annotation, Study
from labeling.services.queue import NewEntry, RankingInfo, replace_queue

MEAN_LIGHT = """
() => {
  const canvas = document.getElementById("crop-canvas");
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) {
    sum += 0.2126 * data[at] + 0.7152 * data[at + 1] + 0.0722 * data[at + 2];
  }
  return sum / (data.length / 4);
}
"""

BOTH_PAINTERS = """
async (base) => {
  const { Painter } = await import(`${base}/static/js/shared/painter.js`);
  const pixels = Uint16Array.from({ length: 3 * 40 * 30 }, (_, at) => (at * 7919) % 5000);
  const image = { pixels, shape: [3, 30, 40], dtype: "uint16", isRgb: false };
  const colors = ["#00ffff", "#ff00ff", "#808080"];
  const channels = colors.map((color, at) => ({ color, low: 100 * at, high: 4000, on: true }));
  const read = (webgl, invert) => {
    const canvas = document.createElement("canvas");
    new Painter({ webgl, fewest: 0 }).draw(canvas, image, channels, { invert });
    return [canvas.dataset.painter, [...canvas.getContext("2d").getImageData(0, 0, 40, 30).data]];
  };
  const worst = (invert) => {
    const [kind, one] = read(true, invert);
    const [otherKind, other] = read(false, invert);
    return [[kind, otherKind], Math.max(...one.map((value, at) => Math.abs(value - other[at])))];
  };
  return [worst(false), worst(true)];
}
"""


# Playwright's own waiting evaluates text again and again, which the page's content policy forbids.
ENTRIES = """
([type, part, count]) => new Promise((found) => {
  let seen = 0;
  const look = (list) => {
    seen += list.getEntries().filter(({ name }) => name.includes(part)).length;
    if (seen >= count) found(seen);
  };
  new PerformanceObserver(look).observe({ type, buffered: true });
})
"""


def _wait_for_entries(room: Page, kind: str, part: str, count: int) -> None:
    room.evaluate(ENTRIES, [kind, part, count])


def _standing(study: Study) -> list[tuple[int, str]]:
    rows = Annotation.objects.current().filter(study=study).order_by("id")
    return list(rows.values_list("crop_id", "answer"))


def _crop(room: Page) -> int:
    return int(room.get_attribute("main", "data-crop-id") or 0)


def _press(room: Page, key: str) -> int:
    """Press a key once the crop is on screen; returns that crop's number."""
    room.wait_for_selector("main[data-state=ready]")
    seen = _crop(room)
    room.keyboard.press(key)
    return seen


def test_ten_keys_make_ten_answers_to_the_crops_that_were_on_screen(
    room: Page, study: Study, troubles: list[str]
) -> None:
    seen = [_press(room, key) for key in "1231231231"]
    room.wait_for_selector('main[data-saved="10"][data-waiting="0"]')
    assert _standing(study) == [(crop, "label") for crop in seen]
    keys = [row.labels.get().label_class.key for row in Annotation.objects.order_by("id")]
    assert keys == ["round", "long", "other"] * 3 + ["round"]
    assert troubles == []


def test_the_server_learns_the_window_and_the_times_of_an_answer(room: Page, study: Study) -> None:
    _press(room, "1")
    room.wait_for_selector('main[data-saved="1"]')
    answer = Annotation.objects.get(study=study)
    assert answer.shown_at is not None and answer.shown_at <= answer.answered_at
    assert [set(window) for window in answer.window] == [{"low", "high", "gamma", "on", "color"}]
    assert answer.why_asked == "uncertain"


def test_undo_withdraws_the_answer_and_shows_its_crop_again(room: Page, study: Study) -> None:
    first = _press(room, "1")
    second = _press(room, "2")
    room.wait_for_selector('main[data-saved="2"]')
    room.keyboard.press("z")
    room.wait_for_selector(f'main[data-crop-id="{second}"][data-waiting="0"]')
    assert _standing(study) == [(first, "label")]


def test_undo_reaches_back_beyond_the_page(room: Page, study: Study) -> None:
    first = _press(room, "1")
    room.wait_for_selector('main[data-saved="1"]')
    room.reload()
    room.wait_for_selector("main[data-state=ready]")
    room.keyboard.press("z")
    room.wait_for_selector(f'main[data-crop-id="{first}"]')
    assert _standing(study) == []


def test_zero_is_not_sure_and_x_is_a_bad_crop(room: Page, study: Study) -> None:
    _press(room, "0")
    _press(room, "x")
    room.wait_for_selector('main[data-saved="2"]')
    assert [answer for _, answer in _standing(study)] == ["not_sure", "bad_crop"]


def test_a_note_goes_with_its_answer_only(room: Page, study: Study) -> None:
    _press(room, "n")
    room.keyboard.type("two cells 123")
    room.keyboard.press("Enter")
    _press(room, "0")
    _press(room, "1")
    room.wait_for_selector('main[data-saved="2"]')
    assert list(Annotation.objects.order_by("id").values_list("reason", flat=True)) == ["two cells 123", ""]


def test_a_key_that_is_held_down_answers_one_crop(room: Page, study: Study) -> None:
    for _ in range(5):
        room.keyboard.down("1")
    room.keyboard.up("1")
    room.wait_for_selector('main[data-saved="1"][data-waiting="0"]')
    assert Annotation.objects.count() == 1


def test_keys_do_nothing_while_a_sheet_is_open(room: Page, study: Study) -> None:
    room.keyboard.press("?")
    room.wait_for_selector("#keys-dialog[open]")
    room.keyboard.press("1")
    room.keyboard.press("Escape")
    room.wait_for_selector("dialog[open]", state="detached")
    seen = _press(room, "2")
    room.wait_for_selector('main[data-saved="1"]')
    assert _standing(study) == [(seen, "label")]
    assert Annotation.objects.get().labels.get().label_class.key == "long"


def test_a_dim_16_bit_crop_is_visible_untouched(room: Page) -> None:
    assert room.evaluate(MEAN_LIGHT) > 30


def test_the_graphics_card_and_the_processor_paint_the_same(room: Page, live_server: Any) -> None:
    for kinds, difference in room.evaluate(BOTH_PAINTERS, live_server.url):
        assert kinds == ["webgl2", "2d"]
        assert difference <= 1


def test_inverting_turns_dark_into_light(room: Page) -> None:
    before = room.evaluate(MEAN_LIGHT)
    room.keyboard.press("i")
    # Said in the frame in which it is drawn.
    room.wait_for_selector("#invert[aria-pressed=true]")
    assert abs(before + room.evaluate(MEAN_LIGHT) - 255) < 2


def test_answers_given_offline_arrive_when_the_line_is_back(
    room: Page, context: BrowserContext, study: Study
) -> None:
    _wait_for_entries(room, "resource", "pixels", 6)
    context.set_offline(True)
    for key in "123":
        _press(room, key)
    room.wait_for_selector("#save-state:has-text('3 waiting, offline')")
    context.set_offline(False)
    room.wait_for_selector('main[data-saved="3"][data-waiting="0"]')
    assert len(_standing(study)) == 3


def test_an_answer_survives_log_out_and_reload(room: Page, study: Study, log_in: Callable[[], None]) -> None:
    Session.objects.all().delete()
    crop = _press(room, "1")
    room.wait_for_selector("#save-state:has-text('log in again')")
    assert room.is_visible("#login-again")
    warnings: list[str] = []
    room.once("dialog", lambda dialog: (warnings.append(dialog.type), dialog.dismiss()))
    with room.expect_event("dialog"):
        room.evaluate("() => { setTimeout(() => location.reload()); }")
    assert warnings == ["beforeunload"], "who leaves with unsaved answers is warned"
    log_in()
    # By now the answer may be on its way: with or without a warning.
    room.on("dialog", lambda dialog: dialog.accept())
    room.reload()
    room.wait_for_selector('main[data-saved="1"][data-waiting="0"]')
    assert _standing(study) == [(crop, "label")]


def test_the_end_says_so_and_undo_still_works(room: Page, study: Study) -> None:
    total = int(room.evaluate("JSON.parse(document.getElementById('room-config').textContent).progress.total"))
    for _ in range(total):
        _press(room, "1")
    room.wait_for_selector("main[data-state=end]")
    assert "Nothing left to read" in room.inner_text("#curtain-text")
    room.wait_for_selector(f'main[data-saved="{total}"][data-waiting="0"]')
    room.keyboard.press("z")
    room.wait_for_selector("main[data-state=ready][data-waiting='0']")
    answered = {crop for crop, _ in _standing(study)}
    assert len(answered) == total - 1
    assert _crop(room) not in answered


def test_the_lag_grows_with_every_answer_and_ends_with_the_next_ranking(room: Page, study: Study) -> None:
    for count, words in ((1, "1 newer answer"), (2, "2 newer answers")):
        _press(room, "1")
        room.wait_for_selector(f'main[data-saved="{count}"][data-waiting="0"]')
        room.wait_for_selector(f"#ranking:has-text('{words}')")
    newest = Annotation.objects.latest("id").pk
    left = [NewEntry(row.crop_id, row.score, row.why, None) for row in study.queue.order_by("rank")[2:]]
    replace_queue(study, left, RankingInfo("77ab" * 16, "uherding", "handcrafted", len(left), newest))
    room.wait_for_selector("#ranking:has-text('by 77ab')")
    assert "newer" not in room.inner_text("#ranking")


def test_a_wrong_object_has_its_key_and_the_last_crop_leads_to_more_like_it(room: Page, study: Study) -> None:
    crop = _press(room, "w")
    room.wait_for_selector('main[data-saved="1"]')
    assert _standing(study) == [(crop, "wrong_object")]
    assert room.get_attribute("#more-like", "href") == f"/studies/{study.pk}/crops/{crop}/similar/"


def test_the_time_from_key_to_paint_is_measured(room: Page) -> None:
    _press(room, "1")
    _wait_for_entries(room, "measure", "key-to-paint", 1)


def test_on_a_phone_a_question_of_two_lines_leaves_the_last_row_in_sight(room: Page, study: Study) -> None:
    Study.objects.filter(pk=study.pk).update(
        question="Is the nucleus in the middle of the crop round, or is it rather long?"
    )
    room.set_viewport_size({"width": 390, "height": 844})
    room.reload()
    room.wait_for_selector("main[data-state=ready]")
    box = room.locator(".room-foot").bounding_box()
    assert box is not None and box["y"] + box["height"] <= 844
    frame = room.locator("#crop-frame").bounding_box()
    assert frame is not None and frame["width"] >= 300
