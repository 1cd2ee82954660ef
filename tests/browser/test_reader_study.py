"""A study of readers from the draft to the report, in a real browser: two readers, four cases each."""

from typing import Any

from django.contrib.auth import get_user_model
from playwright.sync_api import Page

from labeling.models import Annotation, Study
from tests.browser.access import serious
from tests.browser.conftest import come_as
from tests.factories import add_reader

READY = "main[data-state=ready]"


def read_cases(page: Page, address: str, key: str, count: int = 4) -> list[str]:
    """Answers every case with this key; returns the crops in the order in which they came."""
    page.goto(address)
    seen = []
    for _ in range(count):
        page.wait_for_selector(f"{READY}[data-waiting='0']")
        crop = page.get_attribute("main", "data-crop-id")
        assert crop not in seen
        seen.append(crop)
        page.keyboard.press(key)
        page.wait_for_selector(f"main[data-waiting='0']:not([data-crop-id='{crop}'])")
    page.wait_for_selector("main[data-state=end]")
    assert "Thank you" in page.inner_text("#curtain-text")
    return seen


def test_two_readers_read_four_cases_and_the_lead_sees_the_report(
    page: Page, live_server: Any, study: Study, troubles: list[str]
) -> None:
    Study.objects.filter(pk=study.pk).update(is_blind=True)
    people = [add_reader(study, name) for name in ("bob", "dora")]
    lead = get_user_model().objects.get(username="reader")
    home = f"{live_server.url}/studies/{study.pk}"

    come_as(page.context, live_server, lead)
    page.goto(f"{home}/protocol/")
    page.get_by_label("What the study is to find out").fill("How far do two readers agree?")
    page.get_by_label("Seed").fill("7")
    page.get_by_role("button", name="Save the draft").click()
    page.get_by_label("Draw at random").fill("4")
    page.get_by_role("button", name="Set the cases").click()
    page.get_by_label("I have read the draft").check()
    assert serious(page) == []
    page.get_by_role("button", name="Lock the protocol").click()
    page.wait_for_selector("h1:has-text('Protocol, locked')")

    orders = []
    for user, key in zip(people, "12"):
        come_as(page.context, live_server, user)
        orders.append(read_cases(page, f"{home}/read/", key))
    assert sorted(orders[0]) == sorted(orders[1])
    assert Annotation.objects.filter(study=study).count() == 8

    come_as(page.context, live_server, lead)
    page.goto(f"{home}/export/")
    page.wait_for_selector("text=closed until the protocol is done")
    page.goto(f"{home}/protocol/")
    page.get_by_role("button", name="Close the protocol").click()
    page.wait_for_selector("text=None: the study followed its protocol.")
    assert page.inner_text("section[aria-labelledby=pairs-title] tbody tr").split()[:3] == ["bob", "dora", "4"]
    assert serious(page) == []
    # The pages that said no are the only trouble.
    assert [text for text in troubles if "403" not in text] == []
