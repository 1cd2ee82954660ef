"""An import is taken back: what it brought stands no more, nothing is lost, and everything else stays as it was."""

from collections import Counter
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.test import Client

from audit.models import AuditEvent
from labeling.models import Annotation, LabelImport
from labeling.services import progress
from labeling.services.answers import undo
from labeling.services.imports import taking_back
from labeling.services.imports.store import take
from labeling.services.imports.taking_back import standing_counts, take_back
from labeling.services.reads import reads_of
from tests.factories import answer
from tests.labeling.conftest import Room
from tests.labeling.exchange_files import csv_upload, said, taken


def table(room: Room, *labels: str, annotator: str = "Dr. Who") -> Any:
    rows = (f"{crop.key},{label},{annotator}" for crop, label in zip(room.crops, labels))
    return csv_upload("crop,class,annotator", *rows)


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_what_a_file_brought_stands_no_more_and_is_all_there_still(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "ring")
    before = said(room.study)
    taken(room.study, table(room, "disc", "ring", "disc"), room.alice)
    brought = Annotation.objects.filter(label_import=LabelImport.objects.get())
    kept = list(brought.order_by("id").values())
    assert len(kept) == 3 and said(room.study) != before
    assert take_back(LabelImport.objects.get(), room.alice) == 0
    assert said(room.study) == before and progress.imported_answers(room.study) == 0
    assert list(brought.order_by("id").values()) == kept
    withdrawn = Annotation.objects.filter(answer="withdrawn")
    assert [row.supersedes_id for row in withdrawn] == [row["id"] for row in kept]
    assert {row.annotator.username for row in withdrawn} == {"imported: Dr. Who"}
    assert set(reads_of(room.study)) == {room.crops[0].pk}


def test_taking_back_is_told_once_however_often_it_is_asked_for(room: Room) -> None:
    taken(room.study, table(room, "disc", "ring"), room.alice)
    row = LabelImport.objects.get()
    for _ in range(2):
        assert take_back(row, room.alice) == 0
    event = AuditEvent.objects.get(action="import.taken_back")
    assert event.detail == {"study": room.study.pk, "sha256": row.sha256, "answers": 2, "is_last": True}
    assert event.actor == f"user:{room.alice.pk}"
    assert Annotation.objects.filter(answer="withdrawn").count() == 2


def test_what_people_put_in_place_of_imported_answers_and_other_imports_stay(room: Room) -> None:
    taken(room.study, table(room, "disc", "disc", "disc", annotator="bob"), room.alice)
    taken(room.study, table(room, "ring", annotator="Dr. Who"), room.alice)
    answer(room.study, room.bob, room.crops[0], "ring")
    undo(room.study, room.bob, uuid4())
    answer(room.study, room.bob, room.crops[1], "ring")
    second, first = LabelImport.objects.all()
    assert standing_counts(room.study) == {first.pk: 1, second.pk: 1}
    take_back(first, room.alice)
    assert said(room.study) == {room.crops[0].key: [("label", "ring")], room.crops[1].key: [("label", "ring")]}
    assert standing_counts(room.study) == {second.pk: 1}


def test_it_goes_on_where_it_stopped_in_chunks_each_with_its_event(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_back, "CHUNK", 2)
    taken(room.study, table(room, "disc", "ring", "disc", "ring", "disc"), room.alice)
    row = LabelImport.objects.get()
    assert take_back(row, room.alice, longest_s=0) == 3
    row.refresh_from_db()
    assert row.taken_back_at is None and standing_counts(room.study) == {row.pk: 3}
    assert take_back(row, room.alice) == 0
    row.refresh_from_db()
    assert row.taken_back_at is not None and standing_counts(room.study) == {}
    told = AuditEvent.objects.filter(action="import.taken_back").order_by("sequence")
    assert [(one.detail["answers"], one.detail["is_last"]) for one in told] == [(2, False), (2, False), (1, True)]


def test_a_file_that_was_taken_back_can_be_taken_anew_any_number_of_times(room: Room) -> None:
    upload = table(room, "disc", "ring")
    for times in range(1, 4):
        made = take(room.study, upload, room.alice)
        assert (len(made.new), made.already, made.problems) == (2, 0, [])
        assert len(take(room.study, upload, room.alice).new) == 0
        assert said(room.study) == {room.crops[0].key: [("label", "disc")], room.crops[1].key: [("label", "ring")]}
        row = LabelImport.objects.get()
        assert row.taken_back_at is None
        take_back(row, room.alice)
        assert (said(room.study), row.times_taken_back) == ({}, times)


def test_the_page_counts_asks_first_and_takes_back(room: Room) -> None:
    taken(room.study, table(room, "disc", "ring", "disc"), room.alice)
    row = LabelImport.objects.get()
    lead, base = client_of(room.alice), f"/studies/{room.study.pk}/import/"
    address = f"{base}{row.pk}/take-back/"
    assert address in (shown := lead.get(base).content.decode()) and "3 of them stand now" in shown
    asked = lead.get(address).content.decode()
    assert "3 answers that stand are" in asked and "Nothing is deleted" in asked
    assert progress.imported_answers(room.study) == 3
    assert client_of(room.bob).post(address).status_code == 403
    assert lead.post(address)["Location"] == base
    assert progress.imported_answers(room.study) == 0
    after = lead.get(base).content.decode()
    assert "taken back on" in after and address not in after


def test_answers_of_earlier_imports_are_given_their_import(room: Room) -> None:
    uploads = [table(room, "disc", "ring"), table(room, "ring", "disc", "disc", annotator="Dr. No")]
    for upload in (*uploads, uploads[0]):
        take(room.study, upload, room.alice)
    answer(room.study, room.bob, room.crops[0])
    before = dict(Annotation.objects.values_list("pk", "label_import"))
    Annotation.objects.update(label_import=None)
    migration = import_module("labeling.migrations.0010_archive_and_taken_back")
    for _ in range(2):
        migration.name_imports(apps, None)
        assert dict(Annotation.objects.values_list("pk", "label_import")) == before
    second, first = LabelImport.objects.values_list("pk", flat=True)
    assert Counter(before.values()) == {first: 2, second: 3, None: 1}
