"""The page of one's own answers in a real browser: filter, change by key, take back, comment, two tabs."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import Page, expect

from imaging.models import Crop
from labeling.models import Annotation, Comment, Study
from tests.browser.access import serious
from tests.factories import answer

CLASSES = ("round", "long", "other")


@pytest.fixture
def answered(study: Study) -> list[Crop]:
    """Twelve crops that the reader has answered, class after class, one of them not sure."""
    reader = get_user_model().objects.get(username="reader")
    crops = list(Crop.objects.order_by("id")[:12])
    for place, crop in enumerate(crops):
        answer(study, reader, crop, "" if place == 5 else CLASSES[place % 3])
    return crops


@pytest.fixture
def mine(
    page: Page, live_server: Any, study: Study, answered: list[Crop], log_in: Callable[[], None], troubles: list[str]
) -> Page:
    """The page with its first picture drawn."""
    log_in()
    page.goto(live_server.url + reverse("labeling:mine", args=[study.pk]))
    page.wait_for_selector(".mine-tile canvas[data-state=drawn]")
    return page


def standing(crop: Crop) -> str:
    row = Annotation.objects.current().get(crop=crop)
    label = row.labels.first()
    return label.label_class.key if label else row.answer


def test_filters_change_the_list_and_stay_in_the_address(
    mine: Page, answered: list[Crop], troubles: list[str]
) -> None:
    expect(mine.locator(".mine-tile")).to_have_count(12)
    mine.click(".chip:has-text('long')")
    expect(mine.locator(".mine-tile")).to_have_count(4)
    mine.wait_for_selector(".mine-tile canvas[data-state=drawn]")
    assert "class=long" in mine.url
    mine.reload()
    expect(mine.locator(".mine-tile")).to_have_count(4)
    assert mine.get_attribute(".chip:has-text('long')", "aria-current") == "true"
    mine.click(".chip:has-text('not sure')")
    expect(mine.locator(".mine-tile")).to_have_count(1)
    mine.go_back()
    expect(mine.locator(".mine-tile")).to_have_count(4)
    assert troubles == []


def test_a_key_changes_an_answer_in_place_and_z_takes_it_back(
    mine: Page, answered: list[Crop], troubles: list[str]
) -> None:
    last, before = answered[-1], answered[-2]
    mine.focus(f"#tile-{last.pk}")
    mine.keyboard.press("2")
    expect(mine.locator(f"#tile-{last.pk} .mine-said")).to_have_text("long")
    expect(mine.locator("#mine-status")).to_have_text("Saved: long.")
    assert standing(last) == "long"
    assert Annotation.objects.filter(crop=last).count() == 2
    # The place is kept, and the picture is drawn again.
    assert mine.evaluate("document.activeElement.id") == f"tile-{last.pk}"
    mine.wait_for_selector(f"#tile-{last.pk} canvas[data-state=drawn]")
    mine.keyboard.press("ArrowRight")
    assert mine.evaluate("document.activeElement.id") == f"tile-{before.pk}"
    mine.keyboard.press("0")
    expect(mine.locator(f"#tile-{before.pk} .mine-said")).to_have_text("not sure")
    mine.keyboard.press("z")
    expect(mine.locator(f"#tile-{before.pk} .mine-said")).to_have_text("withdrawn")
    assert not Annotation.objects.current().filter(crop=before).exists()
    mine.click(f"#tile-{before.pk} summary:has-text('changed')")
    expect(mine.locator(f"#tile-{before.pk} .mine-before li")).to_have_count(2)
    assert troubles == []


def test_the_mouse_changes_an_answer_and_keeps_a_comment(
    mine: Page, answered: list[Crop], troubles: list[str]
) -> None:
    tile = f"#tile-{answered[0].pk}"
    mine.click(f"{tile} summary:has-text('Change')")
    mine.select_option(f"{tile} select", label="wrong object")
    mine.click(f"{tile} button:has-text('Save')")
    expect(mine.locator(f"{tile} .mine-said")).to_have_text("wrong object")
    assert standing(answered[0]) == "wrong_object"
    mine.click(f"{tile} summary:has-text('Comment')")
    mine.fill(f"{tile} textarea", "two nuclei <b>here</b>, 2 z")
    mine.click(f"{tile} button:has-text('Keep')")
    expect(mine.locator(f"{tile} summary:has-text('1 comment')")).to_be_visible()
    assert Comment.objects.get().text == "two nuclei <b>here</b>, 2 z"
    # Letters and digits that were typed were words, not answers.
    assert Annotation.objects.filter(crop=answered[0]).count() == 2
    assert troubles == []


def test_a_page_that_was_open_for_long_shows_both_answers(mine: Page, answered: list[Crop], study: Study) -> None:
    tile = f"#tile-{answered[-1].pk}"
    answer(study, get_user_model().objects.get(username="reader"), answered[-1], "round")
    mine.focus(tile)
    mine.keyboard.press("2")
    expect(mine.locator(f"{tile} .mine-choice")).to_contain_text("It stands as round; you chose long.")
    assert standing(answered[-1]) == "round"
    mine.click(f"{tile} button:has-text('Take “long”')")
    expect(mine.locator(f"{tile} .mine-said")).to_have_text("long")
    assert standing(answered[-1]) == "long"


def test_without_the_server_nothing_is_lost_and_the_page_says_so(mine: Page, answered: list[Crop]) -> None:
    tile = f"#tile-{answered[-1].pk}"
    mine.context.set_offline(True)
    mine.focus(tile)
    mine.keyboard.press("2")
    expect(mine.locator("#mine-status")).to_contain_text("Not saved")
    expect(mine.locator(f"{tile} .mine-said")).to_have_text("other")
    mine.context.set_offline(False)
    mine.keyboard.press("2")
    expect(mine.locator(f"{tile} .mine-said")).to_have_text("long")
    assert Annotation.objects.filter(crop=answered[-1]).count() == 2


def test_after_a_log_out_the_tile_stays_and_the_same_key_changes_it_once_logged_in_again(
    mine: Page, answered: list[Crop], live_server: Any
) -> None:
    tile = f"#tile-{answered[-1].pk}"
    Session.objects.all().delete()
    mine.focus(tile)
    mine.keyboard.press("2")
    expect(mine.locator("#logged-out")).to_contain_text("your answer was not changed yet")
    expect(mine.locator(f"{tile} .mine-said")).to_have_text("other")
    assert standing(answered[-1]) == "other"
    assert serious(mine) == []
    with mine.context.expect_page() as opened:
        mine.click("#logged-out a")
    tab = opened.value
    tab.fill("#id_username", "reader")
    tab.fill("#id_password", "let me read")
    tab.click("main button[type=submit]")
    tab.wait_for_url(f"{live_server.url}/")
    mine.focus(tile)
    mine.keyboard.press("2")
    expect(mine.locator(f"{tile} .mine-said")).to_have_text("long")
    expect(mine.locator("#logged-out")).to_be_hidden()
    assert standing(answered[-1]) == "long"


def test_a_filter_that_is_pressed_after_a_log_out_puts_no_form_into_the_list(mine: Page) -> None:
    Session.objects.all().delete()
    mine.click(".chip:has-text('long')")
    expect(mine.locator("#logged-out")).to_contain_text("You are logged out")
    expect(mine.locator(".mine-tile")).to_have_count(12)
    assert mine.locator("#id_username").count() == 0
