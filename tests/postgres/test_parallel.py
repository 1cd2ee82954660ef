"""What only a server shows: many writers at the same moment. Run by `tests/postgres/run.py`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from audit import services as audit
from audit.chain.verify import verify
from audit.models import AuditEvent
from imaging.models import Crop
from labeling.models import Annotation, Lease, Study
from labeling.services.answers import AnswerConflict, submit, undo
from labeling.services.queue import next_crops
from labeling.services.reads import ADJUDICATION, STREAM
from labeling.services.requests import request_crops
from tests.factories import (
    add_reader,
    answer,
    crops_of,
    fill_queue,
    make_experiment,
    make_study,
    make_user,
    submission,
)
from training.models import TrainingRun
from training.services.labels import newest_annotation
from training.services.models import request_training
from training.services.work import claim
from training.worker.ranking import RankingWorker

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="needs a PostgreSQL server: tests/postgres/run.py"),
    pytest.mark.django_db(transaction=True),
]
WRITERS = 8


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each work returns; all of them start at the same moment, each on a connection of its own."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            barrier.wait(timeout=30)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result(timeout=60) for future in [pool.submit(run, work) for work in works]]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    experiment = make_experiment(tmp_path)
    made = make_study(make_user("alice"), experiment)
    fill_queue(made, crops_of(experiment))
    return made


def readers(study: Study, count: int) -> list[Any]:
    return [add_reader(study, f"reader {number}") for number in range(count)]


def test_readers_who_ask_at_the_same_moment_never_get_the_same_crop(study: Study) -> None:
    people = readers(study, WRITERS)
    for _ in range(3):
        Lease.objects.all().delete()
        given = at_once(*(lambda user=user: next_crops(study, user, 3) for user in people))
        crops = [candidate.crop_id for row in given for candidate in row]
        assert len(crops) == len(set(crops)) == 3 * WRITERS


def test_a_disputed_crop_of_the_random_stream_goes_to_one_adjudicator_of_many_who_ask_at_once(study: Study) -> None:
    people, crop = readers(study, WRITERS), crops_of(study.experiments.get())[0]
    fill_queue(study, [crop], why=STREAM)
    answer(study, people[0], crop, "disc")
    answer(study, people[1], crop, "ring")
    given = at_once(*(lambda user=user: next_crops(study, user, 3) for user in people))
    assert [[row.why for row in rows] for rows in given if rows] == [[ADJUDICATION]]
    assert not any(given[:2])


def test_wishes_sent_at_once_stand_once_each_and_are_served_to_one_reader(study: Study) -> None:
    person, other = readers(study, 2)
    crops = [crop.pk for crop in crops_of(study.experiments.get())[:6]]
    like = Crop.objects.get(pk=crops[0])
    asked = [lambda user=user: request_crops(study, user, like, crops) for user in (person, other) * 2]
    assert sorted(at_once(*asked)) == [0, 0, len(crops), len(crops)]
    given = at_once(*(lambda user=user: next_crops(study, user, 3) for user in (person, other)))
    leased = list(Lease.objects.values_list("crop_id", flat=True))
    assert len(leased) == len(set(leased)) and all(given)


def test_the_chain_has_no_gap_under_parallel_writers(study: Study) -> None:
    user = make_user("writer")
    before = AuditEvent.objects.count()

    def write() -> None:
        for _ in range(10):
            with transaction.atomic():
                audit.record("user.seen", user, actor="process:test")

    at_once(*[write] * WRITERS)
    assert AuditEvent.objects.count() - before == 10 * WRITERS
    assert verify(audit.chain()) == []


def test_parallel_answers_are_all_stored_with_their_events(study: Study) -> None:
    people, crops = readers(study, WRITERS), list(Crop.objects.order_by("id")[: 2 * WRITERS])

    def read(number: int) -> None:
        for crop in crops[number::WRITERS]:
            answer(study, people[number], crop)

    at_once(*(lambda number=number: read(number) for number in range(WRITERS)))
    assert Annotation.objects.count() == AuditEvent.objects.filter(action="answer.label").count() == 2 * WRITERS
    assert verify(audit.chain()) == []


def test_two_windows_of_one_person_leave_one_answer_that_stands(study: Study) -> None:
    person, crop = readers(study, 1)[0], Crop.objects.first()
    for _ in range(5):
        at_once(*(lambda label=label: answer(study, person, crop, label) for label in ("disc", "ring") * 2))
        assert Annotation.objects.current().count() == 1


def test_the_same_answer_sent_twice_at_once_is_one_row(study: Study) -> None:
    person, given = readers(study, 1)[0], submission(Crop.objects.first())
    rows = at_once(*[lambda: submit(study, person, given)] * 4)
    assert len({row.pk for row, _ in rows}) == Annotation.objects.count() == 1
    assert sum(is_new for _, is_new in rows) == 1


def test_undo_pressed_in_two_windows_takes_back_two_answers_or_says_that_none_is_left(study: Study) -> None:
    person = readers(study, 1)[0]
    for crop in Crop.objects.order_by("id")[:3]:
        answer(study, person, crop)

    def press() -> str:
        try:
            undo(study, person, uuid4())
        except AnswerConflict:
            return "none left"
        return "taken back"

    assert sorted(at_once(*[press] * 4)) == ["none left", *["taken back"] * 3]
    assert not Annotation.objects.current().exists()


def test_work_is_claimed_by_one_of_many_workers(study: Study) -> None:
    run = request_training(study, None, {})
    claimed = at_once(*[lambda: claim(TrainingRun, run.pk)] * WRITERS)
    assert sum(work is not None for work in claimed) == 1


def test_answers_are_committed_in_the_order_of_their_numbers(study: Study) -> None:
    """A ranking knows all answers up to its newest one: none with a smaller number may appear afterwards."""
    people, crops = readers(study, WRITERS), list(Crop.objects.order_by("id")[: 3 * WRITERS])
    gaps: list[tuple[int, int]] = []
    writing = Event()

    def read(number: int) -> None:
        for crop in crops[number::WRITERS]:
            answer(study, people[number], crop)

    def watch() -> None:
        known: dict[int, int] = {}
        while not writing.is_set():
            newest = newest_annotation(study)
            count = Annotation.objects.filter(id__lte=newest).count()
            if known.setdefault(newest, count) != count:
                gaps.append((newest, count))

    def read_all() -> None:
        try:
            at_once(*(lambda number=number: read(number) for number in range(WRITERS)))
        finally:
            writing.set()

    at_once(watch, read_all)
    assert gaps == []
    assert RankingWorker().step() == 1
    assert not study.queue.filter(crop__in=crops).exists()
