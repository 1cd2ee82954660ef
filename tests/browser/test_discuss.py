"""Disputed crops in a real browser: choose a cell, decide by key, undo, comment, two leads, and a session."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from imaging.models import Crop
from labeling.models import Annotation, Comment, DisagreementSession, Study
from labeling.services.answers import Submission
from labeling.services.decisions import decide
from tests.browser.access import serious
from tests.factories import add_reader, answer


@pytest.fixture
def disputed(study: Study) -> list[Crop]:
    """Six crops that Ann calls round; Bob calls the first four long and the others something else."""
    ann, bob = add_reader(study, "ann"), add_reader(study, "bob")
    crops = list(Crop.objects.order_by("id")[:6])
    for place, crop in enumerate(crops):
        answer(study, ann, crop, "round")
        answer(study, bob, crop, "long" if place < 4 else "other")
    return crops


@pytest.fixture
def discuss(
    page: Page, live_server: Any, study: Study, disputed: list[Crop], log_in: Callable[[], None], troubles: list[str]
) -> Page:
    """The page with its first picture drawn."""
    log_in()
    page.goto(live_server.url + reverse("labeling:discuss", args=[study.pk]))
    page.wait_for_selector(".dispute canvas[data-state=drawn]")
    return page


def test_a_cell_is_chosen_a_crop_decided_by_key_and_the_decision_taken_back(
    discuss: Page, disputed: list[Crop], troubles: list[str]
) -> None:
    expect(discuss.locator(".dispute")).to_have_count(4)
    discuss.get_by_role("link", name="2 crops: other against round, 2 pairs of readers").press("Enter")
    expect(discuss.locator(".dispute")).to_have_count(2)
    discuss.wait_for_selector(".dispute canvas[data-state=drawn]")
    first, second = disputed[4:6]
    discuss.focus(f"#crop-{first.pk}")
    discuss.keyboard.press("ArrowRight")
    assert discuss.evaluate("document.activeElement.id") == f"crop-{second.pk}"
    discuss.keyboard.press("ArrowLeft")
    discuss.keyboard.press("3")
    expect(discuss.locator(f"#crop-{first.pk} .dispute-said")).to_have_text("other")
    expect(discuss.locator("#dispute-status")).to_have_text("Decided.")
    assert Annotation.objects.decisions().get().labels.get().label_class.key == "other"
    # The place is kept, and the picture is drawn again.
    assert discuss.evaluate("document.activeElement.id") == f"crop-{first.pk}"
    discuss.wait_for_selector(f"#crop-{first.pk} canvas[data-state=drawn]")
    discuss.keyboard.press("z")
    expect(discuss.locator(f"#crop-{first.pk}")).to_contain_text("Not decided")
    assert not Annotation.objects.decisions().exists()
    discuss.keyboard.press("0")
    expect(discuss.locator(f"#crop-{first.pk} .dispute-said")).to_have_text("not decidable")
    assert serious(discuss) == [] and troubles == []


def test_c_comments_and_typing_decides_nothing(discuss: Page, disputed: list[Crop], troubles: list[str]) -> None:
    tile = f"#crop-{disputed[0].pk}"
    discuss.focus(tile)
    discuss.keyboard.press("c")
    discuss.keyboard.type("1 rim <b>open</b>, z 2")
    discuss.click(f"{tile} button:has-text('Keep')")
    expect(discuss.locator(f"{tile} .dispute-comments")).to_contain_text("1 rim <b>open</b>, z 2")
    assert Comment.objects.get().text == "1 rim <b>open</b>, z 2"
    assert not Annotation.objects.decisions().exists() and troubles == []


def test_a_comment_that_is_not_kept_yet_outlives_a_decision(discuss: Page, disputed: list[Crop]) -> None:
    tile = f"#crop-{disputed[0].pk}"
    discuss.focus(tile)
    discuss.keyboard.press("c")
    discuss.keyboard.type("is the rim open?")
    discuss.focus(tile)
    discuss.keyboard.press("1")
    expect(discuss.locator(f"{tile} .dispute-said")).to_have_text("round")
    expect(discuss.locator(f"{tile} textarea")).to_have_value("is the rim open?")
    discuss.click(f"{tile} button:has-text('Keep')")
    expect(discuss.locator(f"{tile} .dispute-comments")).to_contain_text("is the rim open?")
    expect(discuss.locator(f"{tile} textarea")).to_have_value("")


def test_what_is_typed_in_a_session_outlives_a_change_of_page_and_notes_are_closed_with_it(
    discuss: Page, disputed: list[Crop]
) -> None:
    discuss.click("text=Start a session on these two")
    discuss.fill("#words", "open rims are long")
    discuss.fill("#notes", "all agreed")
    discuss.click("text=One after another")
    expect(discuss.locator("#words")).to_have_value("open rims are long")
    discuss.click("text=Next")
    expect(discuss.locator("#notes")).to_have_value("all agreed")
    discuss.click("text=Close without a change")
    expect(discuss.locator("main")).to_contain_text("all agreed")
    session = DisagreementSession.objects.get()
    assert (session.notes, session.outcome) == ("all agreed", "open rims are long")


def test_two_leads_see_each_others_decisions_before_they_overrule_them(
    discuss: Page, disputed: list[Crop], study: Study
) -> None:
    eve, crop = add_reader(study, "eve", "lead"), disputed[0]
    decide(study, eve, Submission(uuid4(), crop.pk, "label", timezone.now(), ("long",)))
    discuss.focus(f"#crop-{crop.pk}")
    discuss.keyboard.press("1")
    expect(discuss.locator(f"#crop-{crop.pk} [role=alert]")).to_contain_text("Another decision was made meanwhile")
    expect(discuss.locator(f"#crop-{crop.pk} .dispute-said")).to_have_text("long")
    discuss.keyboard.press("1")
    expect(discuss.locator(f"#crop-{crop.pk} .dispute-said")).to_have_text("round")


def test_without_the_server_nothing_is_lost_and_the_page_says_so(discuss: Page, disputed: list[Crop]) -> None:
    tile = f"#crop-{disputed[0].pk}"
    discuss.context.set_offline(True)
    discuss.focus(tile)
    discuss.keyboard.press("1")
    expect(discuss.locator("#dispute-status")).to_contain_text("Not saved")
    discuss.context.set_offline(False)
    discuss.keyboard.press("1")
    expect(discuss.locator(f"{tile} .dispute-said")).to_have_text("round")


def test_a_session_is_held_and_closed_with_a_new_rule(
    discuss: Page, disputed: list[Crop], study: Study, troubles: list[str]
) -> None:
    discuss.click("text=Start a session on these two")
    expect(discuss.locator(".dispute")).to_have_count(4)
    expect(discuss.locator("#session-clock")).to_have_text("0 minutes")
    discuss.click("text=One after another")
    expect(discuss.locator(".dispute")).to_have_count(1)
    discuss.click("text=Next")
    discuss.wait_for_selector(".dispute canvas[data-state=drawn]")
    assert serious(discuss) == []
    discuss.fill("#words", "open rims are long")
    discuss.fill("#text", "Open rims are long.")
    discuss.click("text=Close with these guidelines")
    expect(discuss.locator("main")).to_contain_text("came of it")
    assert DisagreementSession.objects.get().guideline.text == "Open rims are long."
    assert troubles == []


def test_an_arrow_chooses_the_first_crop_and_a_key_takes_the_reason_along(
    discuss: Page, disputed: list[Crop], troubles: list[str]
) -> None:
    discuss.keyboard.press("ArrowDown")
    assert discuss.evaluate("document.activeElement.id") == f"crop-{disputed[0].pk}"
    discuss.keyboard.press("n")
    discuss.keyboard.type("3 lobes")
    discuss.keyboard.press("Enter")
    assert not Annotation.objects.decisions().exists()
    discuss.keyboard.press("0")
    expect(discuss.locator(f"#crop-{disputed[0].pk} .dispute-said")).to_have_text("not decidable")
    assert Annotation.objects.decisions().get().reason == "3 lobes"
    assert troubles == []
