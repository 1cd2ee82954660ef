"""The hand of the reading room in a real browser: fifty crops by keyboard, a broken line, two readers, own keys."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import tifffile
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page

from imaging.models import Crop, Experiment
from imaging.pixels.scanning import scan_folder
from imaging.worker.ingest import Options, ingest
from labeling.models import Annotation, ClassExample, Comment, GuidelineVersion, Preferences, Study, Suggestion
from labeling.services.queue import NewEntry, RankingInfo, replace_queue
from labeling.services.studies import StudyPlan, create_study
from tests.browser.access import serious
from tests.browser.conftest import come_as, field_of_nuclei, rank_everything
from tests.factories import add_reader, answer

ODD = ("a" * 200, 'comma, "quote"; \N{MICROSCOPE}', "<script>alert(1)</script>")
MODEL = "0f3a" * 16
# [name, width, height] of every control in sight that is smaller either way.
TOO_SMALL = """
(least) => [...document.querySelectorAll("button, a, input, summary, select, textarea")]
  .filter((one) => one.checkVisibility({ checkVisibilityCSS: true }) && !one.matches(".skip"))
  .map((one) => [one.id || one.className || one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
  .filter(([, box]) => Math.min(box.width, box.height) < least)
  .map(([name, { width, height }]) => [name, width, height])
"""


@pytest.fixture
def fields() -> int:
    """How many fields of 16 nuclei the study has."""
    return 2


@pytest.fixture
def study(transactional_db: None, tmp_path: Path, fields: int) -> Study:
    """As in the other tests, over as many fields as a test asks for."""
    folder = tmp_path / "plate 1"
    folder.mkdir()
    for number in range(fields):
        tifffile.imwrite(folder / f"field_{number}.tif", field_of_nuclei(number))
    ingest(scan_folder(folder, None), Options(experiment="plate 1", pixel_size_um=0.5))
    lead = get_user_model().objects.create_user("reader", password="let me read")
    experiments = tuple(Experiment.objects.all())
    plan = StudyPlan(
        "nuclei", "Is it round?", ("round", "long", "other"), experiments, is_blind=False, overlap_share=0
    )
    made = create_study(plan, lead)
    rank_everything(made)
    return made


def crop_of(room: Page) -> int:
    return int(room.get_attribute("main", "data-crop-id") or 0)


def press(room: Page, *keys: str) -> int:
    """Press keys once the crop is on screen; returns that crop's number."""
    room.wait_for_selector("main[data-state=ready]")
    seen = crop_of(room)
    for key in keys:
        room.keyboard.press(key)
    return seen


def all_saved(room: Page, count: int) -> None:
    room.wait_for_selector(f'main[data-saved="{count}"][data-waiting="0"]', timeout=120_000)


def standing(study: Study) -> list[tuple[int, str]]:
    rows = Annotation.objects.current().filter(study=study).order_by("id")
    return list(rows.values_list("crop_id", "answer"))


def reload(room: Page) -> None:
    room.reload()
    room.wait_for_selector("main[data-state=ready]")


def close_sheet(room: Page) -> None:
    """Press Escape and wait until the sheet is gone: it closes a moment after the key."""
    room.keyboard.press("Escape")
    room.wait_for_selector("dialog[open]", state="detached")


@pytest.mark.parametrize("fields", [4])
def test_fifty_crops_by_keyboard_are_fifty_answers_with_their_times(
    room: Page, study: Study, troubles: list[str]
) -> None:
    seen = [press(room, "123"[number % 3]) for number in range(50)]
    all_saved(room, 50)
    assert standing(study) == [(crop, "label") for crop in seen]
    assert len(set(seen)) == 50
    for row in Annotation.objects.all():
        assert row.shown_at <= row.first_key_at <= row.answered_at <= row.received_at
        assert 0 <= row.active_ms <= (row.answered_at - row.shown_at) / timedelta(milliseconds=1) + 1
    assert troubles == []


@pytest.mark.parametrize("fields", [4])
def test_two_minutes_without_a_line_lose_and_double_nothing(
    page: Page, context: BrowserContext, live_server: Any, study: Study, log_in: Callable[[], None]
) -> None:
    log_in()
    page.clock.install()
    page.goto(f"{live_server.url}/studies/{study.pk}/read/")
    page.wait_for_selector("main[data-state=ready]")
    page.wait_for_load_state("networkidle")
    context.set_offline(True)
    seen = []
    for number in range(50):
        seen.append(press(page, "123"[number % 3]))
        if number % 10 == 9:
            page.clock.fast_forward(24_000)
    page.wait_for_selector("#save-state:has-text('50 waiting, offline')")
    assert not Annotation.objects.exists()
    context.set_offline(False)
    page.clock.fast_forward(31_000)
    all_saved(page, 50)
    assert standing(study) == [(crop, "label") for crop in seen]
    assert Annotation.objects.count() == len(set(seen)) == 50


@pytest.mark.parametrize("fields", [1])
def test_when_everything_that_was_fetched_is_read_offline_the_page_says_so_and_goes_on(
    room: Page, context: BrowserContext, study: Study
) -> None:
    room.wait_for_load_state("networkidle")
    context.set_offline(True)
    seen = [press(room, "1") for _ in range(Crop.objects.count())]
    room.wait_for_selector("#curtain-text:has-text('cannot be reached')")
    assert f"Your {len(seen)} answers are kept" in room.inner_text("#curtain-text")
    context.set_offline(False)
    all_saved(room, len(seen))
    room.wait_for_selector("main[data-state=end]")
    assert [crop for crop, _ in standing(study)] == seen


def test_not_sure_advances_at_once_and_takes_its_reason_afterwards(room: Page, study: Study) -> None:
    first = press(room, "0")
    room.wait_for_selector("#reasons:not([hidden])")
    assert crop_of(room) != first
    second = press(room, "Shift+0", "2")
    assert room.get_attribute("#reason-buttons .chip:nth-child(2)", "aria-pressed") == "true"
    assert crop_of(room) == second, "a reason answers no crop"
    press(room, "2")
    room.wait_for_selector("main[data-waiting='0']")
    rows = Annotation.objects.current().order_by("crop_id")
    assert [(row.crop_id, row.answer, row.reason_code) for row in rows] == [
        (first, "not_sure", "artefact"),
        (second, "label", ""),
    ]


def test_a_reason_for_a_saved_answer_supersedes_it(room: Page, study: Study) -> None:
    crop = press(room, "w")
    all_saved(room, 1)
    room.click("#reason-buttons .chip:has-text('cut off')")
    room.wait_for_selector("#reason-buttons .chip[aria-pressed=true]")
    room.wait_for_selector("main[data-waiting='0']")
    assert list(Annotation.objects.current().values_list("crop_id", "answer", "reason_code")) == [
        (crop, "wrong_object", "cut_off")
    ]
    assert Annotation.objects.count() == 2
    press(room, "z")
    room.wait_for_selector(f'main[data-crop-id="{crop}"][data-waiting="0"]')
    assert standing(study) == []


def test_an_answered_crop_is_looked_at_again_and_answered_otherwise(room: Page, study: Study) -> None:
    first, second = press(room, "1"), press(room, "2")
    open_crop = press(room, "ArrowLeft", "ArrowLeft")
    room.wait_for_selector(f'main[data-crop-id="{first}"][data-state=ready]')
    assert room.is_visible(".answer.before[data-class=round]")
    press(room, "3")
    room.wait_for_selector(f'main[data-crop-id="{open_crop}"]')
    press(room, "ArrowLeft")
    press(room, ".")
    room.wait_for_selector(f'main[data-crop-id="{open_crop}"][data-waiting="0"]')
    given = {row.crop_id: row.labels.get().label_class.key for row in Annotation.objects.current()}
    assert given == {first: "other", second: "long"}


def second_reader(browser: Browser, live_server: Any, study: Study) -> Page:
    context = browser.new_context()
    come_as(context, live_server, add_reader(study, "dora"))
    page = context.new_page()
    page.goto(f"{live_server.url}/studies/{study.pk}/read/")
    page.wait_for_selector("main[data-state=ready]")
    return page


@pytest.mark.parametrize("fields", [1])
@pytest.mark.parametrize("reads", [1, 2])
def test_two_readers_share_the_crops_at_one_read_and_both_read_all_at_two(
    reads: int, room: Page, browser: Browser, live_server: Any, study: Study
) -> None:
    Study.objects.filter(pk=study.pk).update(reads_per_crop=reads)
    other = second_reader(browser, live_server, study)
    total = Crop.objects.count()
    pages, saved = [room, other], [0, 0]
    for turn in range(reads * total):
        place = turn % 2
        if pages[place].get_attribute("main", "data-state") == "end":
            continue
        press(pages[place], "1")
        saved[place] += 1
        all_saved(pages[place], saved[place])
    read = list(Annotation.objects.current().values_list("crop_id", "annotator__username"))
    assert len(read) == len(set(read)) == reads * total
    assert {sum(crop == one for crop, _ in read) for one in Crop.objects.values_list("pk", flat=True)} == {reads}
    other.context.close()


def test_after_a_log_in_in_another_tab_the_answers_arrive_without_a_reload(
    room: Page, study: Study, log_in: Callable[[], None]
) -> None:
    Session.objects.all().delete()
    seen = [press(room, "1"), press(room, "2")]
    room.wait_for_selector("#login-again:not([hidden])")
    log_in()
    room.evaluate("dispatchEvent(new Event('focus'))")
    all_saved(room, 2)
    assert [crop for crop, _ in standing(study)] == seen


def test_answers_that_wait_are_not_sent_under_the_name_of_the_next_person(
    room: Page, context: BrowserContext, live_server: Any, study: Study
) -> None:
    come_as(context, live_server, add_reader(study, "dora"))
    press(room, "1")
    room.wait_for_selector("#save-state:has-text('1 kept')")
    assert not Annotation.objects.exists()


@pytest.mark.parametrize("choice", ["mine", "standing"])
def test_of_two_answers_of_one_person_they_choose_one(choice: str, room: Page, study: Study) -> None:
    crop = crop_of(room)
    answer(study, get_user_model().objects.get(username="reader"), crop, "long")
    press(room, "1")
    room.wait_for_selector("#conflict-dialog[open]")
    names = (room.inner_text("#conflict-standing-name"), room.inner_text("#conflict-mine-name"))
    assert names == ("long", "round")
    assert serious(room) == []
    room.click(f"#conflict-{choice}")
    room.wait_for_selector("main[data-waiting='0']")
    stands = Annotation.objects.current().get(crop=crop)
    assert stands.labels.get().label_class.key == ("round" if choice == "mine" else "long")


def test_a_key_of_ones_own_warns_of_what_it_did_and_is_kept_for_the_account(room: Page, study: Study) -> None:
    room.keyboard.press("?")
    room.click("[data-action=bad]")
    room.keyboard.press("w")
    assert "w is wrong object" in room.inner_text("#key-note")
    assert not Preferences.objects.exists()
    room.click("#key-take")
    room.wait_for_selector("#key-note:has-text('w is now bad crop')")
    assert serious(room) == []
    close_sheet(room)
    assert room.inner_text("#bad-crop kbd") == "w"
    assert room.is_hidden("#wrong-object kbd")
    press(room, "w")
    all_saved(room, 1)
    reload(room)
    press(room, "w")
    all_saved(room, 1)
    assert [kind for _, kind in standing(study)] == ["bad_crop", "bad_crop"]
    room.keyboard.press("?")
    room.click("#keys-reset")
    room.wait_for_selector("#key-note:has-text('usual')")
    assert Preferences.objects.get().keys == {}


def test_a_channel_takes_another_key_which_is_printed_beside_it(room: Page, study: Study) -> None:
    room.keyboard.press("?")
    assert room.locator("[data-action^='channel:']").count() == 9
    room.click("[data-action='channel:1']")
    room.keyboard.press("k")
    room.wait_for_selector("#key-note:has-text('k is now channel 1')")
    close_sheet(room)
    assert room.inner_text(".channel-toggle kbd") == "k"
    press(room, "k")
    room.wait_for_selector(".channel-toggle[aria-pressed=false]")


@pytest.fixture
def three_hundred(study: Study) -> Study:
    """The study with three hundred more classes, some of them with names that nobody expects."""
    names = [*ODD, *(f"kind {number}" for number in range(297))]
    for place, name in enumerate(names):
        study.classes.create(key=f"k{place}", name=name, color="#0072b2", position=100 + place)
    return study


def test_three_hundred_classes_with_odd_names_are_all_within_reach(
    three_hundred: Study, page: Page, live_server: Any, log_in: Callable[[], None], troubles: list[str]
) -> None:
    log_in()
    page.goto(f"{live_server.url}/studies/{three_hundred.pk}/read/")
    fourth = press(page, "4")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.inner_text("[data-class=k2] span") == ODD[2]
    press(page, "/")
    page.keyboard.type("kind 296")
    assert "1 of 303" in page.inner_text("#find-count")
    found = crop_of(page)
    page.keyboard.press("Enter")
    all_saved(page, 2)
    given = {row.crop_id: row.labels.get().label_class.name for row in Annotation.objects.all()}
    assert given == {fourth: ODD[0], found: "kind 296"}
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious(page) == []
    assert troubles == []


@pytest.mark.parametrize(("target", "became"), [("", "removed"), ("long", "merged into 'long'")])
def test_the_key_of_a_class_that_is_gone_names_no_other_class_until_the_page_is_loaded_again(
    target: str, became: str, room: Page, study: Study
) -> None:
    into = study.classes.filter(key=target).first()
    study.classes.filter(key="round").update(retired_at=timezone.now(), merged_into=into)
    crop = press(room, "1")
    room.wait_for_selector(f'#notices .notice:has-text("{became}")')
    room.wait_for_selector("[data-class=round]:disabled")
    assert room.is_hidden("[data-class=round] kbd")
    assert room.inner_text("[data-class=long] kbd") == "2"
    second = press(room, "1", "1")
    room.wait_for_selector("#save-state:has-text('its key stays empty')")
    assert not Annotation.objects.exists()
    press(room, "2")
    room.wait_for_selector(f'main[data-crop-id="{crop}"]')
    press(room, "2")
    all_saved(room, 2)
    assert {row.crop_id: row.labels.get().label_class.key for row in Annotation.objects.all()} == {
        second: "long",
        crop: "long",
    }
    assert serious(room) == []
    reload(room)
    assert room.inner_text("[data-class=long] kbd") == "1"


def test_a_suggestion_is_told_from_labels_accepted_by_enter_and_never_shown_for_random_checks(
    room: Page, study: Study
) -> None:
    assert room.is_hidden("#suggestion")
    Study.objects.filter(pk=study.pk).update(shows_suggestions=True)
    crops = list(Crop.objects.order_by("pk").values_list("pk", flat=True))
    entries = [
        NewEntry(pk, 1 / (place + 1), ("uncertain", "random check")[place % 2], None)
        for place, pk in enumerate(crops)
    ]
    replace_queue(study, entries, RankingInfo(MODEL, "margin", "", len(crops), 0))
    long = study.classes.get(key="long")
    rows = [Suggestion(study=study, crop_id=pk, label_class=long, probability=0.62, model=MODEL) for pk in crops]
    Suggestion.objects.bulk_create(rows)
    study.leases.all().delete()
    reload(room)
    assert room.inner_text("#suggestion-detail") == "62 % · model 0f3a"
    assert room.is_visible(".answer.suggested[data-class=long]")
    led = press(room, "Enter")
    room.wait_for_selector(f'main[data-state=ready]:not([data-crop-id="{led}"])')
    assert room.is_hidden("#suggestion")
    unled = press(room, "Enter")
    assert crop_of(room) == unled
    press(room, "2")
    all_saved(room, 2)
    given = {row.crop_id: row.suggested_by for row in Annotation.objects.all()}
    assert given == {led: MODEL, unled: ""}


def test_comments_guidelines_and_examples_are_one_key_away(room: Page, study: Study, troubles: list[str]) -> None:
    lead = get_user_model().objects.get(username="reader")
    GuidelineVersion.objects.create(study=study, number=2, text="Round is round.", change="what round is", by=lead)
    ClassExample.objects.create(label_class=study.classes.get(key="long"), crop=Crop.objects.last(), note="so long")
    press(room, "c")
    room.keyboard.type("two <b>nuclei</b>?")
    room.click("#comment-form button")
    room.wait_for_selector("#comment-list li")
    assert "two <b>nuclei</b>?" in room.inner_text("#comment-list")
    assert serious(room) == []
    close_sheet(room)
    room.keyboard.press("g")
    room.wait_for_selector("[data-examples=long] canvas[data-painter]")
    assert "Version 2: what round is" in room.inner_text("#guideline-version")
    assert "so long" in room.inner_text("[data-examples=long]")
    assert serious(room) == []
    close_sheet(room)
    crop = press(room, "1")
    press(room, "1")
    all_saved(room, 2)
    assert Comment.objects.get().crop_id == crop
    assert Annotation.objects.last().guideline.number == 2
    assert troubles == []


def test_a_double_click_is_one_answer(room: Page, study: Study) -> None:
    crop = crop_of(room)
    room.dblclick("[data-class=round]")
    all_saved(room, 1)
    assert standing(study) == [(crop, "label")]


def test_a_pause_gives_the_crops_back_and_takes_no_answers(room: Page, study: Study) -> None:
    crop = crop_of(room)
    assert study.leases.filter(crop=crop).exists()
    with room.expect_response("**/pause/"):
        press(room, "p")
    room.wait_for_selector("main[data-state=paused]")
    assert not study.leases.filter(expires_at__gt=timezone.now()).exists()
    room.keyboard.press("1")
    room.keyboard.press("p")
    press(room, "2")
    all_saved(room, 1)
    assert Annotation.objects.get().labels.get().label_class.key == "long"


def test_a_skipped_crop_is_put_aside_without_an_answer(room: Page, study: Study) -> None:
    skipped, read = press(room, "s"), press(room, "1")
    room.wait_for_selector("main[data-waiting='0']")
    assert standing(study) == [(read, "label")] and skipped != read


def test_a_clock_that_is_a_day_off_is_put_right(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None]
) -> None:
    log_in()
    page.clock.install(time=timezone.now() + timedelta(days=1))
    page.goto(f"{live_server.url}/studies/{study.pk}/read/")
    press(page, "1")
    all_saved(page, 1)
    row = Annotation.objects.get()
    assert timezone.now() - timedelta(minutes=2) < row.shown_at <= row.answered_at <= row.received_at


def test_two_tabs_of_one_person_do_not_answer_the_same_crop(
    room: Page, context: BrowserContext, live_server: Any, study: Study
) -> None:
    other = context.new_page()
    other.goto(f"{live_server.url}/studies/{study.pk}/read/")
    other.wait_for_selector("main[data-state=ready]")
    crop = press(room, "1")
    other.wait_for_selector(f'main[data-state=ready]:not([data-crop-id="{crop}"])')
    press(other, "2")
    all_saved(other, 1)
    all_saved(room, 1)
    assert len({one for one, _ in standing(study)}) == 2


@pytest.mark.parametrize(("width", "least"), [(1440, 24), (390, 44)])
def test_every_control_is_large_enough_for_a_pointer_and_on_a_phone_for_a_finger(
    width: int, least: int, room: Page
) -> None:
    room.set_viewport_size({"width": width, "height": 844})
    press(room, "0")
    room.wait_for_selector("#reasons:not([hidden])")
    for tab in ("crop", "context", "channels"):
        if width == 390:
            room.click(f".room-tabs [data-tab={tab}]")
        assert room.evaluate(TOO_SMALL, least) == []
        assert room.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert serious(room) == []
