"""A class is split: its answers stay and count no more, their crops are open again, and nothing else moves."""

from typing import Any

import pytest

from audit.models import AuditEvent
from labeling.models import Annotation, LabelClass
from labeling.services import progress
from labeling.services.answers import AnswerRefused
from labeling.services.classes import add_class, restore_class, retire_class, split_class, undo_split
from labeling.services.queue import next_crops
from labeling.services.reads import CLASS_SPLIT, STREAM, reads_of
from labeling.services.refusals import StudyRefused
from labeling.services.requests import request_crops
from labeling.services.stream import stream_crops
from labeling.services.studies import NewClass
from labeling.services.summary import agreement_of
from tests.factories import answer, fill_queue
from tests.labeling.conftest import Room
from training.services.labels import FURTHER_READS, Standing, standing_answers

PARTS = (NewClass("thin", "thin ring"), NewClass("thick", "thick ring"))


def of(room: Room, key: str) -> LabelClass:
    return room.study.classes.get(key=key)


def split(room: Room, key: str = "ring") -> list[LabelClass]:
    return split_class(of(room, key), room.alice, PARTS)


def waits(standing: Standing) -> dict[int, str]:
    return {int(crop): FURTHER_READS[why] for crop, why in zip(standing.crop_ids, standing.further_read) if why}


def test_the_parts_take_the_place_of_the_class_on_the_keyboard(room: Room) -> None:
    add_class(room.study, room.alice, "blob", "Blob")
    made = split(room)
    open_ones = room.study.classes.filter(retired_at__isnull=True).order_by("position")
    assert [row.key for row in open_ones] == ["disc", "thin", "thick", "blob"]
    assert {row.split_from for row in made} == {of(room, "ring")} and of(room, "ring").retired_at is not None
    event = AuditEvent.objects.get(action="class.split")
    assert (event.detail["key"], event.detail["into"]) == ("ring", ["thin", "thick"])


def test_answers_of_a_split_class_stay_and_count_no_more(room: Room) -> None:
    given = answer(room.study, room.bob, room.crops[0], "ring")
    answer(room.study, room.dora, room.crops[1], "disc")
    split(room)
    assert set(reads_of(room.study)) == {room.crops[1].pk}
    (void,) = reads_of(room.study, with_void=True)[room.crops[0].pk]
    assert void.is_void and void.number == given.pk
    assert given.labels.get().label_class.key == "ring"
    assert progress.answered_crops(room.study) == 1
    assert {row["key"]: row["count"] for row in progress.by_class(room.study)} == {"disc": 1, "thin": 0, "thick": 0}
    assert [row[2] for row in progress.reads_table(room.study)] == ["disc"]


def test_agreement_forgets_the_reads_of_a_split_class_and_remembers_them_after_the_undo(room: Room) -> None:
    for crop, label in zip(room.crops[:2], ("ring", "disc")):
        for user in (room.bob, room.dora):
            answer(room.study, user, crop, label)
    before = agreement_of(room.study)
    split(room)
    assert agreement_of(room.study) != before
    undo_split(of(room, "ring"), room.alice)
    assert agreement_of(room.study) == before


def test_the_ranking_reads_no_vote_and_asks_the_crop_again_because_its_class_was_split(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "ring")
    answer(room.study, room.bob, room.crops[1], "disc")
    split(room)
    standing = standing_answers(room.study)
    assert waits(standing) == {room.crops[0].pk: CLASS_SPLIT}
    assert standing.votes.tolist() == [[0, 0, 0], [1, 0, 0]]
    assert standing.reads.tolist() == [0, 1]
    assert not standing.labelled()[0] and standing.labelled()[1]


def test_a_crop_of_the_random_stream_stays_one_when_it_is_asked_again(room: Room) -> None:
    fill_queue(room.study, room.crops, why=STREAM)
    assert next_crops(room.study, room.bob, 1)[0].crop_id == room.crops[0].pk
    answer(room.study, room.bob, room.crops[0], "ring")
    split(room)
    assert waits(standing_answers(room.study)) == {room.crops[0].pk: STREAM}
    assert stream_crops(room.study) == []
    answer(room.study, room.bob, room.crops[0], "thin")
    (crop,) = stream_crops(room.study)
    assert [read.label for read in crop.reads] == ["thin"] and crop.reads[0].why == STREAM


def test_who_answered_is_asked_again_and_the_new_answer_supersedes_the_void_one(room: Room) -> None:
    first = answer(room.study, room.bob, room.crops[0], "ring")
    fill_queue(room.study, room.crops[:1], why=CLASS_SPLIT, newest=first.pk)
    assert next_crops(room.study, room.bob, 1) == []
    split(room)
    (asked,) = next_crops(room.study, room.bob, 1)
    assert (asked.crop_id, asked.why) == (room.crops[0].pk, CLASS_SPLIT)
    second = answer(room.study, room.bob, room.crops[0], "thick")
    assert (second.supersedes, second.why_asked) == (first, CLASS_SPLIT)
    assert Annotation.objects.current().count() == 1
    assert [read.label for read in reads_of(room.study)[room.crops[0].pk]] == ["thick"]
    assert waits(standing_answers(room.study)) == {}


def test_a_read_of_another_class_beside_the_void_one_still_counts(room: Room) -> None:
    room.study.reads_per_crop = 2
    room.study.save()
    answer(room.study, room.bob, room.crops[0], "ring")
    answer(room.study, room.dora, room.crops[0], "disc")
    split(room)
    assert [read.label for read in reads_of(room.study)[room.crops[0].pk]] == ["disc"]
    assert waits(standing_answers(room.study)) == {room.crops[0].pk: CLASS_SPLIT}


def test_answers_of_a_class_that_was_merged_into_the_split_one_are_void_too(room: Room) -> None:
    blob = add_class(room.study, room.alice, "blob", "Blob")
    answer(room.study, room.bob, room.crops[0], "blob")
    retire_class(blob, room.alice, of(room, "ring"))
    split(room)
    assert dict(reads_of(room.study)) == {} and Annotation.objects.counted().count() == 0


def test_a_crop_whose_class_was_split_may_be_asked_for_by_its_reader(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "ring")
    assert request_crops(room.study, room.bob, room.crops[1], [room.crops[0].pk]) == 0
    split(room)
    assert request_crops(room.study, room.bob, room.crops[1], [room.crops[0].pk]) == 1


def test_a_split_is_undone_while_nobody_has_answered_anew(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "ring")
    before = list(room.study.classes.order_by("position").values("key", "retired_at"))
    split(room)
    undo_split(of(room, "ring"), room.alice)
    assert list(room.study.classes.order_by("position").values("key", "retired_at")) == before
    assert [read.label for read in reads_of(room.study)[room.crops[0].pk]] == ["ring"]
    assert AuditEvent.objects.get(action="class.split_undone").detail["parts"] == ["thin", "thick"]


def answered(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "thin")
    undo_split(of(room, "ring"), room.alice)


def split_once_more(room: Room) -> None:
    split_class(of(room, "thin"), room.alice, (NewClass("a", "a"), NewClass("b", "b")))
    undo_split(of(room, "ring"), room.alice)


def merged_into_a_part(room: Room) -> None:
    blob = add_class(room.study, room.alice, "blob", "Blob")
    retire_class(blob, room.alice, of(room, "thin"))
    undo_split(of(room, "ring"), room.alice)


def alone_after_it(room: Room) -> None:
    retire_class(of(room, "disc"), room.alice)
    undo_split(of(room, "ring"), room.alice)


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (answered, "has answered with a part of 'ring'"),
        (split_once_more, "undo that first"),
        (merged_into_a_part, "undo that first"),
        (alone_after_it, "needs two open classes"),
        (lambda room: undo_split(of(room, "disc"), room.alice), "was not split"),
        (lambda room: restore_class(of(room, "ring"), room.alice), "undo the split"),
        (lambda room: split_class(of(room, "ring"), room.alice, PARTS), "is retired"),
        (lambda room: split_class(of(room, "disc"), room.alice, PARTS[:1]), "two or more"),
        (lambda room: split_class(of(room, "disc"), room.alice, (NewClass("x", "x"), NewClass("x", "y"))), "key 'x'"),
        (
            lambda room: split_class(of(room, "disc"), room.alice, (NewClass("x", "ring"), NewClass("y", "y"))),
            "named",
        ),
        (lambda room: answer(room.study, room.bob, room.crops[1], "ring"), "no open class 'ring'"),
    ],
)
def test_what_would_lose_an_answer_or_mix_classes_up_is_refused(room: Room, act: Any, reason: str) -> None:
    split(room)
    with pytest.raises((StudyRefused, AnswerRefused), match=reason):
        act(room)
    assert of(room, "ring").retired_at is not None


def test_a_refused_split_leaves_no_part_behind(room: Room) -> None:
    before = list(room.study.classes.values())
    with pytest.raises(StudyRefused):
        split_class(of(room, "disc"), room.alice, (NewClass("x", "x"), NewClass("y", "ring")))
    assert list(room.study.classes.values()) == before
