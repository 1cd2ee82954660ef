"""The kept report of a study: what it rests on, when it is due, who may see it."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from inference.loop import what_is_due
from labeling.models import AgreementReport, Annotation, Consensus
from labeling.services.agreement import EVERY, RETRY, SILENT, claim, report_of, reports_due
from labeling.services.classes import add_class, retire_class
from labeling.services.export.agreement import table_names
from labeling.services.people import forget_person
from labeling.worker.agreement import make_report
from tests.factories import add_reader, answer, fill_queue, make_study, make_user
from tests.labeling.conftest import Room

STREAM, QUEUE = "random check", "uncertain"


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def read(room: Room, why: str, crops: slice, *said: str) -> None:
    """Bob, Dora and so on each say the same of all these crops, which the queue asks for this reason."""
    fill_queue(room.study, room.crops[crops], why=why)
    for crop in room.crops[crops]:
        for user, label in zip((room.bob, room.dora), said, strict=False):
            answer(room.study, user, crop, label)


def made(room: Room) -> dict[str, Any]:
    assert make_report(room.study.pk)
    return AgreementReport.objects.get(study=room.study).data


def basis(data: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in data["rows"] if row["basis"] == name)


def test_the_headline_rests_on_crops_of_the_random_stream_alone(room: Room) -> None:
    read(room, STREAM, slice(0, 3), "disc", "disc")
    read(room, STREAM, slice(3, 6), "ring", "ring")
    read(room, QUEUE, slice(6, 12), "disc", "ring")
    data = made(room)
    head = data["headline"]
    assert (head["basis"], head["alpha"]["value"], head["alpha"]["n"]) == ("random", 1.0, 6)
    assert head["is_random"] and not head["is_census"] and "at least 30" in head["alpha"]["reason"]
    assert basis(data, "queue")["percent"]["value"] == 0.0
    assert basis(data, "blind")["percent"]["value"] == 0.5
    assert {row["key"]: row["n"] for row in data["by_why"]} == {STREAM: 6, QUEUE: 6}


def test_without_random_crops_the_headline_says_what_it_shows_instead(room: Room) -> None:
    read(room, QUEUE, slice(0, 6), "disc", "disc")
    read(room, QUEUE, slice(6, 8), "ring", "ring")
    head = made(room)["headline"]
    assert (head["basis"], head["is_random"], head["alpha"]["value"]) == ("queue", False, 1.0)
    assert "does not stand for all crops" in head["note"] and "chosen crops" in head["note"]


def test_bulk_imported_and_adjudicated_reads_have_rows_of_their_own(room: Room) -> None:
    read(room, QUEUE, slice(0, 3), "disc", "ring")
    of_dora = Annotation.objects.filter(annotator=room.dora)
    Annotation.objects.filter(pk=of_dora.filter(crop=room.crops[0]).get().pk).update(is_bulk=True)
    Annotation.objects.filter(pk=of_dora.filter(crop=room.crops[1]).get().pk).update(source="import")
    Annotation.objects.filter(pk=of_dora.filter(crop=room.crops[2]).get().pk).update(why_asked="adjudication")
    data = made(room)
    shared = {row["basis"]: row["alpha"]["n"] for row in data["rows"]}
    assert shared == {
        "random": 0, "shared": 0, "queue": 0, "routed": 0, "adjudicated": 1, "dependent": 1, "imported": 1,
        "blind": 0, "all": 3,
    }  # fmt: skip
    assert data["left_out"] == 1


def test_a_second_reader_asked_for_by_a_not_sure_is_no_sample_of_anything(room: Room) -> None:
    read(room, QUEUE, slice(0, 4), "", "disc")
    data = made(room)
    assert basis(data, "routed")["alpha"]["n"] == 4 and basis(data, "queue")["alpha"]["n"] == 0
    rates = {row["name"]: (row["value"], row["n"]) for row in data["not_sure"]["by_reader"]}
    assert rates == {"bob": (1.0, 4), "dora": (0.0, 4)}
    assert [(row["key"], row["value"]) for row in data["not_sure"]["by_class"]] == [("disc", 1.0)]


def test_a_pool_that_two_have_read_whole_is_no_sample_but_all_of_it(room: Room) -> None:
    room.study.reads_per_crop = 2
    room.study.save()
    read(room, QUEUE, slice(0, 12), "disc", "ring")
    head = made(room)["headline"]
    assert (head["basis"], head["is_census"], head["alpha"]["n"]) == ("random", True, 12)


def test_a_pool_that_is_not_read_whole_is_no_census(room: Room) -> None:
    room.study.reads_per_crop = 2
    room.study.save()
    read(room, QUEUE, slice(0, 11), "disc", "ring")
    assert made(room)["headline"]["basis"] == "queue"


def test_blind_re_reads_judge_their_reader_and_count_nowhere_else(room: Room) -> None:
    read(room, QUEUE, slice(0, 4), "disc", "disc")
    for crop in room.crops[:4]:
        row = Annotation.objects.get(annotator=room.bob, crop=crop)
        again = answer(
            room.study, room.bob, crop, "ring" if crop == room.crops[0] else "disc", replaces=row.client_id
        )
        Annotation.objects.filter(pk=again.pk).update(supersedes=None, is_reread=True)
    data = made(room)
    (own,) = data["intra"]
    assert (own["reader"], own["n"], own["percent"]["value"]) == ("bob", 4, 0.75)
    assert basis(data, "all")["percent"]["value"] == 1.0


def test_the_consensus_of_each_crop_is_kept_and_follows_the_answers(room: Room) -> None:
    read(room, QUEUE, slice(0, 2), "disc", "disc")
    read(room, QUEUE, slice(2, 3), "disc", "ring")
    data = made(room)
    rows = {row.crop_id: row for row in Consensus.objects.filter(study=room.study)}
    first, third = rows[room.crops[0].pk], rows[room.crops[2].pk]
    assert (first.label_class.key, first.reads, first.share, first.votes) == ("disc", 2, 1.0, {"disc": 1.0})
    assert (third.label_class, third.is_disputed, third.votes) == (None, True, {"disc": 0.5, "ring": 0.5})
    assert first.posterior == {} and "not identifiable" in data["dawid_skene"]["reason"]
    assert data["consensus"]["counts"] | {} == {
        "agreed": 2, "majority": 0, "disputed": 1, "not_sure": 0, "single": 0, "with_posterior": 0,
    }  # fmt: skip
    assert [row["crop"] for row in data["consensus"]["disputed"]] == [room.crops[2].pk]
    answer(room.study, add_reader(room.study, "eve"), room.crops[2], "ring")
    made(room)
    third.refresh_from_db()
    assert (third.label_class.key, third.is_disputed, third.reads) == ("ring", False, 3)
    assert Consensus.objects.filter(pk=first.pk).exists()


def test_nothing_is_computed_twice_and_new_answers_and_classes_make_it_old(room: Room) -> None:
    read(room, QUEUE, slice(0, 2), "disc", "ring")
    assert report_of(room.study).state == "computing"
    made(room)
    assert not make_report(room.study.pk)
    assert report_of(room.study).state == "current"
    answer(room.study, room.bob, room.crops[5])
    shown = report_of(room.study)
    assert (shown.state, shown.newer) == ("stale", 1)
    assert made(room)["state"]["newest"] == Annotation.objects.latest("id").pk
    add_class(room.study, room.alice, "other", "Other")
    keys = {row.key: row for row in room.study.classes.all()}
    retire_class(keys["ring"], room.alice, keys["disc"])
    assert report_of(room.study).state == "stale"
    assert basis(made(room), "queue")["percent"]["value"] == 1.0


def test_a_report_is_due_when_it_is_old_but_not_again_and_again(room: Room) -> None:
    assert reports_due() == []
    answer(room.study, room.bob, room.crops[0])
    assert reports_due() == [room.study.pk]
    assert ("labeling.tasks.agreement_task", room.study.pk) in what_is_due()
    made(room)
    answer(room.study, room.bob, room.crops[1])
    assert reports_due() == []
    AgreementReport.objects.update(tried_at=timezone.now() - EVERY)
    assert reports_due() == [room.study.pk]
    AgreementReport.objects.update(seconds=60.0)
    assert reports_due() == [], "no more than a twentieth of the time"


def test_a_worker_that_was_ended_does_not_keep_the_report_for_ever(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0])
    mine = claim(room.study.pk)
    assert mine is not None and claim(room.study.pk) is None and reports_due() == []
    long_ago = timezone.now() - SILENT - timedelta(seconds=1)
    AgreementReport.objects.update(claimed_at=long_ago, tried_at=long_ago)
    assert reports_due() == [room.study.pk]
    assert make_report(room.study.pk)


def test_a_failure_keeps_the_old_figures_and_says_so(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    read(room, QUEUE, slice(0, 2), "disc", "ring")
    before = made(room)
    answer(room.study, room.bob, room.crops[5])
    monkeypatch.setattr("labeling.worker.agreement.gather", lambda study: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_report(room.study.pk)
    shown = report_of(room.study)
    assert shown.data == before and "ZeroDivisionError" in shown.problem and shown.state == "stale"
    AgreementReport.objects.update(tried_at=timezone.now() - EVERY)
    assert reports_due() == [], "the same answers would most likely fail again"
    AgreementReport.objects.update(tried_at=timezone.now() - RETRY)
    assert reports_due() == [room.study.pk]
    monkeypatch.undo()
    assert made(room)["state"]["newest"] == Annotation.objects.latest("id").pk and not report_of(room.study).problem


def test_a_forgotten_person_is_in_no_kept_report(room: Room) -> None:
    read(room, QUEUE, slice(0, 2), "disc", "ring")
    made(room)
    forget_person(room.dora, make_user("root", is_superuser=True))
    assert not AgreementReport.objects.exists()
    assert "dora" not in str(made(room)["pairs"])


def test_the_page_shows_the_kept_report_and_computes_nothing(
    room: Room, django_capture_on_commit_callbacks: Any
) -> None:
    read(room, QUEUE, slice(0, 8), "disc", "ring")
    address = f"/studies/{room.study.pk}/"
    text = client_of(room.alice).get(address).content.decode()
    assert "computed in the background" in text and not AgreementReport.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        client_of(room.alice).get(address)
    assert AgreementReport.objects.get().computed_at is not None, "the first visit rings"
    answer(room.study, room.bob, room.crops[11])
    text = client_of(room.alice).get(address).content.decode()
    assert "1 newer answer" in text and "chosen crops" in text.lower()


def test_leads_get_the_report_as_json_and_every_table_as_csv(room: Room) -> None:
    room.bob.username = "=bob"
    room.bob.save()
    read(room, QUEUE, slice(0, 8), "disc", "ring")
    client, address = client_of(room.alice), f"/api/v1/studies/{room.study.pk}/agreement/"
    assert client.get(address).json()["report"] is None
    assert client.get(f"{address}pairs.csv").status_code == 404
    data = made(room)
    body = client.get(address).json()
    assert (body["state"], body["newer_answers"], body["report"]) == ("current", 0, data)
    for name in table_names():
        response = client.get(f"{address}{name}.csv")
        rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
        assert response.status_code == 200 and all(None not in row for row in rows), name
        if name == "pairs":
            assert [(row["a"], row["n"], row["agreement_value"]) for row in rows] == [("'=bob", "8", "0.0")]
        if name == "confusions":
            assert sum(int(row["n"]) for row in rows) == 8
    assert client.get(f"{address}nothing.csv").status_code == 404


def test_nobody_but_leads_sees_it(room: Room) -> None:
    for tail in ("", "pairs.csv"):
        address = f"/api/v1/studies/{room.study.pk}/agreement/{tail}"
        assert client_of(room.bob).get(address).status_code == 403
        assert client_of(make_user(f"stranger{len(tail)}")).get(address).status_code == 404
        assert Client().get(address).status_code in (401, 403)


def test_looking_for_due_reports_asks_as_much_of_many_studies_as_of_one(
    room: Room, django_assert_num_queries: Any
) -> None:
    answer(room.study, room.bob, room.crops[0])
    make_report(room.study.pk)
    with CaptureQueriesContext(connection) as of_one:
        assert reports_due() == []
    for name in ("second", "third"):
        study = make_study(room.alice, *room.study.experiments.all(), name=name)
        answer(study, room.alice, room.crops[0])
        make_report(study.pk)
    with django_assert_num_queries(len(of_one)):
        assert reports_due() == []
