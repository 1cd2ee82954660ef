"""A lead sets a study up in a browser: makes it, shapes its classes and guidelines, and lets a new person in."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import Browser, Page

from imaging.models import Crop
from imaging.services.access import grant_view
from labeling.models import Study
from labeling.services.classes import add_class, split_class
from labeling.services.comments import add_comment
from labeling.services.examples import add_example
from labeling.services.guidelines import change_guidelines
from labeling.services.imports.reading import Upload
from labeling.services.imports.store import take
from labeling.services.invitations import invite
from labeling.services.studies import NewClass
from tests.browser.access import serious
from tests.browser.conftest import until
from tests.factories import answer


def _lead() -> Any:
    return get_user_model().objects.get(username="reader")


@pytest.fixture
def furnished(study: Study) -> Study:
    """The study with a split class, near colours, a long name, examples, three guideline versions, invitations."""
    lead = _lead()
    split_class(study.classes.get(key="other"), lead, [NewClass("debris", "debris"), NewClass("dead", "dead cell")])
    add_class(study, lead, "long-name", "late telophase, “with” commas, <script> and an emoji 🔬 " * 3, "#e59e05")
    Study.objects.filter(pk=study.pk).update(overlap_share=0.0)
    study.refresh_from_db()
    for crop in Crop.objects.order_by("id")[:3]:
        answer(study, lead, crop, "round")
        add_example(study.classes.get(key="round"), lead, crop.pk, "typical")
    change_guidelines(study, lead, "Look at the marked object.\nRound: ratio below 1.2.", "first text")
    change_guidelines(
        study, lead, "Look at the marked object.\nRound: ratio below 1.3.\n<b>Debris</b> is none.", "1.3"
    )
    invite(study, lead, "annotator", "Dr Example")
    add_comment(study, lead, Crop.objects.order_by("id")[0], "Two nuclei, or one that is folded? " * 20)
    table = f"crop,class\n{Crop.objects.order_by('id')[5].key},round\nnowhere,round"
    take(study, Upload("labels of a quite long name that nobody shortened.csv", table.encode()), lead)
    return study


def _addresses(study: Study) -> list[str]:
    base = f"/studies/{study.pk}"
    return [
        "/studies/new/?preset=readers",
        f"{base}/settings/",
        f"{base}/settings/classes/",
        f"{base}/settings/classes/{study.classes.get(key='round').pk}/",
        f"{base}/settings/classes/{study.classes.get(key='other').pk}/",
        f"{base}/settings/members/",
        f"{base}/settings/members/{study.memberships.get().pk}/remove/",
        f"{base}/settings/archive/",
        f"{base}/import/",
        f"{base}/import/{study.label_imports.get().pk}/take-back/",
        f"{base}/comments/",
        "/accounts/password/",
        "/?archived=1",
        f"{base}/guidelines/?version=3",
        f"{base}/",
        f"/join/{invite(study, _lead(), 'annotator')[1]}/",
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_of_a_study_are_accessible_fit_a_phone_and_break_no_policy(
    theme: str, page: Page, live_server: Any, furnished: Study, log_in: Callable[[], None], troubles: list[str]
) -> None:
    log_in()
    page.add_init_script(f"localStorage.setItem('parfocal.theme', '{theme}')")
    for address in _addresses(furnished):
        page.goto(live_server.url + address)
        for details in page.query_selector_all("main details"):
            details.evaluate("one => { one.open = true; }")
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(overflow) <= 0, (address, width)
            assert serious(page) == [], (address, width)
    assert troubles == []


def test_a_preset_fills_the_form_keeps_what_was_typed_and_the_study_is_made(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None], troubles: list[str]
) -> None:
    log_in()
    grant_view(study.experiments.get(), _lead())
    page.goto(f"{live_server.url}/studies/new/")
    page.fill("#id_name", "second")
    page.fill("#id_question", "Which phase?")
    page.check("text=plate 1")
    page.click("text=Reader study")
    assert page.input_value("#id_name") == "second" and page.input_value("#id_reads_per_crop") == "3"
    assert "settings changed below" in page.inner_text("#preset-said")
    for place, name in enumerate(("early", "late")):
        page.fill(f"#id_class-{place}-name", name)
    page.click("text=Make the study")
    page.wait_for_url("**/settings/members/")
    made = Study.objects.get(name="second")
    assert (made.reads_per_crop, made.strategy, made.is_blind, made.locks_view) == (3, "random", True, True)
    assert made.reread_share == pytest.approx(0.1) and troubles == []


def test_more_rows_come_without_a_new_page_and_errors_take_the_focus(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None], troubles: list[str]
) -> None:
    log_in()
    page.goto(f"{live_server.url}/studies/new/")
    page.fill("#id_name", "many classes")
    for place in range(6):
        page.fill(f"#id_class-{place}-name", f"class {place}")
    page.evaluate("window.isSamePage = true")
    page.click("#more-rows")
    page.wait_for_selector("#id_class-11-name")
    assert page.evaluate("window.isSamePage") and page.input_value("#id_name") == "many classes"
    assert page.input_value("#id_class-5-name") == "class 5"
    until(page, "document.activeElement.id === 'id_class-6-name'")
    page.keyboard.type("class 6")
    page.click("text=Make the study")
    page.wait_for_selector(".notice.error")
    assert page.evaluate("document.activeElement.id") == "id_question"
    assert page.input_value("#id_class-6-name") == "class 6"
    assert serious(page) == []
    # A page that was refused is an error to the console.
    assert [text for text in troubles if "400" not in text] == []


def test_suggestions_in_a_blind_study_are_refused_where_they_are_chosen(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None]
) -> None:
    log_in()
    page.goto(f"{live_server.url}/studies/{study.pk}/settings/")
    page.check("#id_is_blind")
    page.check("#id_shows_suggestions")
    page.click("text=Save settings")
    assert "A blind study shows no suggestions" in page.inner_text(".field:has(#id_shows_suggestions)")
    study.refresh_from_db()
    assert not study.shows_suggestions


def test_a_lead_moves_describes_and_splits_a_class_and_takes_the_split_back(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None], troubles: list[str]
) -> None:
    log_in()
    page.goto(f"{live_server.url}/studies/{study.pk}/settings/classes/")
    page.click("[aria-label='Move other up']")
    assert page.locator("tbody a").all_inner_texts() == ["round", "other", "long"]
    page.click("tbody a:has-text('other')")
    page.fill("#description", "neither\nnor")
    page.click("text=Save")
    assert page.input_value("#description") == "neither\nnor"
    page.click("summary:has-text('Split this class')")
    for place, name in enumerate(("debris", "dead cell")):
        page.fill(f"#id_part-{place}-name", name)
    page.click("button:has-text('Split')")
    page.wait_for_url("**/settings/classes/")
    assert page.locator("tbody a").all_inner_texts()[:4] == ["round", "debris", "dead cell", "long"]
    page.click("a:has-text('other')")
    page.click("text=Undo the split")
    page.wait_for_selector("text=Place 2 of 3")
    assert study.classes.filter(retired_at__isnull=True).count() == 3 and troubles == []


def test_a_new_person_is_invited_makes_an_account_and_reads(
    page: Page, live_server: Any, study: Study, log_in: Callable[[], None], browser: Browser, troubles: list[str]
) -> None:
    log_in()
    page.goto(f"{live_server.url}/studies/{study.pk}/settings/members/")
    page.fill("#id_invitation_note", "Dr Example")
    page.click("text=Make a link")
    link = page.input_value("#fresh-link")
    page.click("[data-copy]")
    until(page, "document.getElementById('copied').textContent !== ''")
    other = browser.new_context()
    visitor = other.new_page()
    visitor.goto(link)
    visitor.fill("#id_username", "erin")
    visitor.fill("#id_password1", "correct horse battery")
    visitor.fill("#id_password2", "correct horse battery")
    visitor.click("text=Make the account and join")
    visitor.wait_for_url(f"**/studies/{study.pk}/")
    assert "you take part" in visitor.inner_text("main")
    visitor.goto(f"{live_server.url}/studies/{study.pk}/read/")
    visitor.wait_for_selector("main[data-state=ready]")
    visitor.goto(link)
    assert f"/studies/{study.pk}/" in visitor.url
    other.close()
    page.goto(f"{live_server.url}/studies/{study.pk}/settings/members/")
    assert "used by erin" in page.inner_text("main") and link not in page.content()
    assert study.memberships.get(user__username="erin").role == "annotator" and troubles == []
