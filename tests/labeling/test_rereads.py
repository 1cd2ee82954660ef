"""Blind re-reads: one's own crops again, at the share that was asked for, never among the first answers."""

from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from labeling.models import Annotation, Lease, Study
from labeling.services.answers import AnswerConflict, undo
from labeling.services.progress import by_class, own_progress, reads_table
from labeling.services.queue import next_crops, release
from labeling.services.queueing.reader import Reader
from labeling.services.queueing.slots import special_slots
from labeling.services.reads import RE_READ, STREAM, reads_of
from labeling.services.sitting import skip
from labeling.services.summary import agreement_of
from labeling.worker.agreement import compute
from tests.factories import answer
from tests.labeling.conftest import Room
from training.services.labels import standing_answers


@pytest.fixture
def again(room: Room) -> Room:
    """Bob has answered the first four crops, and from now on reads again whenever something is old enough."""
    for crop in room.crops[:4]:
        answer(room.study, room.bob, crop, "disc")
    wants(room, reread_share=1.0, reread_after_items=0, adjudicates=False)
    return room


def wants(room: Room, **settings: Any) -> None:
    Study.objects.filter(pk=room.study.pk).update(**settings)
    room.study.refresh_from_db()


def served(room: Room, user: Any, count: int = 12) -> list[tuple[int, str]]:
    place = {crop.pk: number for number, crop in enumerate(room.crops)}
    return [(place[row.crop_id], row.why) for row in next_crops(room.study, user, count)]


def reread(room: Room, label: str = "ring", **more: Any) -> Annotation:
    """Bob's answer to the re-read that he gets now."""
    first = next_crops(room.study, room.bob, 1)[0]
    assert first.why == RE_READ
    return answer(room.study, room.bob, first.crop_id, label, **more)


def test_a_reread_stands_beside_the_first_answer_and_takes_no_place(again: Room) -> None:
    before = standing_answers(again.study)
    given = reread(again)
    assert (given.is_reread, given.supersedes_id, given.why_asked) == (True, None, RE_READ)
    assert Annotation.objects.current().filter(crop=given.crop, annotator=again.bob).count() == 2
    assert Annotation.objects.reads().filter(crop=given.crop).get().labels.get().label_class.key == "disc"
    after = standing_answers(again.study)
    assert (after.votes == before.votes).all() and (after.reads == before.reads).all()


def test_votes_agreement_and_the_table_of_reads_know_first_answers_only(again: Room) -> None:
    table, classes = reads_table(again.study), by_class(again.study)
    reread(again)
    assert reads_table(again.study) == table
    assert by_class(again.study) == classes


def test_progress_counts_rereads_so_that_nobody_can_tell_them_apart(again: Room) -> None:
    reread(again)
    assert own_progress(again.study, again.bob).answered == 5


def test_each_crop_is_read_again_once_and_then_the_queue_goes_on(again: Room) -> None:
    seen = [reread(again).crop_id for _ in range(4)]
    assert sorted(seen) == sorted(crop.pk for crop in again.crops[:4])
    assert {why for _, why in served(again, again.bob)} == {"uncertain"}


def test_others_get_no_rereads_of_a_readers_crops(again: Room) -> None:
    assert RE_READ not in {why for _, why in served(again, again.dora)}


def test_a_crop_that_is_being_read_again_counts_for_nobody_else(again: Room) -> None:
    wants(again, reads_per_crop=2)
    held = {place for place, why in served(again, again.bob)[:3] if why == RE_READ}
    assert held and held <= {place for place, _ in served(again, again.dora)}


@pytest.mark.parametrize(
    ("setting", "due"),
    [
        ({"reread_after_items": 2}, {0, 1}),
        ({"reread_after_items": 3}, {0}),
        ({"reread_after_items": 4}, set()),
        ({"reread_after_items": 200, "reread_after_days": 0}, {0, 1, 2, 3}),
        ({"reread_after_items": 200, "reread_after_days": 7}, set()),
    ],
)
def test_a_reread_comes_after_so_many_days_or_so_many_other_answers(
    again: Room, setting: dict[str, int], due: set[int]
) -> None:
    wants(again, **setting)
    assert {place for place, why in served(again, again.bob) if why == RE_READ} == due


def test_answers_that_are_old_enough_by_the_clock_are_due(again: Room) -> None:
    wants(again, reread_after_items=200)
    long_ago = timezone.now() - timedelta(days=7, minutes=1)
    Annotation.objects.filter(crop=again.crops[2]).update(received_at=long_ago)
    assert [place for place, why in served(again, again.bob) if why == RE_READ] == [2]


@pytest.mark.parametrize(
    "change", [{"is_bulk": True}, {"source": "import"}, {"answer": "bad_crop"}, {"answer": "wrong_object"}]
)
def test_only_classes_and_not_sure_that_were_given_one_by_one_are_asked_again(
    again: Room, change: dict[str, Any]
) -> None:
    Annotation.objects.filter(crop=again.crops[1]).update(**change)
    assert {place for place, why in served(again, again.bob) if why == RE_READ} == {0, 2, 3}


def test_an_answer_that_comes_after_its_reader_left_is_still_a_reread(again: Room) -> None:
    crop = next_crops(again.study, again.bob, 1)[0].crop_id
    release(again.study, again.bob)
    given = answer(again.study, again.bob, crop, "ring")
    assert given.is_reread and given.supersedes_id is None


@pytest.mark.parametrize(("hours", "is_reread"), [(23, True), (25, False)])
def test_a_reread_that_was_asked_more_than_a_day_ago_makes_no_reread_of_an_edit(
    again: Room, hours: int, is_reread: bool
) -> None:
    crop = next_crops(again.study, again.bob, 1)[0].crop_id
    Lease.objects.filter(crop=crop).update(expires_at=timezone.now() - timedelta(hours=hours))
    first = Annotation.objects.reads().get(crop=crop)
    given = answer(again.study, again.bob, crop, "ring")
    assert given.is_reread == is_reread == (given.why_asked == RE_READ)
    assert given.supersedes_id == (None if is_reread else first.pk)


def test_an_edit_after_a_reread_supersedes_the_reread_and_the_first_answer_stays(again: Room) -> None:
    given = reread(again)
    edited = answer(again.study, again.bob, given.crop_id, "disc")
    assert (edited.supersedes_id, edited.is_reread, edited.why_asked) == (given.pk, True, RE_READ)
    assert len(reads_of(again.study)[given.crop_id]) == 1


@pytest.mark.parametrize("has_left", [True, False])
def test_an_edit_that_names_the_first_answer_is_no_reread_although_one_was_asked(again: Room, has_left: bool) -> None:
    Annotation.objects.update(why_asked=STREAM, probability_asked=0.25)
    crop = next_crops(again.study, again.bob, 1)[0].crop_id
    if has_left:
        release(again.study, again.bob)
    first = Annotation.objects.get(crop=crop)
    edited = answer(again.study, again.bob, crop, "ring", replaces=first.client_id)
    assert (edited.is_reread, edited.supersedes_id) == (False, first.pk)
    assert (edited.why_asked, edited.probability_asked) == (STREAM, 0.25)
    given = answer(again.study, again.bob, crop, "disc", replaces=None)
    assert (given.is_reread, given.supersedes_id, given.why_asked) == (True, None, RE_READ)


def test_each_of_two_answers_to_a_crop_is_edited_by_its_name(again: Room) -> None:
    given = reread(again)
    first = Annotation.objects.reads().get(crop=given.crop)
    edited = answer(again.study, again.bob, given.crop_id, "ring", replaces=first.client_id)
    assert (edited.is_reread, edited.supersedes_id, edited.why_asked) == (False, first.pk, first.why_asked)
    edited = answer(again.study, again.bob, given.crop_id, "disc", replaces=given.client_id)
    assert (edited.is_reread, edited.supersedes_id, edited.why_asked) == (True, given.pk, RE_READ)


def test_an_edit_of_a_version_that_stands_no_more_is_a_conflict_and_no_reread(again: Room) -> None:
    crop = next_crops(again.study, again.bob, 1)[0].crop_id
    old = Annotation.objects.get(crop=crop)
    answer(again.study, again.bob, crop, "ring", replaces=old.client_id)
    with pytest.raises(AnswerConflict):
        answer(again.study, again.bob, crop, "", replaces=old.client_id)


def test_an_edit_of_a_crop_that_was_not_read_again_supersedes_the_first_answer(again: Room) -> None:
    first = Annotation.objects.get(crop=again.crops[0])
    edited = answer(again.study, again.bob, again.crops[0], "ring")
    assert (edited.supersedes_id, edited.is_reread) == (first.pk, False)


def test_an_undone_reread_is_shown_again_and_answered_as_one(again: Room) -> None:
    given = reread(again)
    undo(again.study, again.bob, uuid4())
    again_given = answer(again.study, again.bob, given.crop_id, "disc")
    assert again_given.is_reread and again_given.supersedes_id is None
    assert Annotation.objects.current().filter(crop=given.crop, is_reread=True).get() == again_given


def test_a_first_answer_that_is_taken_back_after_a_reread_is_given_anew(again: Room) -> None:
    given = reread(again)
    first = Annotation.objects.reads().get(crop=given.crop)
    undo(again.study, again.bob, uuid4(), first.client_id)
    anew = answer(again.study, again.bob, given.crop_id, "ring")
    assert (anew.is_reread, anew.supersedes_id) == (False, None)
    assert [read.number for read in reads_of(again.study)[given.crop_id]] == [anew.pk]


def test_the_same_reread_sent_from_two_windows_stands_once(again: Room) -> None:
    crop = next_crops(again.study, again.bob, 1)[0].crop_id
    answer(again.study, again.bob, crop, "ring")
    answer(again.study, again.bob, crop, "ring")
    assert Annotation.objects.current().filter(crop=crop, annotator=again.bob).count() == 2


def test_a_reread_that_was_put_aside_does_not_come_again(again: Room) -> None:
    crop = next_crops(again.study, again.bob, 1)[0].crop_id
    skip(again.study, again.bob, crop)
    assert crop not in {row.crop_id for row in next_crops(again.study, again.bob, 12)}


def test_in_a_blind_study_a_reread_looks_like_any_other_crop(again: Room) -> None:
    wants(again, is_blind=True, reread_share=0.5)
    client = Client()
    client.force_login(again.bob)
    shown = client.get(f"/api/v1/studies/{again.study.pk}/next/").json()["crops"]
    kinds = {row.why == RE_READ for row in Lease.objects.filter(user=again.bob)} | {
        row["id"] in {crop.pk for crop in again.crops[:4]} for row in shown
    }
    assert kinds == {True, False}
    assert {row["why"] for row in shown} == {None}
    assert len({tuple(sorted(row)) for row in shown}) == 1


def test_asking_again_gives_the_same_rereads_at_the_same_places(again: Room) -> None:
    wants(again, reread_share=0.4)
    assert served(again, again.bob) == served(again, again.bob)


@pytest.mark.django_db
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_the_share_of_rereads_is_the_one_asked_for_and_their_moments_differ(room: Room, share: float) -> None:
    wants(room, reread_share=share)
    now = timezone.now()
    slots = {user.pk: special_slots(Reader(room.study, user, now), 0, 4000) for user in (room.bob, room.dora)}
    for drawn in slots.values():
        assert abs(drawn.count(RE_READ) / 4000 - share) < 0.03
    assert slots[room.bob.pk] != slots[room.dora.pk]
    at = [place for place, kind in enumerate(slots[room.bob.pk]) if kind]
    assert len({later - earlier for earlier, later in pairwise(at)}) > 3


def test_rereads_come_at_their_moments_and_what_was_prefetched_is_what_comes(room: Room) -> None:
    for crop in room.crops[:6]:
        answer(room.study, room.bob, crop)
    wants(room, reread_share=0.4, reread_after_items=0)
    drawn = special_slots(Reader(room.study, room.bob, timezone.now()), 0, 5)
    before = served(room, room.bob, 5)
    assert [why == RE_READ for _, why in before] == [kind == RE_READ for kind in drawn]
    for _ in range(3):
        answer(room.study, room.bob, room.crops[before[0][0]])
        after = served(room, room.bob, 5)
        assert after[: len(before) - 1] == before[1:]
        before = after


def test_the_command_and_the_page_hold_a_reader_against_their_rereads_and_nothing_else_changes(again: Room) -> None:
    before = agreement_of(again.study, full=True)
    assert before["intra"] == {}
    for label in ("disc", "disc", "ring"):
        reread(again, label)
    after = agreement_of(again.study, full=True)
    own = after["intra"]["bob"]
    assert (own["n"], own["percent"]["value"], after["repeats"]["n"]) == (3, pytest.approx(2 / 3), 3)
    (row,) = compute(again.study)[0]["intra"]
    assert (row["reader"], row["n"], row["percent"]["value"]) == ("bob", own["n"], own["percent"]["value"])
    again_alone = ("intra", "repeats")
    assert [after[key] for key in before if key not in again_alone] == [
        before[key] for key in before if key not in again_alone
    ]


def test_an_edited_first_answer_stays_the_first_beside_its_reread(again: Room) -> None:
    second = reread(again, "ring")
    first = Annotation.objects.reads().get(crop=second.crop, annotator=again.bob)
    edited = answer(again.study, again.bob, second.crop, "ring", replaces=first.client_id)
    assert (edited.is_reread, edited.supersedes) == (False, first)
    rows = reads_table(again.study, with_rereads=True)
    assert [row[2] for row in rows if row[0] == second.crop.key] == ["ring", "ring"]
    assert agreement_of(again.study)["intra"]["bob"]["percent"]["value"] == 1
