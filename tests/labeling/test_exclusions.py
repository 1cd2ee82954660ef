"""A reader who is left out: their answers stay, count nowhere, and come back whole."""

import csv
import io
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEvent
from labeling.models import Annotation, Lease, ReaderExclusion
from labeling.services.exclusions import exclude, excluded_readers, put_back
from labeling.services.export.files import answers_csv, consensus_rows
from labeling.services.progress import answered_crops, by_annotator, by_class, reads_table
from labeling.services.queue import next_crops
from labeling.services.reads import STREAM, awaiting_reads, reads_of
from labeling.services.refusals import StudyRefused
from labeling.services.stream import State, stream_crops
from labeling.services.summary import agreement_of
from tests.factories import add_reader, answer, fill_queue
from tests.labeling.conftest import Room


def both_read(room: Room) -> None:
    """Bob and Dora read the first four crops, Bob alone the fifth; they differ on the first."""
    for place, crop in enumerate(room.crops[:4]):
        answer(room.study, room.bob, crop, "ring" if place == 0 else "disc")
        answer(room.study, room.dora, crop, "disc")
    answer(room.study, room.bob, room.crops[4], "ring")


def everything(room: Room) -> list[Any]:
    """What the study says in all the ways in which it says it."""
    rows = [tuple(row) for row in consensus_rows(room.study)]
    reads = {crop: [(read.number, read.said) for read in given] for crop, given in reads_of(room.study).items()}
    told = agreement_of(room.study)
    return [rows, reads, told, by_class(room.study), answered_crops(room.study), reads_table(room.study)]


def test_without_a_reader_all_is_as_if_they_had_never_answered_and_back_it_is_as_before(room: Room) -> None:
    for crop in room.crops[:4]:
        answer(room.study, room.dora, crop, "disc")
    never = everything(room)
    for place, crop in enumerate(room.crops[:5]):
        answer(room.study, room.bob, crop, "ring" if place in (0, 4) else "disc")
    before = everything(room)
    rows = list(Annotation.objects.values())
    assert exclude(room.study, room.bob, room.alice, "hasty")
    assert everything(room) == never != before
    assert put_back(room.study, room.bob, room.alice, "it was the microscope")
    assert everything(room) == before
    assert list(Annotation.objects.values()) == rows


def test_reads_carry_the_fact_and_tables_show_the_reader_marked(room: Room) -> None:
    both_read(room)
    exclude(room.study, room.bob, room.alice, "hasty")
    given = reads_of(room.study, [room.crops[0].pk], with_void=True)[room.crops[0].pk]
    assert [(read.is_excluded, read.is_void, read.is_split) for read in given] == [(True, True, False), (False,) * 3]
    shown = {row["name"]: (row["n"], row["excluded"]) for row in by_annotator(room.study)}
    assert shown == {"bob": (5, True), "dora": (4, False)}
    assert {name for _, name, _ in reads_table(room.study, with_excluded=True)} == {"bob", "dora"}
    (told,) = excluded_readers(room.study)
    assert (told.user, told.answers, told.reason) == (room.bob.pk, 5, "hasty")


def test_an_export_keeps_every_answer_and_says_which_count_for_nothing(room: Room) -> None:
    both_read(room)
    exclude(room.study, room.bob, room.alice, "hasty")
    rows = list(csv.DictReader(io.StringIO(b"".join(answers_csv(room.study)).decode())))
    marked = [(row["annotator"], row["excluded"]) for row in rows]
    assert marked.count((f"user:{room.bob.pk}", "True")) == 5
    assert marked.count((f"user:{room.dora.pk}", "False")) == 4


def test_crops_that_only_they_have_read_are_open_again_but_not_for_them(room: Room) -> None:
    both_read(room)
    newest = Annotation.objects.order_by("-id").first()
    fill_queue(room.study, room.crops[4:5], newest=newest.pk)
    keys = {crop.pk: crop.key for crop in room.crops[:5]}
    assert awaiting_reads(room.study, keys) & {room.crops[4].pk} == set()
    assert next_crops(room.study, room.dora, 1) == []
    exclude(room.study, room.bob, room.alice, "hasty")
    assert room.crops[4].pk in awaiting_reads(room.study, keys)
    assert next_crops(room.study, room.bob, 1) == []
    assert [row.crop_id for row in next_crops(room.study, room.dora, 1)] == [room.crops[4].pk]


def test_what_they_held_is_free_at_once(room: Room) -> None:
    answer(room.study, room.bob, room.crops[5])
    next_crops(room.study, room.bob, 3)
    exclude(room.study, room.bob, room.alice, "hasty")
    assert not Lease.objects.filter(user=room.bob).exists()


def test_their_later_answers_count_for_nothing_either_until_they_are_put_back(room: Room) -> None:
    both_read(room)
    exclude(room.study, room.bob, room.alice, "hasty")
    answer(room.study, room.bob, room.crops[6], "ring")
    second = answer(room.study, room.bob, room.crops[0], "disc")
    assert second.supersedes is not None
    assert room.crops[6].pk not in reads_of(room.study)
    put_back(room.study, room.bob, room.alice, "trained again")
    assert [read.label for read in reads_of(room.study)[room.crops[6].pk]] == ["ring"]


def test_a_random_check_that_waited_for_them_waits_for_somebody_else(room: Room) -> None:
    crop = room.crops[0]

    def state() -> tuple[State, bool]:
        (found,) = stream_crops(room.study)
        return found.state, crop.pk in awaiting_reads(room.study, {crop.pk: crop.key})

    for user in (room.bob, room.dora):
        fill_queue(room.study, [crop], why=STREAM)
        answer(room.study, user, crop, "disc")
    assert state() == (State.AGREE, False)
    exclude(room.study, room.bob, room.alice, "hasty")
    assert state() == (State.ONE_READ, True)
    answer(room.study, add_reader(room.study, "erin"), crop, "disc")
    assert state() == (State.AGREE, False)


def test_twice_is_once_with_one_event_each_and_only_the_reader_is_meant(room: Room) -> None:
    both_read(room)
    assert [exclude(room.study, room.bob, room.alice, "hasty") for _ in range(2)] == [True, False]
    assert [put_back(room.study, room.bob, None, "fine") for _ in range(2)] == [True, False]
    assert exclude(room.study, room.bob, room.alice, "hasty again")
    events = AuditEvent.objects.filter(action__startswith="reader.").order_by("sequence")
    assert [(row.action, row.actor, row.reason) for row in events] == [
        ("reader.excluded", f"user:{room.alice.pk}", "hasty"),
        ("reader.put_back", "anonymous", "fine"),
        ("reader.excluded", f"user:{room.alice.pk}", "hasty again"),
    ]
    assert events[0].detail == {"study": room.study.pk, "reader": room.bob.pk}
    assert ReaderExclusion.objects.count() == 2


def test_two_at_the_same_moment_leave_one_row(room: Room) -> None:
    both_read(room)
    exclude(room.study, room.bob, room.alice, "hasty")
    with pytest.raises(IntegrityError), transaction.atomic():
        ReaderExclusion.objects.create(study=room.study, user=room.bob, reason="again", at=timezone.now())


def test_a_reason_is_needed_and_somebody_who_has_answered(room: Room) -> None:
    both_read(room)
    with pytest.raises(StudyRefused, match="Say why"):
        exclude(room.study, room.bob, room.alice, " \0 ")
    with pytest.raises(StudyRefused, match="alice has given no answer"):
        exclude(room.study, room.alice, room.alice, "hasty")
    assert not ReaderExclusion.objects.exists()


def test_another_study_of_the_same_reader_is_not_touched(room: Room) -> None:
    from tests.factories import make_study

    other = make_study(room.alice, *room.study.experiments.all(), name="other")
    other.memberships.create(user=room.bob, role="annotator")
    answer(other, room.bob, room.crops[0], "ring")
    both_read(room)
    exclude(room.study, room.bob, room.alice, "hasty")
    assert [read.label for read in reads_of(other)[room.crops[0].pk]] == ["ring"]


def test_a_lead_leaves_a_reader_out_on_their_page_and_puts_them_back(room: Room) -> None:
    both_read(room)
    client = Client()
    client.force_login(room.alice)
    page, out, back = (
        reverse(f"labeling:{name}", args=[room.study.pk, room.bob.pk])
        for name in ("reader", "leave-out-reader", "put-back-reader")
    )
    shown = client.post(out, {"reason": "<b>hasty</b>"}, follow=True).content.decode()
    assert "left out from now on" in shown and "&lt;b&gt;hasty&lt;/b&gt;" in shown and "<b>hasty" not in shown
    assert excluded_readers(room.study)
    assert "left out" in client.get(reverse("labeling:overview", args=[room.study.pk])).content.decode()
    assert "Say why" in client.post(back, {"reason": ""}, follow=True).content.decode()
    assert "count again" in client.post(back, {"reason": "fine"}, follow=True).content.decode()
    assert not excluded_readers(room.study)
    assert client.get(page).status_code == 200


def test_annotators_never_see_a_readers_page_nor_that_somebody_is_left_out(room: Room) -> None:
    both_read(room)
    exclude(room.study, room.bob, room.alice, "hasty")
    client = Client()
    client.force_login(room.bob)
    for user in (room.bob, room.dora):
        assert client.get(reverse("labeling:reader", args=[room.study.pk, user.pk])).status_code == 403
    for name in ("overview", "mine", "room"):
        text = client.get(reverse(f"labeling:{name}", args=[room.study.pk])).content.decode()
        assert "left out" not in text and "hasty" not in text
    stranger = Client()
    stranger.force_login(add_reader(_other(room), "erin"))
    assert stranger.get(reverse("labeling:reader", args=[room.study.pk, room.bob.pk])).status_code == 404


def _other(room: Room) -> Any:
    from tests.factories import make_study

    return make_study(room.alice, *room.study.experiments.all(), name="other")


def test_answers_over_http_mark_who_is_left_out_for_leads_and_tell_nobody_of_themselves(room: Room) -> None:
    both_read(room)
    exclude(room.study, room.bob, room.alice, "hasty")
    client, address = Client(), f"/api/v1/studies/{room.study.pk}/answers/"
    client.force_login(room.alice)
    rows = client.get(address).json()["results"]
    assert {(row["annotator"], row["excluded"]) for row in rows} == {
        (f"user:{room.bob.pk}", True), (f"user:{room.dora.pk}", False),
    }  # fmt: skip
    client.force_login(room.bob)
    own = client.get(address).json()["results"]
    assert len(own) == 5 and all("excluded" not in row for row in own)
