"""Bad crops and wrong objects are counted where they were cut, and teach no class."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from labeling.models import Study
from labeling.services.answers import undo
from labeling.services.exclusions import exclude
from labeling.services.quality import called_by_experiment, called_by_image
from tests.factories import answer, crops_of, make_experiment
from tests.labeling.conftest import Room


def call(room: Room, user: Any, crop: Any, kind: str = "bad_crop") -> None:
    answer(room.study, user, crop, "", answer=kind, classes=())


def test_crops_are_counted_once_however_many_read_them(room: Room) -> None:
    for user in (room.bob, room.dora):
        call(room, user, room.crops[0])
    call(room, room.bob, room.crops[1], "wrong_object")
    answer(room.study, room.bob, room.crops[2])
    (row,) = called_by_experiment(room.study)
    assert (row.name, row.read, row.bad, row.wrong, row.share) == ("plate 1", 3, 1, 1, 2 / 3)


def test_a_crop_that_is_called_both_counts_once(room: Room) -> None:
    call(room, room.bob, room.crops[0])
    call(room, room.dora, room.crops[0], "wrong_object")
    (row,) = called_by_experiment(room.study)
    assert (row.faulty, row.bad, row.wrong) == (1, 1, 0)


def test_what_was_taken_back_or_changed_counts_no_more(room: Room) -> None:
    call(room, room.bob, room.crops[0])
    answer(room.study, room.bob, room.crops[0], "disc")
    call(room, room.dora, room.crops[1])
    undo(room.study, room.dora, uuid4())
    (row,) = called_by_experiment(room.study)
    assert (row.read, row.faulty) == (1, 0)


def test_the_worst_experiment_comes_first_and_images_are_counted_apart(room: Room, tmp_path: Path) -> None:
    other = make_experiment(tmp_path, "plate 2", crops=6, seed=4)
    room.study.experiments.add(other)
    answer(room.study, room.bob, room.crops[0])
    call(room, room.bob, crops_of(other)[0])
    assert [row.name for row in called_by_experiment(room.study)] == ["plate 2", "plate 1"]
    (row,) = called_by_image(other, Study.objects.all())
    assert (row.place, row.faulty) == (crops_of(other)[0].image_id, 1)
    assert called_by_image(other, Study.objects.none()) == []


def test_what_somebody_said_who_is_left_out_is_not_counted(room: Room) -> None:
    call(room, room.bob, room.crops[0])
    answer(room.study, room.dora, room.crops[1])
    exclude(room.study, room.bob, room.alice, "hasty")
    (row,) = called_by_experiment(room.study)
    assert (row.read, row.faulty) == (1, 0)
