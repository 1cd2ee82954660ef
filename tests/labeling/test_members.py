"""What members do besides reading, and what pages say that they see."""

from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEvent
from labeling.models import Annotation, Study
from labeling.services.members import has_senior, sees, set_duties
from labeling.services.queue import leased_crops, next_crops
from labeling.services.refusals import StudyRefused
from labeling.services.settings import set_member
from tests.factories import answer
from tests.labeling.conftest import Room


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_duties_are_stored_told_once_and_survive_another_role(room: Room) -> None:
    member = room.study.memberships.get(user=room.bob)
    assert not has_senior(room.study)
    changes = [set_duties(member, room.alice, is_senior=True, daily_goal=200) for _ in range(2)]
    assert changes == [True, False] and has_senior(room.study)
    detail = AuditEvent.objects.get(action="member.duties").detail
    assert (detail["is_senior"], detail["daily_goal"]) == ([False, True], [None, 200])
    set_member(room.study, room.alice, "bob", "lead")
    member.refresh_from_db()
    assert (member.role, member.is_senior, member.daily_goal) == ("lead", True, 200)


@pytest.mark.parametrize("goal", [0, -1, 100_001])
def test_a_goal_that_nobody_can_count_is_refused(room: Room, goal: int) -> None:
    with pytest.raises(StudyRefused, match="daily goal"):
        set_duties(room.study.memberships.get(user=room.bob), room.alice, is_senior=False, daily_goal=goal)


def test_the_page_sets_duties_and_says_what_is_wrong(room: Room) -> None:
    lead, member = client_of(room.alice), room.study.memberships.get(user=room.bob)
    address = f"/studies/{room.study.pk}/settings/members/{member.pk}/duties/"
    lead.post(address, {"is_senior": "on", "daily_goal": "120"})
    member.refresh_from_db()
    assert (member.is_senior, member.daily_goal) == (True, 120)
    assert "Daily goal" in lead.post(address, {"daily_goal": "many"}, follow=True).content.decode()
    lead.post(address, {"daily_goal": ""})
    member.refresh_from_db()
    assert (member.is_senior, member.daily_goal) == (False, None)


def test_one_button_saves_role_duties_and_goal_all_of_them_or_none(room: Room) -> None:
    lead, member = client_of(room.alice), room.study.memberships.get(user=room.bob)
    address = f"/studies/{room.study.pk}/settings/members/{member.pk}/duties/"
    lead.post(address, {"role": "lead", "is_senior": "on", "daily_goal": "0"})
    member.refresh_from_db()
    assert (member.role, member.is_senior, member.daily_goal) == ("annotator", False, None)
    lead.post(address, {"role": "lead", "is_senior": "on", "daily_goal": "50"})
    member.refresh_from_db()
    assert (member.role, member.is_senior, member.daily_goal) == ("lead", True, 50)
    page = lead.get(f"/studies/{room.study.pk}/settings/members/").content.decode()
    assert page.count(f'action="{address}"') == 1 and page.count(f"members/{member.pk}/") == 2


def test_the_last_lead_stays_lead_and_keeps_their_duties_when_that_is_refused(room: Room) -> None:
    lead, member = client_of(room.alice), room.study.memberships.get(user=room.alice)
    address = f"/studies/{room.study.pk}/settings/members/{member.pk}/duties/"
    told = lead.post(address, {"role": "annotator", "daily_goal": "50"}, follow=True).content.decode()
    member.refresh_from_db()
    assert "needs a lead" in told and (member.role, member.daily_goal) == ("lead", None)


def test_removing_somebody_asks_first_says_what_is_kept_and_keeps_it(room: Room) -> None:
    given = answer(room.study, room.bob, room.crops[0])
    next_crops(room.study, room.bob, 2)
    lead, member = client_of(room.alice), room.study.memberships.get(user=room.bob)
    address = f"/studies/{room.study.pk}/settings/members/{member.pk}/remove/"
    people = lead.get(f"/studies/{room.study.pk}/settings/members/").content.decode()
    assert f'href="{address}"' in people and f'action="{address}"' not in people
    asked = lead.get(address).content.decode()
    assert "(1 count now) stay with bob as their author" in asked and "go back to the queue" in asked
    assert room.study.memberships.filter(user=room.bob).exists()
    lead.post(address)
    assert not room.study.memberships.filter(user=room.bob).exists()
    assert Annotation.objects.current().get() == given and given.annotator == room.bob
    assert leased_crops(room.study) == []


def test_a_name_without_an_account_points_to_the_invitation_link(room: Room) -> None:
    address = f"/studies/{room.study.pk}/settings/members/"
    told = client_of(room.alice).post(address, {"username": "erin", "role": "annotator"}, follow=True)
    assert "There is no account" in (text := told.content.decode()) and "Invite by link" in text


def test_a_study_that_routes_to_seniors_and_has_none_says_so_until_it_has_one(room: Room) -> None:
    lead, base = client_of(room.alice), f"/studies/{room.study.pk}/settings"
    pages = (f"{base}/", f"{base}/members/")
    assert not any("to seniors, and nobody" in lead.get(page).content.decode() for page in pages)
    Study.objects.update(routes_not_sure_to_seniors=True)
    assert all("to seniors, and nobody" in lead.get(page).content.decode() for page in pages)
    set_duties(room.study.memberships.get(user=room.bob), room.alice, is_senior=True, daily_goal=None)
    assert not any("to seniors, and nobody" in lead.get(page).content.decode() for page in pages)


def test_pages_say_what_each_role_sees_and_a_blind_study_hides_names(room: Room) -> None:
    told = {is_blind: sees(Study(is_blind=is_blind), "annotator") for is_blind in (True, False)}
    assert "no experiment or image names" in told[True] and "their experiments" in told[False]
    assert sees(Study(is_blind=True), "lead") == sees(Study(is_blind=False), "lead")
    assert "program" in sees(room.study, "annotator", is_simulated=True)
    page = client_of(room.alice).get(f"/studies/{room.study.pk}/settings/members/").content.decode()
    assert page.count(told[False]) == 3 and told[True] not in page
