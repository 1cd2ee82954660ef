"""Where the keys go after a press: a button that was clicked is not pressed again by Space and Enter."""

from typing import Any

import pytest
from playwright.sync_api import Page

from imaging.models import Crop
from labeling.models import Annotation, Study, Suggestion
from labeling.services.queue import NewEntry, RankingInfo, replace_queue

READY = "main[data-state=ready]"
MODEL = "0f3a" * 16


def saved(room: Page, count: int) -> None:
    room.wait_for_selector(f'{READY}[data-saved="{count}"][data-waiting="0"]')


def classes_given() -> list[str]:
    return [row.labels.get().label_class.key for row in Annotation.objects.order_by("id")]


def focused(room: Page) -> str:
    return str(room.evaluate("document.activeElement.id"))


def suggest_long(study: Study) -> None:
    """Let a model suggest "long" for every crop."""
    Study.objects.filter(pk=study.pk).update(shows_suggestions=True)
    crops = list(Crop.objects.order_by("pk").values_list("pk", flat=True))
    rows = [NewEntry(pk, 1 / (place + 1), "uncertain", None) for place, pk in enumerate(crops)]
    replace_queue(study, rows, RankingInfo(MODEL, "margin", "", len(crops), 0))
    long = study.classes.get(key="long")
    Suggestion.objects.bulk_create(
        Suggestion(study=study, crop_id=pk, label_class=long, probability=0.62, model=MODEL) for pk in crops
    )
    study.leases.all().delete()


def test_space_after_a_click_on_a_class_does_what_is_printed_for_space(room: Page, study: Study) -> None:
    room.click("[data-class=round]")
    saved(room, 1)
    room.keyboard.press("Space")
    room.wait_for_selector("#crop-overlay.unmarked", state="attached")
    room.keyboard.press("2")
    saved(room, 2)
    assert classes_given() == ["round", "long"]


def test_enter_after_a_click_on_a_class_takes_the_suggestion(room: Page, study: Study) -> None:
    suggest_long(study)
    room.reload()
    room.wait_for_selector(READY)
    room.click("[data-class=round]")
    saved(room, 1)
    room.keyboard.press("Enter")
    saved(room, 2)
    assert classes_given() == ["round", "long"]


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_a_class_that_was_reached_by_keyboard_is_answered_once_however_long_the_key_is_held(
    key: str, room: Page, study: Study
) -> None:
    room.focus("#open-keys")
    while room.evaluate("document.activeElement.dataset.class") != "long":
        room.keyboard.press("Tab")
    for _ in range(5):
        room.keyboard.down(key)
    room.keyboard.up(key)
    saved(room, 1)
    room.keyboard.press("1")
    saved(room, 2)
    assert classes_given() == ["long", "round"]


def test_space_after_a_click_on_undo_takes_nothing_more_back(room: Page, study: Study) -> None:
    for count in (1, 2):
        room.keyboard.press("1")
        saved(room, count)
    room.click("#undo")
    room.wait_for_selector(f'{READY}[data-waiting="0"]')
    room.keyboard.press("Space")
    room.wait_for_selector("#crop-overlay.unmarked", state="attached")
    room.keyboard.press("3")
    saved(room, 3)
    standing = Annotation.objects.current().order_by("id")
    assert [row.labels.get().label_class.key for row in standing] == ["round", "other"]


@pytest.mark.parametrize("button", ["[data-class=round]", "#undo", "#zoom-in", "#invert", "#open-note", ".name"])
def test_a_click_leaves_the_focus_where_keys_answer(button: str, room: Page) -> None:
    room.click(button)
    assert focused(room) == ("note" if button == "#open-note" else "main")


def test_a_sheet_that_a_click_opened_gives_the_focus_back_to_the_crop(room: Page) -> None:
    room.click("#open-keys")
    room.keyboard.press("Escape")
    room.wait_for_selector("dialog[open]", state="detached")
    assert focused(room) == "main"


def test_a_slider_that_was_dragged_keeps_the_arrows_and_leaves_space_to_the_crop(room: Page, troubles: Any) -> None:
    slider = room.locator("#channels [data-end=high]").first
    slider.click()
    before = float(slider.input_value())
    room.keyboard.press("ArrowLeft")
    assert float(slider.input_value()) < before
    room.keyboard.press("Space")
    room.wait_for_selector("#crop-overlay.unmarked", state="attached")
    assert troubles == []
