"""People join by link: once, in time, with the role that was meant, and by no link that nobody made."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from audit import services as audit
from audit.models import AuditEvent
from imaging.services.access import experiments_of
from labeling.models import Invitation, Membership, Study
from labeling.services.invitations import InvitationEnded, InvitationUnknown, accept, invitation_for, invite, revoke
from labeling.services.queueing import leases
from labeling.services.refusals import StudyRefused
from labeling.services.settings import remove_member, set_member
from labeling.views.join import JoinForm
from tests.factories import answer, make_study, make_user
from tests.labeling.conftest import Room

PASSWORD = "correct horse battery"


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def newcomer(name: str = "erin", password: str = PASSWORD, again: str | None = None) -> dict[str, str]:
    return {"username": name, "password1": password, "password2": password if again is None else again}


def expired(invitation: Invitation) -> None:
    Invitation.objects.filter(pk=invitation.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def test_the_table_keeps_no_secret(room: Room) -> None:
    invitation, secret = invite(room.study, room.alice, "annotator")
    assert invitation.secret_digest == hashlib.sha256(secret.encode()).hexdigest()
    assert len(secret) >= 40 and secret not in str(Invitation.objects.values().get())
    assert secret not in str(list(AuditEvent.objects.values()))
    assert invitation_for(secret) == invitation


@pytest.mark.parametrize("secret", ["", "a", "x" * 43, "ä" * 43, "0" * 64])
def test_a_guessed_secret_finds_nothing(room: Room, secret: str) -> None:
    invitation, _ = invite(room.study, room.alice, "annotator")
    for guess in (secret, invitation.secret_digest):
        with pytest.raises(InvitationUnknown):
            invitation_for(guess)


def test_one_person_joins_once_with_the_role_that_was_meant(room: Room) -> None:
    invitation, _ = invite(room.study, room.alice, "lead", "Dr E", 3)
    erin, frank = make_user("erin"), make_user("frank")
    for _ in range(2):
        assert accept(invitation, erin).role == "lead"
    with pytest.raises(InvitationEnded, match="used already"):
        accept(invitation, frank)
    assert not room.study.memberships.filter(user=frank).exists()
    actions = AuditEvent.objects.filter(action__startswith="invitation.").values_list("action", flat=True)
    assert list(actions) == ["invitation.made", "invitation.accepted"]


def test_a_link_that_was_withdrawn_or_has_expired_lets_nobody_in(room: Room) -> None:
    erin = make_user("erin")
    withdrawn, late = (invite(room.study, room.alice, "annotator")[0] for _ in range(2))
    revoke(withdrawn, room.alice)
    expired(late)
    for invitation, reason in ((withdrawn, "withdrawn"), (late, "expired")):
        with pytest.raises(InvitationEnded, match=reason):
            accept(invitation, erin)
        with pytest.raises(InvitationEnded, match=reason):
            revoke(invitation, room.alice)
    assert not room.study.memberships.filter(user=erin).exists()


def test_who_was_removed_does_not_come_back_by_the_same_link(room: Room) -> None:
    invitation, _ = invite(room.study, room.alice, "annotator")
    member = accept(invitation, make_user("erin"))
    remove_member(member, room.alice)
    with pytest.raises(InvitationEnded, match="used already"):
        accept(invitation, member.user)


def test_no_link_lowers_a_role_and_one_for_leads_raises_it(room: Room) -> None:
    for_readers, _ = invite(room.study, room.alice, "annotator")
    for_leads, _ = invite(room.study, room.alice, "lead")
    assert accept(for_readers, room.alice).role == "lead"
    assert accept(for_readers, room.bob).role == "annotator"
    assert Invitation.objects.filter(accepted_at__isnull=False).count() == 0
    assert accept(for_leads, room.bob).role == "lead"


@pytest.mark.parametrize("is_blind", [True, False])
def test_who_joins_a_blind_study_sees_none_of_its_experiments(room: Room, is_blind: bool) -> None:
    Study.objects.update(is_blind=is_blind)
    room.study.refresh_from_db()
    erin = make_user("erin")
    accept(invite(room.study, room.alice, "annotator")[0], erin)
    assert experiments_of(erin).exists() is not is_blind


def test_who_leads_no_more_keeps_no_link_to_come_back_by(room: Room) -> None:
    set_member(room.study, room.alice, "bob", "lead")
    first, _ = invite(room.study, room.bob, "lead")
    set_member(room.study, room.alice, "bob", "annotator")
    set_member(room.study, room.alice, "bob", "lead")
    second, _ = invite(room.study, room.bob, "lead")
    remove_member(room.study.memberships.get(user=room.bob), room.alice)
    for invitation in (first, second):
        with pytest.raises(InvitationEnded, match="withdrawn"):
            accept(invitation, room.bob)


@pytest.mark.parametrize(("role", "days"), [("owner", 3), ("annotator", 0), ("annotator", 91)])
def test_nonsense_makes_no_link(room: Room, role: str, days: int) -> None:
    with pytest.raises(StudyRefused):
        invite(room.study, room.alice, role, days=days)
    assert not Invitation.objects.exists()


def test_the_link_is_on_the_page_that_made_it_and_on_no_other(room: Room) -> None:
    lead, base = client_of(room.alice), f"/studies/{room.study.pk}/settings"
    made = lead.post(f"{base}/invitations/", {"role": "annotator", "note": "Dr E", "days": "7"})
    link = made.context["fresh_link"]
    assert made.status_code == 201 and link in made.content.decode() and "no-store" in made["Cache-Control"]
    page = lead.get(f"{base}/members/").content.decode()
    assert "Dr E" in page and link.split("/join/")[1].strip("/") not in page
    lead.post(f"{base}/invitations/{Invitation.objects.get().pk}/revoke/")
    assert Client().get(link).status_code == 410


def test_a_new_person_makes_an_account_and_takes_part(room: Room) -> None:
    _, secret = invite(room.study, room.alice, "annotator")
    client = Client()
    page = client.get(f"/join/{secret}/")
    assert page.status_code == 200 and "no-store" in page["Cache-Control"]
    reply = client.post(f"/join/{secret}/", newcomer())
    assert reply["Location"] == f"/studies/{room.study.pk}/"
    erin = get_user_model().objects.get(username="erin")
    assert erin.check_password(PASSWORD) and not erin.is_staff and not erin.is_superuser
    assert room.study.memberships.get(user=erin).role == Membership.Role.ANNOTATOR
    assert client.get(f"/studies/{room.study.pk}/").status_code == 200
    assert AuditEvent.objects.filter(action="account.made", object_id=str(erin.pk)).exists()


def test_who_joins_waits_for_the_study_before_the_chain_as_answers_do(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another order the two would wait for each other."""
    taken: list[str] = []
    gate, head = leases._gate, audit.head
    monkeypatch.setattr(leases, "_gate", lambda study: taken.append("study") or gate(study))
    monkeypatch.setattr(audit, "head", lambda: taken.append("chain") or head())
    _, secret = invite(room.study, room.alice, "annotator")
    for act in (
        lambda: Client().post(f"/join/{secret}/", newcomer()),
        lambda: answer(room.study, room.bob, room.crops[0]),
    ):
        taken.clear()
        act()
        assert taken[0] == "study" and "chain" in taken


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (newcomer("bob"), "already exists"),
        (newcomer("BOB"), "already exists"),
        (newcomer(""), "required"),
        (newcomer("<script>"), "valid username"),
        (newcomer(password="12345678"), "entirely numeric"),
        (newcomer(password="password"), "too common"),
        (newcomer(password="short"), "too short"),
        (newcomer("erinerin", password="erinerin1"), "too similar"),
        (newcomer(again="another horse battery"), "match"),
    ],
)
def test_an_account_that_cannot_be_is_refused_in_words_and_the_link_stays_good(
    room: Room, given: dict[str, str], said: str
) -> None:
    _, secret = invite(room.study, room.alice, "annotator")
    before = get_user_model().objects.count()
    reply = Client().post(f"/join/{secret}/", given)
    assert (
        reply.status_code == 400 and said in reply.content.decode() and "<script>" not in reply.context["study"].name
    )
    assert get_user_model().objects.count() == before
    assert Client().post(f"/join/{secret}/", newcomer()).status_code == 302


def test_an_ended_link_makes_no_account_and_names_no_study(room: Room) -> None:
    Study.objects.update(name="Zanzibar")
    used, late = invite(room.study, room.alice, "annotator"), invite(room.study, room.alice, "annotator")
    accept(used[0], make_user("erin"))
    expired(late[0])
    before = get_user_model().objects.count()
    for secret, status in ((used[1], 410), (late[1], 410), ("made-up", 404)):
        for method in ("get", "post"):
            reply = getattr(Client(), method)(f"/join/{secret}/", newcomer("mallory"))
            assert reply.status_code == status and "Zanzibar" not in reply.content.decode()
    assert get_user_model().objects.count() == before


def test_who_is_logged_in_joins_with_one_button_and_only_this_study(room: Room) -> None:
    other = make_study(room.alice, room.study.experiments.get(), name="other")
    _, secret = invite(room.study, room.alice, "annotator")
    erin = make_user("erin")
    client = client_of(erin)
    assert "Join as erin" in client.get(f"/join/{secret}/").content.decode()
    assert not erin.memberships.exists()
    client.post(f"/join/{secret}/")
    assert [row.study for row in erin.memberships.all()] == [room.study]
    assert client.get(f"/join/{secret}/")["Location"] == f"/studies/{room.study.pk}/"
    assert client.get(f"/studies/{other.pk}/").status_code == 404


def test_a_lead_of_another_study_withdraws_no_link_of_this_one(room: Room) -> None:
    mine = make_study(room.bob, room.study.experiments.get(), name="mine")
    invitation, _ = invite(room.study, room.alice, "annotator")
    address = f"/studies/{mine.pk}/settings/invitations/{invitation.pk}/revoke/"
    assert client_of(room.bob).post(address).status_code == 404
    invitation.refresh_from_db()
    assert invitation.revoked_at is None


def test_guessing_is_stopped_like_guessing_passwords(room: Room, settings: Any) -> None:
    settings.AXES_ENABLED = True
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "axes.middleware.AxesMiddleware"]
    _, secret = invite(room.study, room.alice, "annotator")
    statuses = [
        Client().get(f"/join/guess-{number}/").status_code for number in range(settings.AXES_FAILURE_LIMIT + 2)
    ]
    assert set(statuses[: settings.AXES_FAILURE_LIMIT]) == {404} and set(statuses[settings.AXES_FAILURE_LIMIT :]) == {
        429
    }
    locked = Client().get(f"/join/{secret}/")
    assert locked.status_code == 429 and "Wait a quarter of an hour" in locked.content.decode()
    assert Client(REMOTE_ADDR="192.0.2.7").get(f"/join/{secret}/").status_code == 200


@pytest.mark.django_db
def test_what_is_wrong_with_a_password_stands_at_the_password_and_not_at_its_repetition() -> None:
    for wrong, field in ((newcomer(password="short"), "password1"), (newcomer(again="another-one-9"), "password2")):
        assert set(JoinForm(wrong).errors) == {field}
