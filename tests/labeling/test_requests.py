"""Crops that a reader asked for: first in their own queue, once, and by the rules of all other crops."""

from pathlib import Path
from typing import Any

import pytest

from labeling.models import Lease, RequestedCrop
from labeling.services import requests
from labeling.services.queue import NewEntry, RankingInfo, next_crops, replace_queue
from labeling.services.reads import MORE_LIKE_THIS, STREAM
from labeling.services.requests import RequestRefused, request_crops
from tests.factories import answer, crops_of, make_experiment
from tests.labeling.conftest import Room


def ask(room: Room, user: Any, *places: int) -> int:
    return request_crops(room.study, user, room.crops[0], [room.crops[place].pk for place in places])


def served(room: Room, user: Any, count: int = 12) -> list[tuple[int, str, float | None]]:
    place = {crop.pk: number for number, crop in enumerate(room.crops)}
    return [(place[row.crop_id], row.why, row.probability) for row in next_crops(room.study, user, count)]


def test_requested_crops_come_first_in_the_order_of_asking(room: Room) -> None:
    assert ask(room, room.bob, 9, 7) == 2
    assert served(room, room.bob)[:3] == [
        (9, MORE_LIKE_THIS, None),
        (7, MORE_LIKE_THIS, None),
        (0, "uncertain", None),
    ]


def test_every_crop_is_offered_once_also_where_it_is_requested_and_queued_and_held(room: Room) -> None:
    held = served(room, room.bob)
    ask(room, room.bob, 1, 11)
    offered = [place for place, _, _ in served(room, room.bob)]
    assert sorted(offered) == sorted(place for place, _, _ in held)
    assert offered[:2] == [1, 11]


def test_a_held_crop_keeps_the_reason_that_it_was_handed_out_for(room: Room) -> None:
    served(room, room.bob)
    ask(room, room.bob, 1)
    assert served(room, room.bob)[0] == (1, "uncertain", None)


def test_the_wish_ends_with_the_answer_and_the_answer_tells_of_it(room: Room) -> None:
    ask(room, room.bob, 9)
    served(room, room.bob)
    given = answer(room.study, room.bob, room.crops[9])
    assert (given.why_asked, given.probability_asked) == (MORE_LIKE_THIS, None)
    assert not RequestedCrop.objects.exists()


def test_others_neither_get_the_wish_nor_lose_their_own(room: Room) -> None:
    ask(room, room.bob, 9)
    ask(room, room.dora, 9)
    assert served(room, room.alice)[0][0] == 0
    assert served(room, room.dora, 1)[0] == (9, MORE_LIKE_THIS, None)
    assert 9 not in [place for place, _, _ in served(room, room.bob)]
    answer(room.study, room.dora, room.crops[9])
    assert 9 not in [place for place, _, _ in served(room, room.bob)]


def test_asking_twice_and_asking_for_what_was_answered_adds_nothing(room: Room) -> None:
    answer(room.study, room.bob, room.crops[3])
    assert [ask(room, room.bob, 3, 4, 4, 5), ask(room, room.bob, 4, 5)] == [2, 0]


def test_crops_of_another_pool_are_refused_and_nothing_is_asked_for(room: Room, tmp_path: Path) -> None:
    foreign = crops_of(make_experiment(tmp_path, "plate 2", crops=1, seed=5))[0]
    with pytest.raises(RequestRefused, match=f"Crop {foreign.pk} is not in the pool"):
        request_crops(room.study, room.bob, room.crops[0], [room.crops[1].pk, foreign.pk])
    assert not RequestedCrop.objects.exists()


def test_too_long_a_list_is_refused(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MOST_REQUESTED", 2)
    with pytest.raises(RequestRefused, match="At most 2 crops may wait"):
        ask(room, room.bob, 1, 2, 3)


def test_no_more_crops_are_held_than_are_shown_soon(room: Room) -> None:
    ask(room, room.bob, 4, 5, 6, 7, 8)
    served(room, room.bob)
    assert Lease.objects.count() == 3


def test_wishes_that_others_have_read_since_make_room_for_new_ones(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "MOST_REQUESTED", 2)
    ask(room, room.bob, 1, 2)
    answer(room.study, room.dora, room.crops[1])
    with pytest.raises(RequestRefused, match="At most 2 crops may wait"):
        ask(room, room.bob, 3, 4)
    assert ask(room, room.bob, 3) == 1
    assert [place for place, _, _ in served(room, room.bob, 2)] == [2, 3]


def test_a_wish_that_the_random_stream_draws_anyway_stays_in_the_stream(room: Room) -> None:
    entries = [
        NewEntry(crop.pk, 1.0, STREAM if place == 9 else "uncertain", 0.1) for place, crop in enumerate(room.crops)
    ]
    replace_queue(room.study, entries, RankingInfo("cd" * 32, "uherding", "handcrafted", 12, 0))
    ask(room, room.bob, 9, 7)
    assert served(room, room.bob)[:2] == [(9, STREAM, 0.1), (7, MORE_LIKE_THIS, None)]
    given = answer(room.study, room.bob, room.crops[9])
    assert (given.why_asked, given.probability_asked, given.ranking) == (STREAM, 0.1, "cd" * 32)
