"""The random stream: two blind reads, a third where they differ, and what is counted from it."""

from typing import Any

import pytest

from labeling.models import Annotation
from labeling.services.ambiguous import ambiguous_crops, reopen
from labeling.services.imports.store import take
from labeling.services.queue import next_crops
from labeling.services.reads import ADJUDICATION, STREAM
from labeling.services.stream import State, StreamCrop, stream_counts, stream_crops
from tests.factories import answer, fill_queue
from tests.labeling.conftest import Room
from tests.labeling.exchange_files import csv_upload

UNSURE, BAD = "", "bad_crop"


@pytest.fixture
def stream(room: Room) -> Room:
    """All crops come from the random stream."""
    fill_queue(room.study, room.crops, why=STREAM)
    return room


def read(room: Room, user: Any, said: str, crop: int = 0) -> Annotation:
    """The user's answer to a crop, as the queue hands it out."""
    next_crops(room.study, user, 12)
    if said == BAD:
        return answer(room.study, user, room.crops[crop], "", answer=BAD, classes=())
    return answer(room.study, user, room.crops[crop], said)


def only(room: Room) -> StreamCrop:
    (row,) = stream_crops(room.study)
    return row


def offered(room: Room, user: Any) -> dict[int, str]:
    return {row.crop_id: row.why for row in next_crops(room.study, user, 12)}


@pytest.mark.parametrize(
    ("said", "state", "label"),
    [
        (["disc"], State.ONE_READ, ""),
        ([UNSURE], State.ONE_READ, ""),
        (["disc", "disc"], State.AGREE, "disc"),
        (["disc", "ring"], State.WAITING, ""),
        (["disc", UNSURE], State.WAITING, ""),
        (["disc", "ring", "ring"], State.DECIDED, "ring"),
        (["disc", UNSURE, "disc"], State.DECIDED, "disc"),
        ([UNSURE, UNSURE], State.AMBIGUOUS, ""),
        (["disc", UNSURE, UNSURE], State.AMBIGUOUS, ""),
        (["disc", "ring", UNSURE], State.AMBIGUOUS, ""),
        ([BAD], State.BAD, ""),
        (["disc", BAD], State.BAD, ""),
    ],
)
def test_the_state_follows_from_the_reads(stream: Room, said: list[str], state: State, label: str) -> None:
    for user, word in zip((stream.bob, stream.dora, stream.alice), said):
        read(stream, user, word)
    assert (only(stream).state, only(stream).label) == (state, label)
    assert (stream.crops[0].pk in ambiguous_crops(stream.study)) == (state is State.AMBIGUOUS)


def test_two_that_differ_go_to_a_third_reader_as_an_adjudication_and_to_no_fourth(stream: Room) -> None:
    read(stream, stream.bob, "disc")
    read(stream, stream.dora, "ring")
    assert stream.crops[0].pk not in offered(stream, stream.bob)
    assert offered(stream, stream.alice)[stream.crops[0].pk] == ADJUDICATION
    given = read(stream, stream.alice, "ring")
    assert (given.why_asked, given.probability_asked) == (ADJUDICATION, None)
    assert only(stream).adjudicated.number == given.pk
    for user in (stream.alice, stream.bob, stream.dora):
        assert stream.crops[0].pk not in offered(stream, user)


def test_a_third_answer_that_nobody_handed_out_adjudicates_too(stream: Room) -> None:
    read(stream, stream.bob, "disc")
    read(stream, stream.dora, "ring")
    assert answer(stream.study, stream.alice, stream.crops[0], "disc").why_asked == ADJUDICATION


def test_two_that_agree_need_no_third(stream: Room) -> None:
    read(stream, stream.bob, "disc")
    read(stream, stream.dora, "disc")
    assert stream.crops[0].pk not in offered(stream, stream.alice)


def test_reads_that_come_to_agree_settle_the_crop_without_the_adjudicator(stream: Room) -> None:
    for user, word in ((stream.bob, "disc"), (stream.dora, "ring"), (stream.alice, "ring")):
        read(stream, user, word)
    answer(stream.study, stream.dora, stream.crops[0], "disc")
    assert (only(stream).state, only(stream).label) == (State.AGREE, "disc")


@pytest.mark.parametrize("adjudicates", [True, False])
def test_crops_outside_the_stream_are_adjudicated_where_the_study_wants_it(room: Room, adjudicates: bool) -> None:
    room.study.reads_per_crop, room.study.adjudicates = 2, adjudicates
    room.study.save()
    answer(room.study, room.bob, room.crops[0], "disc")
    answer(room.study, room.dora, room.crops[0], "ring")
    assert offered(room, room.alice).get(room.crops[0].pk) == (ADJUDICATION if adjudicates else None)
    assert not {room.crops[0].pk} & (offered(room, room.bob).keys() | offered(room, room.dora).keys())
    assert stream_crops(room.study) == []


def test_rates_count_one_first_read_per_crop(stream: Room) -> None:
    for place, words in enumerate((["disc", "disc"], [UNSURE, "disc"], [BAD], [BAD])):
        for user, word in zip((stream.bob, stream.dora), words):
            read(stream, user, word, place)
    counts = stream_counts(stream_crops(stream.study))
    assert (counts.crops, counts.reads, counts.settled) == (4, 6, 1)
    assert (counts.not_sure_rate, counts.bad_rate) == (0.25, 0.5)
    assert counts.by_state[State.WAITING] == 1


def test_a_study_without_a_stream_has_no_rates(room: Room) -> None:
    counts = stream_counts(stream_crops(room.study))
    assert (counts.crops, counts.not_sure_rate, counts.bad_rate) == (0, None, None)


def test_a_class_named_after_reopening_settles_an_ambiguous_crop_of_the_stream(stream: Room) -> None:
    read(stream, stream.bob, UNSURE)
    read(stream, stream.dora, UNSURE)
    reopen(stream.study, stream.alice, stream.crops[0])
    assert only(stream).state is State.AMBIGUOUS
    read(stream, stream.alice, "ring")
    assert (only(stream).state, only(stream).label) == (State.DECIDED, "ring")


@pytest.mark.parametrize("said", ["disc", "ring"])
def test_a_label_out_of_a_file_neither_settles_a_check_nor_replaces_a_reader(stream: Room, said: str) -> None:
    read(stream, stream.bob, "disc")
    take(stream.study, csv_upload("crop,class,annotator", f"{stream.crops[0].key},{said},model_v3"), stream.alice)
    assert (only(stream).state, [row.annotator for row in only(stream).reads]) == (State.ONE_READ, [stream.bob.pk])
    assert offered(stream, stream.dora)[stream.crops[0].pk] == STREAM
    assert read(stream, stream.dora, "ring").why_asked == STREAM
    assert only(stream).state is State.WAITING
    assert offered(stream, stream.alice)[stream.crops[0].pk] == ADJUDICATION
    read(stream, stream.alice, "ring")
    assert (only(stream).state, only(stream).label) == (State.DECIDED, "ring")
