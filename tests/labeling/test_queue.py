"""Who gets which crop next: best first, nobody twice, nobody at the same time."""

from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone

from labeling.models import Annotation, Lease, QueueEntry, Ranked, Study
from labeling.services.answers import AnswerRefused, undo
from labeling.services.classes import add_class, retire_class
from labeling.services.queue import (
    LEASED_AHEAD,
    NewEntry,
    RankingInfo,
    leased_crops,
    next_crops,
    release,
    replace_queue,
)
from labeling.services.queueing import serving
from labeling.services.reads import Situation, is_shared, reads_needed
from tests.factories import add_reader, answer, crops_of, fill_queue, make_experiment, make_study
from tests.labeling.conftest import Room


def ids(room: Room, user: object, count: int = LEASED_AHEAD) -> list[int]:
    return [candidate.crop_id for candidate in next_crops(room.study, user, count)]


def expire(room: Room) -> None:
    Lease.objects.filter(study=room.study).update(expires_at=timezone.now() - timedelta(seconds=1))


def test_the_first_crop_is_the_one_with_the_highest_rank(room: Room) -> None:
    fill_queue(room.study, room.crops[::-1])
    assert ids(room, room.bob, 12) == [crop.pk for crop in room.crops[::-1]]


def test_two_annotators_never_hold_the_same_crop_at_one_read_per_crop(room: Room) -> None:
    held = {name: set(ids(room, user)) for name, user in (("bob", room.bob), ("dora", room.dora))}
    assert len(held["bob"]) == len(held["dora"]) == LEASED_AHEAD
    assert not held["bob"] & held["dora"]


def test_asking_again_gives_the_same_crops(room: Room) -> None:
    assert ids(room, room.bob, 12) == ids(room, room.bob, 12)


def test_all_crops_are_read_once_by_two_annotators_in_turn(room: Room) -> None:
    seen: list[int] = []
    while (offered := ids(room, room.bob)) or (offered := ids(room, room.dora)):
        reader = room.bob if Lease.objects.filter(user=room.bob, crop=offered[0]).exists() else room.dora
        seen.append(answer(room.study, reader, offered[0]).crop_id)
    assert sorted(seen) == sorted(crop.pk for crop in room.crops)


def test_a_crop_whose_lease_ended_returns_to_others(room: Room) -> None:
    first = ids(room, room.bob)
    assert not set(first) & set(ids(room, room.dora))
    expire(room)
    assert ids(room, room.dora) == first


def test_after_a_crash_the_reader_goes_on_with_what_they_held_and_holds_no_more(room: Room) -> None:
    client = Client()
    client.force_login(room.bob)

    def open_room() -> list[int]:
        assert client.get(f"/studies/{room.study.pk}/read/").status_code == 200
        reply = client.get(f"/api/v1/studies/{room.study.pk}/next/?count=12").json()
        return [crop["id"] for crop in reply["crops"]]

    held = open_room()[:LEASED_AHEAD]
    # The tab crashes: nobody says that it left. Meanwhile the pool is ranked in another order.
    fill_queue(room.study, room.crops[::-1])
    assert open_room()[:LEASED_AHEAD] == held
    assert set(leased_crops(room.study)) == set(held)
    assert not set(ids(room, room.dora)) & set(held)


def test_a_lease_is_renewed_as_long_as_its_holder_asks(room: Room) -> None:
    first = ids(room, room.bob)
    soon = timezone.now() + timedelta(seconds=5)
    Lease.objects.update(expires_at=soon)
    assert ids(room, room.bob) == first
    assert Lease.objects.filter(expires_at__gt=soon).count() == len(first)


def test_leaving_gives_the_crops_back_and_touches_nobody_else(room: Room) -> None:
    first, second = ids(room, room.bob), ids(room, room.dora)
    release(room.study, room.bob)
    assert sorted(leased_crops(room.study)) == sorted(second)
    assert ids(room, room.alice) == first


def test_a_crop_that_was_answered_is_not_offered_again(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0])
    for reader in (room.bob, room.dora):
        assert room.crops[0].pk not in ids(room, reader, 12)


@pytest.mark.parametrize(
    ("rule", "place"),
    [({"overlap_share": 1.0}, 0), ({"reads_per_crop": 2}, 11)],
    ids=["a shared crop at once", "all crops after every first read"],
)
def test_a_second_read_is_offered_to_the_other_annotator_and_not_to_the_first(
    room: Room, rule: dict[str, float], place: int
) -> None:
    Study.objects.filter(pk=room.study.pk).update(**rule)
    room.study.refresh_from_db()
    answer(room.study, room.bob, room.crops[0])
    assert room.crops[0].pk not in ids(room, room.bob, 12)
    release(room.study, room.bob)
    assert ids(room, room.dora, 12)[place] == room.crops[0].pk
    answer(room.study, room.dora, room.crops[0])
    assert room.crops[0].pk not in ids(room, room.alice, 12)


def test_one_not_sure_asks_a_second_expert_and_two_are_enough(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "")
    assert ids(room, room.dora)[0] == room.crops[0].pk
    answer(room.study, room.dora, room.crops[0], "")
    assert room.crops[0].pk not in ids(room, room.alice, 12)


@pytest.mark.parametrize("kind", ["bad_crop", "wrong_object"])
def test_bad_crops_leave_even_where_two_reads_are_wanted(room: Room, kind: str) -> None:
    Study.objects.filter(pk=room.study.pk).update(reads_per_crop=2)
    room.study.refresh_from_db()
    answer(room.study, room.bob, room.crops[0], answer=kind, classes=())
    assert room.crops[0].pk not in ids(room, room.dora, 12)


def test_a_crop_of_the_random_stream_is_read_twice(room: Room) -> None:
    fill_queue(room.study, room.crops, why="random check")
    answer(room.study, room.bob, ids(room, room.bob)[0])
    assert ids(room, room.dora)[0] == room.crops[0].pk


def test_a_crop_that_is_taken_back_is_held_by_the_one_who_looks_at_it(room: Room) -> None:
    answer(room.study, room.bob, ids(room, room.bob)[0])
    undo(room.study, room.bob, uuid4())
    assert room.crops[0].pk in ids(room, room.bob)
    assert room.crops[0].pk not in ids(room, room.dora, 12)


def test_a_new_ranking_replaces_the_old_one_as_a_whole(room: Room) -> None:
    fill_queue(room.study, room.crops[6:], newest=4)
    assert list(room.study.queue.values_list("crop", "rank")) == [(c.pk, n) for n, c in enumerate(room.crops[6:])]
    assert Ranked.objects.get(study=room.study).last_annotation == 4


@pytest.mark.parametrize("broken", ["crop twice", "no reason"])
def test_a_ranking_that_cannot_be_stored_leaves_the_old_one(room: Room, broken: str) -> None:
    entry = NewEntry(room.crops[0].pk, 1.0, "uncertain" if broken == "crop twice" else None, None)
    before = list(QueueEntry.objects.values_list("pk", flat=True))
    with pytest.raises(IntegrityError):
        replace_queue(room.study, [entry, entry], RankingInfo("cd" * 32, "uherding", "handcrafted", 2, 0))
    assert list(QueueEntry.objects.values_list("pk", flat=True)) == before
    assert Ranked.objects.get(study=room.study).digest == "ab" * 32


def test_a_held_crop_stays_with_its_reader_when_the_ranking_changes(room: Room) -> None:
    held = ids(room, room.bob)
    fill_queue(room.study, room.crops[::-1])
    assert ids(room, room.bob) == held


def test_the_queue_of_another_study_is_untouched_and_unseen(room: Room) -> None:
    other = Study.objects.create(name="other", question="?")
    replace_queue(other, [], RankingInfo("cd" * 32, "uherding", "handcrafted", 0, 0))
    assert next_crops(other, room.bob, 5) == []
    assert room.study.queue.count() == len(room.crops)


def test_long_queues_are_searched_to_their_end(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labeling.services.queueing.serving.CHUNK", 2)
    for crop in room.crops[:-1]:
        answer(room.study, room.bob, crop)
    assert ids(room, room.dora, 5) == [room.crops[-1].pk]


def test_the_share_of_crops_with_a_second_reader_is_the_one_asked_for() -> None:
    study = Study(pk=3, seed=1, overlap_share=0.2)
    keys = [f"key {number}" for number in range(4000)]
    shared = [key for key in keys if is_shared(study, key)]
    assert 0.17 < len(shared) / len(keys) < 0.23
    study.overlap_share = 0.4
    assert all(is_shared(study, key) for key in shared)


def test_reads_needed_never_falls_with_another_class_or_not_sure() -> None:
    study = Study(pk=3, reads_per_crop=1, overlap_share=0.0)
    assert reads_needed(study, "k", []) == 1
    assert reads_needed(study, "k", ["label"]) == 1
    assert reads_needed(study, "k", ["not_sure"]) == 2
    assert reads_needed(study, "k", [], Situation(in_stream=True)) == 2
    assert reads_needed(study, "k", ["bad_crop"]) == 1


def test_a_long_queue_of_crops_that_a_reader_knows_costs_few_queries(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labeling.services.queueing.serving.CHUNK", 1)
    Study.objects.update(reads_per_crop=2)
    room.study.refresh_from_db()
    for crop in room.crops[:-1]:
        answer(room.study, room.bob, crop)
    looks, readable = [], serving.readable

    def look(reader: Any, offers: Any) -> Any:
        looks.extend([len(offers)] if offers else [])
        return readable(reader, offers)

    monkeypatch.setattr(serving, "readable", look)
    assert ids(room, room.bob, 1) == [room.crops[-1].pk]
    assert looks[:3] == [1, 2, 4] and len(looks) == 4


def test_a_ranking_that_comes_between_two_looks_offers_no_crop_twice(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labeling.services.queueing.serving.CHUNK", 2)

    def look_and_rank(reader: Any, offers: Any) -> Any:
        found = readable(reader, offers)
        fill_queue(room.study, room.crops[::-1])
        return found

    readable = serving.readable
    monkeypatch.setattr(serving, "readable", look_and_rank)
    offered = ids(room, room.bob, 12)
    assert len(set(offered)) == len(offered) and set(offered) <= {crop.pk for crop in room.crops}


def test_with_many_readers_each_still_gets_what_is_nearly_the_best(room: Room, tmp_path: Path) -> None:
    """A peer serves at random as soon as there are two readers: median rank 215 of 400 instead of 0."""
    experiment = make_experiment(tmp_path, "large", crops=90, seed=3)
    study = make_study(room.alice, experiment, name="large")
    people = [add_reader(study, f"reader {number}") for number in range(5)]
    waiting = [crop.pk for crop in crops_of(experiment)][::-1]
    fill_queue(study, crops_of(experiment)[::-1])
    ranks = []
    for turn in range(40):
        crop = next_crops(study, people[turn % len(people)], LEASED_AHEAD)[0].crop_id
        ranks.append(waiting.index(crop))
        waiting.remove(answer(study, people[turn % len(people)], crop).crop_id)
    assert median(ranks) <= len(people)
    assert max(ranks) < LEASED_AHEAD * len(people)


def test_a_reader_whose_lease_ended_while_thinking_answers_once_and_it_counts(room: Room) -> None:
    crop = ids(room, room.bob)[0]
    expire(room)
    assert ids(room, room.dora)[0] == crop
    answer(room.study, room.dora, crop)
    given = answer(room.study, room.bob, crop)
    assert set(room.study.annotations.filter(crop=crop).values_list("annotator", flat=True)) == {
        room.bob.pk,
        room.dora.pk,
    }
    assert given.why_asked == "uncertain" and crop not in ids(room, room.bob, 12)


@pytest.mark.parametrize("change", ["retired", "merged"])
def test_a_class_that_goes_while_a_crop_is_on_screen_leaves_the_crop_with_its_reader(room: Room, change: str) -> None:
    add_class(room.study, room.alice, "oval", "oval")
    held = ids(room, room.bob)
    disc, ring = (room.study.classes.get(key=key) for key in ("disc", "ring"))
    retire_class(disc, room.alice, into=ring if change == "merged" else None)
    became = "merged into .ring." if change == "merged" else "removed"
    with pytest.raises(AnswerRefused, match=f"no open class .disc.: it was {became}"):
        answer(room.study, room.bob, held[0], "disc")
    assert ids(room, room.bob) == held
    assert answer(room.study, room.bob, held[0], "ring").crop_id == held[0]


def test_what_was_answered_while_a_ranking_was_made_is_not_queued_by_it(room: Room) -> None:
    newest = Annotation.objects.order_by("-id").values_list("id", flat=True).first() or 0
    read, unsure, back = room.crops[:3]
    answer(room.study, room.bob, read)
    answer(room.study, room.bob, unsure, "")
    answer(room.study, room.bob, back)
    undo(room.study, room.bob, uuid4())
    rows = [NewEntry(crop.pk, 1.0 / (place + 1), "uncertain", None) for place, crop in enumerate(room.crops)]
    replace_queue(room.study, rows, RankingInfo("ab" * 32, "uherding", "handcrafted", len(rows), newest))
    assert list(QueueEntry.objects.order_by("rank").values_list("crop_id", flat=True)) == [
        crop.pk for crop in room.crops if crop != read
    ]
