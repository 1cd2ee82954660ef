"""Crops that two readers could not tell: frozen, kept apart, and opened again by leads alone."""

from typing import Any
from uuid import uuid4

import pytest

from audit.models import AuditEvent
from labeling.services.ambiguous import ReopenRefused, ambiguous_crops, reopen, waiting_again
from labeling.services.answers import undo
from labeling.services.queue import next_crops
from labeling.services.reads import STREAM
from tests.factories import add_reader, answer, fill_queue
from tests.labeling.conftest import Room


@pytest.fixture
def frozen(room: Room) -> Room:
    """Bob and Dora are not sure of the first crop."""
    answer(room.study, room.bob, room.crops[0], "")
    answer(room.study, room.dora, room.crops[0], "")
    return room


def gets_it(room: Room, user: Any) -> bool:
    return room.crops[0].pk in {row.crop_id for row in next_crops(room.study, user, 12)}


def test_one_not_sure_and_one_class_leave_the_class(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "")
    answer(room.study, room.dora, room.crops[0], "disc")
    assert ambiguous_crops(room.study) == []
    assert not gets_it(room, room.alice)


@pytest.mark.parametrize("reads_per_crop", [1, 3])
def test_two_not_sures_freeze_a_crop_however_many_reads_are_wanted(frozen: Room, reads_per_crop: int) -> None:
    frozen.study.reads_per_crop = reads_per_crop
    frozen.study.save()
    assert ambiguous_crops(frozen.study) == [frozen.crops[0].pk]
    assert not gets_it(frozen, frozen.alice)


def test_two_not_sures_outweigh_a_class(room: Room) -> None:
    for user, said in ((room.alice, "disc"), (room.bob, ""), (room.dora, "")):
        answer(room.study, user, room.crops[0], said)
    assert ambiguous_crops(room.study) == [room.crops[0].pk]


def test_the_same_reader_twice_not_sure_freezes_nothing(room: Room) -> None:
    for _ in range(2):
        answer(room.study, room.bob, room.crops[0], "")
    assert ambiguous_crops(room.study) == []


def test_taking_a_not_sure_back_thaws_the_crop(frozen: Room) -> None:
    undo(frozen.study, frozen.dora, uuid4())
    assert ambiguous_crops(frozen.study) == []


def test_a_reopened_crop_is_read_once_more_and_frozen_again_by_another_not_sure(frozen: Room) -> None:
    reopen(frozen.study, frozen.alice, frozen.crops[0])
    assert waiting_again(frozen.study) == {frozen.crops[0].pk}
    assert gets_it(frozen, frozen.alice) and not gets_it(frozen, frozen.bob)
    answer(frozen.study, frozen.alice, frozen.crops[0], "")
    assert waiting_again(frozen.study) == set()
    assert ambiguous_crops(frozen.study) == [frozen.crops[0].pk]
    assert not gets_it(frozen, add_reader(frozen.study, "eve"))


def test_a_class_after_reopening_ends_the_ambiguity(frozen: Room) -> None:
    reopen(frozen.study, frozen.alice, frozen.crops[0])
    answer(frozen.study, frozen.alice, frozen.crops[0], "ring")
    assert ambiguous_crops(frozen.study) == []


def test_reopening_is_audited_and_refused_where_nothing_is_frozen_or_a_read_is_awaited(frozen: Room) -> None:
    with pytest.raises(ReopenRefused, match="Only an ambiguous crop"):
        reopen(frozen.study, frozen.alice, frozen.crops[1])
    reopen(frozen.study, frozen.alice, frozen.crops[0])
    assert AuditEvent.objects.filter(action="crop.reopened").count() == 1
    with pytest.raises(ReopenRefused, match="waits for its next reader"):
        reopen(frozen.study, frozen.alice, frozen.crops[0])


def test_a_reopened_crop_is_offered_before_the_next_ranking(frozen: Room) -> None:
    fill_queue(frozen.study, frozen.crops[1:])
    reopen(frozen.study, frozen.alice, frozen.crops[0])
    assert next_crops(frozen.study, frozen.alice, 12)[0].crop_id == frozen.crops[0].pk


def test_a_crop_whose_adjudicator_could_not_tell_is_read_once_more_when_reopened(room: Room) -> None:
    fill_queue(room.study, room.crops, why=STREAM)
    for user, said in ((room.bob, "disc"), (room.dora, "ring"), (add_reader(room.study, "eve"), "")):
        answer(room.study, user, room.crops[0], said)
    assert ambiguous_crops(room.study) == [room.crops[0].pk] and not gets_it(room, room.alice)
    reopen(room.study, room.alice, room.crops[0])
    assert gets_it(room, room.alice) and not gets_it(room, room.bob)
    answer(room.study, room.alice, room.crops[0], "disc")
    assert ambiguous_crops(room.study) == [] and not gets_it(room, add_reader(room.study, "finn"))
