"""What Admin does to the people of a study is what the study's own page does."""

from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEvent
from imaging.services.access import experiments_of
from labeling.models import Lease, Membership, Study
from labeling.services.invitations import InvitationEnded, accept, invite
from labeling.services.queue import next_crops
from tests.factories import add_reader, make_user
from tests.labeling.conftest import Room


@pytest.fixture
def admin(room: Room) -> Client:
    client = Client()
    client.force_login(make_user("root", is_superuser=True, is_staff=True))
    return client


def values_of(form: Any) -> dict[str, Any]:
    """What a browser would send of a form that nobody changed."""
    sent: dict[str, Any] = {}
    for field in form:
        value = field.value()
        if value is True:
            sent[field.html_name] = "on"
        elif isinstance(value, list):
            sent[field.html_name] = [str(getattr(one, "pk", one)) for one in value]
        elif value is not None and value is not False:
            sent[field.html_name] = str(value)
    return sent


def change(admin: Client, study: Study, **people: dict[str, str]) -> Any:
    """Save the study's page in Admin with these fields of some of its people changed."""
    address = f"/admin/labeling/study/{study.pk}/change/"
    page = admin.get(address)
    sent = values_of(page.context["adminform"].form) | {"created_at_0": "2026-01-01", "created_at_1": "10:00:00"}
    for inline in page.context["inline_admin_formsets"]:
        sent |= values_of(inline.formset.management_form)
        for form in inline.formset.forms:
            sent |= values_of(form)
            if isinstance(form.instance, Membership) and form.instance.pk:
                changed = people.get(form.instance.user.username, {})
                sent |= {f"{form.prefix}-{name}": value for name, value in changed.items()}
    return admin.post(address, sent)


@pytest.mark.parametrize("change_of_carol", [{"DELETE": "on"}, {"role": "annotator"}])
def test_who_leads_no_more_cannot_come_back_by_a_link_of_theirs(
    room: Room, admin: Client, change_of_carol: dict[str, str]
) -> None:
    Study.objects.update(is_blind=True)
    carol = add_reader(room.study, "carol", "lead")
    invitation, _ = invite(room.study, carol, "lead")
    assert change(admin, room.study, carol=change_of_carol).status_code == 302
    assert not room.study.memberships.filter(user=carol, role="lead").exists()
    with pytest.raises(InvitationEnded, match="withdrawn"):
        accept(invitation, make_user("erin"))
    assert not experiments_of(carol).exists()


def test_who_is_removed_gives_back_what_they_hold_and_an_event_tells_of_it(room: Room, admin: Client) -> None:
    next_crops(room.study, room.bob, 3)
    assert change(admin, room.study, bob={"DELETE": "on"}).status_code == 302
    assert not Lease.objects.filter(user=room.bob).exists()
    assert AuditEvent.objects.filter(action="member.removed").exists()


@pytest.mark.parametrize("change_of_alice", [{"DELETE": "on"}, {"role": "annotator"}])
def test_the_last_lead_stays(room: Room, admin: Client, change_of_alice: dict[str, str]) -> None:
    reply = change(admin, room.study, alice=change_of_alice)
    assert reply.status_code == 200 and "A study needs a lead" in reply.content.decode()
    assert room.study.memberships.get(user=room.alice).role == "lead"


def test_a_lead_goes_while_another_one_takes_over(room: Room, admin: Client) -> None:
    given = {"alice": {"DELETE": "on"}, "bob": {"role": "lead", "daily_goal": "40"}}
    assert change(admin, room.study, **given).status_code == 302
    bob = room.study.memberships.get(user=room.bob)
    assert (bob.role, bob.daily_goal) == ("lead", 40)
    assert list(room.study.memberships.filter(role="lead")) == [bob]
    assert experiments_of(room.bob).exists()


def test_a_membership_stays_that_of_its_person(room: Room, admin: Client) -> None:
    erin = make_user("erin")
    assert change(admin, room.study, bob={"user": str(erin.pk)}).status_code == 302
    assert room.study.memberships.filter(user=room.bob).exists()
    assert not room.study.memberships.filter(user=erin).exists()
