"""A study is put away and back: nothing is asked or ranked meanwhile, and nothing is lost."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from labeling.models import Annotation, Lease, Study
from labeling.services.answers import AnswerRefused
from labeling.services.archive import archive_study, restore_study
from labeling.services.bulk import BulkItem, BulkStep, submit_bulk
from labeling.services.queue import leased_crops, next_crops
from labeling.services.reads import STREAM
from tests.factories import answer
from tests.labeling.conftest import Room
from training.services.stream import reports_due
from training.worker.ranking import RankingWorker


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_nothing_is_handed_out_and_what_readers_hold_goes_back_until_it_is_restored(room: Room) -> None:
    held = next_crops(room.study, room.bob, 3)
    archive_study(room.study, room.alice)
    assert leased_crops(room.study) == [] and next_crops(room.study, room.bob, 3) == []
    reply = client_of(room.bob).get(f"/api/v1/studies/{room.study.pk}/next/")
    assert (reply.status_code, reply.json()["crops"]) == (200, []) and not Lease.objects.exists()
    assert reply.json()["sitting"]["archived"] is True
    restore_study(room.study, room.alice)
    assert next_crops(room.study, room.bob, 3) == held


def test_answers_on_their_way_are_kept_and_steps_of_the_grid_are_refused(room: Room) -> None:
    archive_study(room.study, room.alice)
    given = answer(room.study, room.bob, room.crops[0], "disc")
    assert list(Annotation.objects.current()) == [given]
    item = BulkItem(client_id=given.client_id, crop_id=room.crops[1].pk)
    step = BulkStep(items=(item,), answer="label", classes=("disc",), answered_at=timezone.now())
    with pytest.raises(AnswerRefused, match="archived"):
        submit_bulk(room.study, room.bob, step)
    assert list(Annotation.objects.current()) == [given]


def test_archiving_and_restoring_are_told_once_each_and_change_nothing_else(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0])
    before = Study.objects.values().get(), list(Annotation.objects.values())
    assert [archive_study(room.study, room.alice) for _ in range(2)] == [True, False]
    assert Study.objects.get().archived_at is not None
    assert [restore_study(room.study, room.alice) for _ in range(2)] == [True, False]
    assert (Study.objects.values().get(), list(Annotation.objects.values())) == before
    told = AuditEvent.objects.filter(action__in=("study.archived", "study.restored")).order_by("sequence")
    assert [(row.action, row.actor) for row in told] == [
        ("study.archived", f"user:{room.alice.pk}"),
        ("study.restored", f"user:{room.alice.pk}"),
    ]


def test_the_ranking_worker_skips_it_rests_and_takes_it_up_again(room: Room) -> None:
    worker = RankingWorker()
    assert worker.step() == 1
    archive_study(room.study, room.alice)
    answer(room.study, room.bob, room.crops[0])
    assert worker.step() == 0 and not worker.has_news()
    with pytest.raises(CommandError, match="archived"):
        call_command("rank", room.study.name)
    restore_study(room.study, room.alice)
    assert worker.step() == 1


def test_no_report_of_an_archived_study_is_due(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.services.stream.DUE_AFTER", 1)
    row = answer(room.study, room.bob, room.crops[0])
    Annotation.objects.filter(pk=row.pk).update(why_asked=STREAM)
    archive_study(room.study, room.alice)
    assert reports_due() == []
    restore_study(room.study, room.alice)
    assert len(reports_due()) == 1


def test_lists_leave_it_out_unless_they_are_asked_for_it(room: Room) -> None:
    reader = client_of(room.bob)
    link, address = f'href="/studies/{room.study.pk}/"', "/api/v1/studies/"
    assert link in reader.get("/").content.decode() and "?archived=1" not in reader.get("/").content.decode()
    archive_study(room.study, room.alice)
    home = reader.get("/").content.decode()
    assert link not in home and 'href="/?archived=1">1 archived study' in home
    assert link in reader.get("/?archived=1").content.decode()
    counts = [reader.get(address, query).json()["count"] for query in ({}, {"archived": "true"})]
    assert counts == [0, 1]
    assert reader.get(f"{address}{room.study.pk}/").json()["archived_at"] is not None


def test_the_room_and_the_grid_say_so_and_everything_else_is_open(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0])
    archive_study(room.study, room.alice)
    base = f"/studies/{room.study.pk}/"
    reader, lead = client_of(room.bob), client_of(room.alice)
    for page in ("read/", "grid/"):
        shown = reader.get(f"{base}{page}", follow=True).content.decode()
        assert "is archived" in shown and f"{base}settings/restore/" not in shown
    assert f"{base}settings/restore/" in lead.get(f"{base}read/").content.decode()
    for page in ("", "mine/", "export/", "answers.csv", "settings/", "import/", "comments/"):
        assert lead.get(base + page).status_code == 200, page
    shown = lead.get(base).content.decode()
    assert "Archived on" in shown and f'href="{base}read/"' not in shown
    assert "Archived on" in reader.get(base).content.decode()


def test_the_page_asks_before_it_archives_and_only_leads_are_asked(room: Room) -> None:
    base = f"/studies/{room.study.pk}/settings/"
    lead = client_of(room.alice)
    assert f"{base}archive/" in lead.get(base).content.decode()
    assert "Nothing is deleted" in lead.get(f"{base}archive/").content.decode()
    for page in ("archive/", "restore/"):
        assert client_of(room.bob).post(base + page).status_code == 403
    assert Study.objects.get().archived_at is None
    lead.post(f"{base}archive/")
    assert timezone.now() - Study.objects.get().archived_at < timedelta(minutes=1)
    lead.post(f"{base}restore/")
    assert Study.objects.get().archived_at is None
