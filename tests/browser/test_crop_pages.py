"""The page of a crop and the crops like it, in a browser: drawn, readable by everybody, worked by keyboard."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from playwright.sync_api import Page

from imaging.models import Crop
from labeling.models import RequestedCrop, Study
from labeling.services.answers import Submission, submit
from tests.browser.access import serious
from training.worker.ranking import RankingWorker


@pytest.fixture
def known(study: Study) -> Study:
    """The study with eight answers of two classes, ranked."""
    reader = get_user_model().objects.get(username="reader")
    for place, crop in enumerate(Crop.objects.order_by("id")[:8]):
        label = "round" if place % 2 else "long"
        submit(study, reader, Submission(uuid4(), crop.pk, "label", timezone.now(), (label,)))
    assert RankingWorker().rank(study)
    return study


@pytest.fixture
def crop(known: Study) -> Crop:
    """A crop that nobody has answered."""
    return Crop.objects.order_by("id")[12]


def _show(page: Page, address: str, width: int, theme: str = "light") -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.add_init_script(f"localStorage.setItem('parfocal.theme', '{theme}')")
    page.goto(address)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("more", ["", "similar/"])
def test_the_pages_are_accessible_fit_a_phone_and_break_no_policy(
    more: str, theme: str, page: Page, live_server: Any, crop: Crop, known: Study, log_in: Callable[[], None],
    troubles: list[str],
) -> None:  # fmt: skip
    log_in()
    address = f"{live_server.url}/studies/{known.pk}/crops/{crop.pk}/{more}"
    for width in (1440, 390):
        _show(page, address, width, theme)
        page.wait_for_selector(f"canvas[data-crop='{crop.pk}'][data-state=drawn]")
        for details in page.query_selector_all("details.more"):
            details.query_selector("summary").click()  # type: ignore[union-attr]
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        assert serious(page) == []
    assert troubles == []


def test_the_crop_is_drawn_as_in_the_reading_room_with_its_scale_bar(
    page: Page, live_server: Any, crop: Crop, known: Study, log_in: Callable[[], None]
) -> None:
    log_in()
    _show(page, f"{live_server.url}/studies/{known.pk}/crops/{crop.pk}/", 1440)
    page.wait_for_selector("[data-figure=crop] canvas[data-state=drawn]")
    page.wait_for_selector("[data-figure=context] canvas[data-state=drawn]")
    assert "µm" in page.inner_text("[data-figure=crop] .scale")
    here = "[...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].join()"
    shown = page.eval_on_selector("[data-figure=crop] canvas", f"canvas => {here}")
    room = f"{live_server.url}/studies/{known.pk}/read/"
    RequestedCrop.objects.create(
        study=known, crop=crop, like=crop, user=get_user_model().objects.get(username="reader")
    )
    page.goto(room)
    page.wait_for_selector(f"main[data-state=ready][data-crop-id='{crop.pk}']")
    assert page.eval_on_selector("#crop-canvas", f"canvas => {here}") == shown


def test_crops_are_marked_by_keyboard_and_come_first_in_the_reading_room(
    page: Page, live_server: Any, crop: Crop, known: Study, log_in: Callable[[], None]
) -> None:
    log_in()
    _show(page, f"{live_server.url}/studies/{known.pk}/crops/{crop.pk}/similar/?unanswered=1", 1440)
    boxes = page.query_selector_all("input[name=crops]")
    assert page.is_disabled("text=Read these next")
    boxes[0].focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert page.inner_text("#chosen").startswith("2 of")
    wanted = [boxes[0].get_attribute("value"), boxes[2].get_attribute("value")]
    page.click("text=Read these next")
    page.wait_for_selector("main[data-state=ready]")
    assert page.get_attribute("main", "data-crop-id") == wanted[0]
    asked = RequestedCrop.objects.order_by("id").values_list("crop", flat=True)
    assert [str(number) for number in asked] == wanted


def test_a_marks_all_and_n_none(
    page: Page, live_server: Any, crop: Crop, known: Study, log_in: Callable[[], None]
) -> None:
    log_in()
    _show(page, f"{live_server.url}/studies/{known.pk}/crops/{crop.pk}/similar/", 390)
    count = len(page.query_selector_all("input[name=crops]"))
    page.keyboard.press("a")
    assert page.inner_text("#chosen") == f"{count} of {count} marked"
    page.keyboard.press("n")
    assert page.inner_text("#chosen").startswith("0 of")
    page.click("label.tile >> nth=1")
    assert page.inner_text("#chosen").startswith("1 of")
