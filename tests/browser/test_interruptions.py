"""The reading room when something comes between: a lost line, a pause, a refusal, another tab, another person."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models.signals import post_delete
from django.utils import timezone
from playwright.sync_api import APIResponse, BrowserContext, Page, Route

from labeling.models import Annotation, Comment, GuidelineVersion, Lease, SkippedCrop, Study
from labeling.services.access import join
from labeling.services.settings import remove_member
from tests.browser.access import serious
from tests.browser.conftest import come_as
from tests.factories import add_reader, answer

READY = "main[data-state=ready]"
# Resolves with the waiting items of the outbox once the browser's database holds any.
IN_DATABASE = """
() => new Promise((found, failed) => {
  const look = () => {
    const opening = indexedDB.open("parfocal", 1);
    opening.onerror = () => failed(opening.error);
    opening.onsuccess = () => {
      const asking = opening.result.transaction("items").objectStore("items").getAll();
      asking.onsuccess = () => (asking.result.length ? found(asking.result) : requestAnimationFrame(look));
    };
  };
  look();
})
"""


def crop_of(room: Page) -> int:
    return int(room.get_attribute("main", "data-crop-id") or 0)


def press(room: Page, *keys: str) -> int:
    """Press keys once the crop is on screen; returns that crop's number."""
    room.wait_for_selector(READY)
    seen = crop_of(room)
    for key in keys:
        room.keyboard.press(key)
    return seen


def nothing_waits(room: Page) -> None:
    room.wait_for_selector("main[data-waiting='0']")


def standing() -> list[tuple[int, str]]:
    return list(Annotation.objects.current().order_by("id").values_list("crop_id", "answer"))


def hold_back(room: Page, address: str) -> list[tuple[Route, APIResponse]]:
    """Lets requests reach the server and keeps their replies; `give` lets those go."""
    held: list[tuple[Route, APIResponse]] = []
    room.route(address, lambda route: held.append((route, route.fetch())))
    return held


def give(room: Page, held: list[tuple[Route, APIResponse]]) -> None:
    """Lets the replies go, the first of which may still be on its way from the server."""
    for _ in range(3000):
        if held:
            break
        room.wait_for_timeout(10)
    assert held
    while held:
        route, reply = held.pop(0)
        route.fulfill(response=reply)


def held_crops() -> set[int]:
    running = Lease.objects.filter(expires_at__gt=timezone.now(), user__username="reader")
    return set(running.values_list("crop_id", flat=True))


@pytest.fixture
def given_back() -> Iterator[Event]:
    """Set once leases are gone: the browser tells nobody of a request that outlives its page."""
    event = Event()

    def on_delete(**told: Any) -> None:
        transaction.on_commit(event.set)

    post_delete.connect(on_delete, sender=Lease)
    yield event
    post_delete.disconnect(on_delete, sender=Lease)


def test_an_answer_with_a_reason_that_is_taken_back_without_a_line_stands_nowhere(
    room: Page, context: BrowserContext, study: Study
) -> None:
    room.wait_for_load_state("networkidle")
    context.set_offline(True)
    crop = press(room, "0")
    room.wait_for_selector("#save-state:has-text('1 waiting, offline')")
    press(room, "Shift+0", "2", "z")
    room.wait_for_selector(f'{READY}[data-crop-id="{crop}"]')
    context.set_offline(False)
    nothing_waits(room)
    assert standing() == []
    press(room, "1")
    nothing_waits(room)
    assert standing() == [(crop, "label")]
    assert room.is_hidden("#conflict-dialog")


def test_the_browsers_database_holds_what_waits(room: Page, context: BrowserContext, study: Study) -> None:
    room.wait_for_load_state("networkidle")
    context.set_offline(True)
    crop = press(room, "1")
    kept = room.evaluate(IN_DATABASE)
    assert [(item["kind"], item["body"]["crop"]) for item in kept] == [("answer", crop)]
    context.set_offline(False)
    nothing_waits(room)
    assert standing() == [(crop, "label")]


def test_a_reply_from_before_a_pause_does_not_end_it(room: Page, study: Study) -> None:
    held = hold_back(room, "**/answers/**")
    with room.expect_request("**/answers/**"):
        press(room, "1")
    room.wait_for_selector(READY)
    with room.expect_response("**/pause/"):
        room.keyboard.press("p")
    give(room, held)
    nothing_waits(room)
    assert room.get_attribute("main", "data-state") == "paused"
    assert room.get_attribute("#pause", "aria-pressed") == "true"
    assert held_crops() == set()


def test_a_pause_while_answers_wait_is_told_when_the_line_is_back(
    room: Page, context: BrowserContext, study: Study
) -> None:
    room.wait_for_load_state("networkidle")
    context.set_offline(True)
    press(room, "1")
    room.wait_for_selector("#save-state:has-text('1 waiting, offline')")
    press(room, "p")
    room.wait_for_selector("main[data-state=paused]")
    with room.expect_response(lambda reply: reply.url.endswith("/pause/") and reply.ok):
        context.set_offline(False)
    nothing_waits(room)
    assert room.get_attribute("main", "data-state") == "paused"
    assert held_crops() == set()
    room.keyboard.press("p")
    press(room, "2")
    room.wait_for_selector('main[data-saved="2"][data-waiting="0"]')
    assert Annotation.objects.latest("id").active_ms > 0


def test_a_note_stays_with_the_crop_that_it_was_typed_for(room: Page, study: Study) -> None:
    crop = press(room, "n")
    room.keyboard.type("two cells")
    room.keyboard.press("Enter")
    press(room, "s")
    assert room.is_hidden("#note") and room.input_value("#note") == ""
    press(room, "1")
    room.wait_for_selector('main[data-saved="1"]')
    press(room, "z", "z")
    room.wait_for_selector(f'{READY}[data-crop-id="{crop}"]')
    assert room.input_value("#note") == "two cells"
    press(room, "2", "z")
    assert room.input_value("#note") == "two cells"
    press(room, "2")
    nothing_waits(room)
    assert list(Annotation.objects.current().values_list("crop_id", "reason")) == [(crop, "two cells")]


def test_letters_that_are_typed_while_another_tab_takes_the_crop_answer_nothing(
    room: Page, context: BrowserContext, live_server: Any, study: Study
) -> None:
    crop = press(room, "n")
    room.keyboard.type("two")
    other = context.new_page()
    other.goto(f"{live_server.url}/studies/{study.pk}/read/")
    assert press(other, "1") == crop
    room.wait_for_selector(f'{READY}:not([data-crop-id="{crop}"])')
    room.keyboard.type(" 12x")
    assert room.input_value("#note") == ""
    nothing_waits(other)
    assert standing() == [(crop, "label")]


def refuse_next(room: Page, reason: str) -> None:
    """The server takes the next answer for wrong."""
    body = json.dumps(
        {"type": "validation_error", "errors": [{"code": "invalid", "detail": reason, "attr": "answer"}]}
    )
    room.route("**/answers/**", lambda route: route.fulfill(status=400, body=body), times=1)


@pytest.mark.parametrize(("key", "name"), [("0", "not sure"), ("x", "bad crop"), ("w", "wrong object")])
def test_a_refusal_stays_on_the_page_and_its_crop_comes_again(
    key: str, name: str, room: Page, context: BrowserContext, study: Study
) -> None:
    refuse_next(room, "The study is closed for tonight.")
    crop = press(room, key)
    notice = room.wait_for_selector("#notices .notice")
    text = notice.inner_text()
    assert name in text and "closed for tonight" in text and "comes again" in text
    context.set_offline(True)
    press(room, "1")
    room.wait_for_selector("#save-state:has-text('offline')")
    assert notice.is_visible()
    assert serious(room) == []
    room.click("#notices button:has-text('Show it again')")
    room.wait_for_selector(f'{READY}[data-crop-id="{crop}"]')
    assert room.query_selector("#notices .notice") is None
    context.set_offline(False)
    press(room, "2")
    nothing_waits(room)
    assert (crop, "label") in standing()


def test_two_answers_are_shown_with_crop_and_date_also_after_a_reload(room: Page, study: Study) -> None:
    crop = crop_of(room)
    answer(study, get_user_model().objects.get(username="reader"), crop, "long")
    Annotation.objects.update(answered_at=timezone.now() - timedelta(days=400))
    press(room, "1", "2")
    room.wait_for_selector("#conflict-dialog[open]")
    assert room.evaluate("document.activeElement.id") == "conflict-title"
    assert room.is_disabled("#conflict-mine") and room.is_disabled("#conflict-standing")
    room.on("dialog", lambda dialog: dialog.accept())
    room.reload()
    room.wait_for_selector("#conflict-dialog[open] #conflict-canvas[data-painter]:not([hidden])")
    year = (timezone.now() - timedelta(days=400)).year
    assert str(year) in room.inner_text("#conflict-standing-time")
    room.click("#conflict-mine")
    nothing_waits(room)
    assert Annotation.objects.current().get(crop=crop).labels.get().label_class.key == "round"


def test_closing_one_tab_leaves_its_crops_to_the_other_and_the_last_gives_them_back(
    room: Page, context: BrowserContext, live_server: Any, study: Study, given_back: Event
) -> None:
    other = context.new_page()
    other.goto(f"{live_server.url}/studies/{study.pk}/read/")
    other.wait_for_selector(READY)
    other.goto(f"{live_server.url}/studies/{study.pk}/")
    other.wait_for_load_state("networkidle")
    assert not given_back.is_set() and crop_of(room) in held_crops()
    room.goto(f"{live_server.url}/studies/{study.pk}/")
    assert given_back.wait(10)
    assert held_crops() == set()


def test_after_the_back_button_the_crop_on_screen_is_the_readers_again(
    room: Page, study: Study, given_back: Event
) -> None:
    room.click(".room-back")
    assert given_back.wait(10)
    with room.expect_response("**/next/**"):
        room.go_back()
    crop = press(room)
    assert crop in held_crops()
    room.keyboard.press("1")
    room.wait_for_selector(f'{READY}:not([data-crop-id="{crop}"])')
    nothing_waits(room)
    assert standing() == [(crop, "label")]


def test_a_long_look_keeps_its_crop_and_a_forgotten_page_does_not(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None]
) -> None:
    log_in()
    page.clock.install()
    page.goto(f"{live_server.url}/studies/{study.pk}/read/")
    press(page)
    page.wait_for_load_state("networkidle")
    Lease.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    page.clock.run_for(125_000)
    assert max(Lease.objects.values_list("expires_at", flat=True)) < timezone.now() + timedelta(minutes=2)
    with page.expect_response("**/next/**"):
        page.mouse.move(200, 200)
        page.mouse.move(210, 210)
        page.clock.run_for(2000)
    assert max(Lease.objects.values_list("expires_at", flat=True)) > timezone.now() + timedelta(minutes=4)


def test_an_answer_names_the_guidelines_that_were_opened(room: Page, study: Study) -> None:
    lead = get_user_model().objects.get(username="reader")
    newest = GuidelineVersion.objects.filter(study=study).order_by("-number").values_list("number", flat=True).first()
    GuidelineVersion.objects.create(study=study, number=(newest or 0) + 1, text="Round is round.", by=lead)
    press(room, "1")
    room.wait_for_selector("#notices .notice:has-text('guidelines have changed')")
    press(room, "2")
    room.wait_for_selector('main[data-saved="2"][data-waiting="0"]')
    press(room, "g")
    room.wait_for_selector("#guideline-text:has-text('Round is round.')")
    assert room.query_selector("#notices .notice") is None
    room.keyboard.press("Escape")
    room.wait_for_selector("dialog[open]", state="detached")
    press(room, "1")
    room.wait_for_selector('main[data-saved="3"][data-waiting="0"]')
    named = [row.guideline and row.guideline.number for row in Annotation.objects.order_by("id")]
    assert named[1:] == [newest, (newest or 0) + 1]


def test_a_comment_is_kept_once_and_a_late_reply_opens_nothing(room: Page, study: Study) -> None:
    press(room, "c")
    room.wait_for_selector("#comment-none:has-text('No comments to show.')")
    held = hold_back(room, "**/comments/")
    room.keyboard.type("two nuclei")
    with room.expect_request("**/comments/"):
        room.keyboard.press("Control+Enter")
        room.keyboard.press("Control+Enter")
    room.keyboard.press("Escape")
    room.wait_for_selector("dialog[open]", state="detached")
    with room.expect_response("**/comments/"):
        give(room, held)
    press(room, "1")
    room.wait_for_selector('main[data-saved="1"]')
    assert Comment.objects.count() == 1
    assert room.query_selector("dialog[open]") is None


def test_comments_of_one_crop_never_stand_under_another(room: Page, study: Study) -> None:
    crop = crop_of(room)
    Comment.objects.create(
        study=study, crop_id=crop, author=get_user_model().objects.get(username="reader"), text="of the first"
    )
    held = hold_back(room, f"**/crops/{crop}/comments/")
    with room.expect_request("**/comments/"):
        press(room, "c")
    room.keyboard.press("Escape")
    room.wait_for_selector("dialog[open]", state="detached")
    press(room, "1")
    press(room, "c")
    room.wait_for_selector("#comment-none:has-text('No comments to show.')")
    with room.expect_response(f"**/crops/{crop}/comments/"):
        give(room, held)
    room.evaluate("() => new Promise(requestAnimationFrame)")
    assert room.inner_text("#comment-list") == ""


def test_what_one_person_put_aside_is_not_sent_under_the_name_of_the_next(
    room: Page, context: BrowserContext, live_server: Any, study: Study
) -> None:
    come_as(context, live_server, add_reader(study, "dora"))
    press(room, "s")
    room.wait_for_selector("#save-state:has-text('1 kept')")
    assert not SkippedCrop.objects.exists()


def test_a_reader_who_is_removed_is_told_so_and_what_waits_goes_out_once_they_are_back(
    room: Page, context: BrowserContext, live_server: Any, study: Study
) -> None:
    dora = add_reader(study, "dora")
    come_as(context, live_server, dora)
    room.reload()
    press(room, "1")
    room.wait_for_selector("main[data-saved='1']")
    # The answer waits here before anything else, pictures that are fetched ahead say, can tell of the removal.
    context.set_offline(True)
    press(room, "2")
    room.wait_for_selector("main[data-waiting='1']")
    remove_member(study.memberships.get(user=dora), study.memberships.get(user__username="reader").user)
    context.set_offline(False)
    room.wait_for_selector("main[data-state=stranger]")
    said = room.inner_text("#curtain-text")
    assert "no longer a member of this study" in said
    assert "1 saved answer stays" in said
    assert "kept on this computer" in said
    assert "reader, who leads it" in said
    assert "no longer a member: 1 kept" in room.inner_text("#save-state")
    # Nothing names another reason for what is not shown, and no key answers.
    assert "not there" not in room.inner_text("section[aria-label=Surroundings]")
    room.keyboard.press("3")
    assert room.get_attribute("main", "data-waiting") == "1"
    assert Annotation.objects.count() == 1
    join(study, dora, "annotator")
    room.wait_for_selector("main[data-saved='2']", timeout=45_000)
    room.wait_for_selector(READY)
    assert Annotation.objects.current().count() == 2


def test_a_message_about_the_crop_ends_with_the_next_answer(room: Page) -> None:
    press(room, ".")
    room.wait_for_selector("#save-state:has-text('next unanswered crop')")
    press(room, "1")
    room.wait_for_selector("#save-state:has-text('saved')", timeout=2000)
