"""Forgetting a person: nothing names them any more, nothing they answered is lost, and it can be done in Admin."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from knox.models import AuthToken

from audit.models import AuditEvent
from imaging.models import Experiment
from labeling.models import Annotation, Comment, Invitation, LabelImport, Lease, Membership, Study
from labeling.services.export.answers import answer_rows
from labeling.services.imports.store import take
from labeling.services.invitations import InvitationEnded, accept, invite
from labeling.services.people import ForgetRefused, forget_person, pseudonym_of
from labeling.services.progress import by_annotator
from labeling.services.queue import next_crops
from labeling.services.settings import set_member
from tests.factories import add_reader, answer, crops_of, fill_queue, make_experiment, make_study, make_user
from tests.labeling.exchange_files import csv_upload

NAME = "Wilhelmina"


@pytest.fixture
def root(db: None) -> Any:
    return get_user_model().objects.create_superuser("root", password="let me in")


@pytest.fixture
def study(root: Any, data_folder: Path, tmp_path: Path) -> Study:
    return make_study(make_user("alice"), make_experiment(tmp_path, crops=12))


@pytest.fixture
def reader(study: Study) -> Any:
    user = add_reader(study, NAME.lower())
    user.first_name, user.email = NAME, f"{NAME}@lab.example"
    user.save()
    for crop in crops_of(Experiment.objects.get())[:3]:
        answer(study, user, crop)
    return user


def everything() -> str:
    """Every value of every table, as text."""
    return "\n".join(str(list(model._default_manager.values())) for model in apps.get_models())


def test_nothing_names_a_forgotten_person_and_every_answer_stays(study: Study, reader: Any, root: Any) -> None:
    crop = crops_of(Experiment.objects.get())[0]
    Comment.objects.create(study=study, crop=crop, author=reader, text="two nuclei")
    Invitation.objects.create(
        study=study, secret_digest="x", by=root, note=f"for {NAME}", accepted_by=reader, expires_at=timezone.now()
    )
    before = [(row.pk, row.annotator_id, row.answer) for row in Annotation.objects.all()]
    exported, counted = list(answer_rows(study)), by_annotator(study)
    assert NAME.lower() in everything().lower()
    assert forget_person(reader, root)
    assert NAME.lower() not in everything().lower()
    assert [(row.pk, row.annotator_id, row.answer) for row in Annotation.objects.all()] == before
    assert list(answer_rows(study)) == exported
    assert by_annotator(study) == [counted[0] | {"name": pseudonym_of(reader)}]
    assert Comment.objects.get().author == reader


@pytest.mark.parametrize("name", [NAME.lower(), "zoë"])
def test_reports_of_imports_and_the_log_of_admin_forget_the_name_too(study: Study, root: Any, name: str) -> None:
    reader, crops = add_reader(study, name), crops_of(Experiment.objects.get())
    answer(study, reader, crops[0])
    lines = [f"{crop.key},disc,{who}" for crop in crops[:2] for who in (name, "dan")]
    take(study, csv_upload("crop,class,annotator", *lines), root)
    for given in (reader.username, f"{name}.x"):
        log_action(root, study, f"{given} in nuclei as lead")
    forget_person(reader, root)
    assert not re.search(rf"{name}", everything() + json.dumps(LabelImport.objects.get().report, ensure_ascii=False))
    report, instead = LabelImport.objects.get().report, pseudonym_of(reader)
    assert {row["user"]: row["labels"] for row in report["people"]} == {instead: 1, "imported: dan": 2}
    assert report["problems"][0]["message"].startswith(instead)
    kept, other = [(row.object_repr, row.get_change_message()) for row in LogEntry.objects.order_by("id")]
    assert kept == (f"{instead} in nuclei as lead", f"Added membership “{instead} in nuclei as lead”.")
    assert other == (f"{name}.x in nuclei as lead", f"Added membership “{name}.x in nuclei as lead”.")


def log_action(user: Any, study: Study, told: str) -> None:
    """What Admin writes when somebody is added to a study."""
    message = json.dumps([{"added": {"name": "membership", "object": told}}])
    kind = ContentType.objects.get_for_model(Study)
    LogEntry.objects.create(
        user=user, content_type=kind, object_id=study.pk, object_repr=told, action_flag=2, change_message=message
    )


def test_it_ends_log_ins_tokens_memberships_leases_and_sight(study: Study, reader: Any, root: Any) -> None:
    client = Client()
    client.force_login(reader)
    token = AuthToken.objects.create(user=reader)[1]
    fill_queue(study, crops_of(Experiment.objects.get()))
    next_crops(study, reader, 3)
    forget_person(reader, root)
    assert client.get(reverse("labeling:overview", args=[study.pk])).status_code == 302
    assert Client(headers={"Authorization": f"Token {token}"}).get("/api/v1/studies/").status_code in (401, 403)
    assert not Client().login(username=NAME.lower(), password="let me in")
    assert not Client().login(username=pseudonym_of(reader), password="let me in")
    assert not Membership.objects.filter(user=reader).exists()
    assert not Lease.objects.filter(user=reader).exists()
    assert not Experiment.objects.filter(viewers=reader).exists()


def test_links_that_a_forgotten_person_made_let_nobody_in(study: Study, reader: Any, root: Any) -> None:
    set_member(study, root, reader.username, "lead")
    invitation, _ = invite(study, reader, "lead")
    forget_person(reader, root)
    with pytest.raises(InvitationEnded):
        accept(invitation, make_user("erin"))


def test_twice_is_once_and_one_event_without_a_name_tells_of_it(study: Study, reader: Any, root: Any) -> None:
    assert forget_person(reader, root)
    assert not forget_person(reader, root)
    event = AuditEvent.objects.get(action="person.forgotten")
    assert (event.actor, event.object_id) == (f"user:{root.pk}", str(reader.pk))
    assert event.detail == {"studies": [study.pk]}


def test_the_only_lead_the_last_administrator_and_oneself_are_not_forgotten(study: Study, root: Any) -> None:
    lead = study.memberships.get(role="lead").user
    with pytest.raises(ForgetRefused, match="nuclei"):
        forget_person(lead, root)
    with pytest.raises(ForgetRefused, match="yourself"):
        forget_person(root, root)
    with pytest.raises(ForgetRefused, match="last administrator"):
        forget_person(root, None)
    assert not AuditEvent.objects.filter(action="person.forgotten").exists()
    lead.refresh_from_db()
    assert lead.is_active
    other = make_user("second lead")
    study.memberships.create(user=other, role="lead")
    assert forget_person(lead, root)


def test_admin_offers_to_forget_in_place_of_deleting(study: Study, reader: Any, root: Any) -> None:
    client = Client()
    client.force_login(root)
    page = client.get(reverse("admin:auth_user_change", args=[reader.pk])).content.decode()
    assert "Forget this person" in page
    assert ">Delete<" not in page
    address = reverse("admin:auth_user_delete", args=[reader.pk])
    shown = client.get(address)
    assert (shown.status_code, "3 answers stay" in shown.content.decode()) == (200, True)
    done = client.post(address, {"post": "yes"}, follow=True)
    assert f"{pseudonym_of(reader)}” now" in done.content.decode()
    assert Annotation.objects.filter(annotator=reader).count() == 3
    assert NAME.lower() not in everything().lower()
    listed = client.get(reverse("admin:auth_user_changelist")).content.decode()
    assert "delete_selected" not in listed


def test_admin_says_why_somebody_is_not_forgotten(study: Study, root: Any) -> None:
    client = Client()
    client.force_login(root)
    lead = study.memberships.get(role="lead").user
    done = client.post(reverse("admin:auth_user_delete", args=[lead.pk]), {"post": "yes"}, follow=True)
    assert "Nobody else leads the study" in done.content.decode()
    assert get_user_model().objects.get(pk=lead.pk).username == "alice"
