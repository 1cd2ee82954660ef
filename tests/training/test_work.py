"""Long work runs once, is taken up again when its worker goes silent, and ends when somebody asks."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.models import AuditEvent
from inference.loop import TRAIN, what_is_due
from inference.tasks import sweep_task
from tests.factories import answer_all
from tests.training.conftest import Bench
from training.models import FINAL, ModelVersion, Status, TrainingRun
from training.services.models import request_training
from training.services.work import SILENT, Cancelled, beat, bury_the_silent, claim, finish, request_cancel
from training.tasks import ring, train_task
from training.worker import fitting
from training.worker.fitting import train

QUICK = {"model": "handcrafted"}


def waiting(bench: Bench) -> TrainingRun:
    return request_training(bench.study, bench.alice, QUICK)


def claimed(bench: Bench) -> TrainingRun:
    run = claim(TrainingRun, waiting(bench).pk)
    assert run is not None
    return run


def fresh(run: TrainingRun) -> TrainingRun:
    return TrainingRun.objects.get(pk=run.pk)


def go_silent(run: TrainingRun) -> None:
    TrainingRun.objects.filter(pk=run.pk).update(heartbeat_at=timezone.now() - SILENT - timedelta(seconds=1))


def test_work_is_claimed_once(bench: Bench) -> None:
    run = waiting(bench)
    assert claim(TrainingRun, run.pk) == run
    assert claim(TrainingRun, run.pk) is None
    assert claim(TrainingRun, 999_999) is None


def test_a_task_that_is_delivered_twice_trains_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    counted = Mock(wraps=fitting.load_examples)
    monkeypatch.setattr(fitting, "load_examples", counted)
    run = waiting(bench)
    train_task.delay(run.pk)
    train_task.delay(run.pk)
    assert counted.call_count == 1
    assert ModelVersion.objects.filter(run=run).count() == 1
    assert AuditEvent.objects.filter(action="trainingrun.done").count() == 1


def test_a_run_whose_worker_went_silent_waits_again_and_is_finished_by_the_next(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    run = claimed(bench)
    assert bury_the_silent(TrainingRun) == []
    go_silent(run)
    assert [row for row in what_is_due() if row[0] == TRAIN] == [(TRAIN, run.pk)]
    assert "silent" in fresh(run).stage
    train(run.pk)
    assert fresh(run).status == Status.DONE


def test_a_worker_that_was_given_up_can_neither_beat_nor_finish_what_another_has(bench: Bench) -> None:
    old = claimed(bench)
    go_silent(old)
    bury_the_silent(TrainingRun)
    new = claim(TrainingRun, old.pk)
    assert new is not None and new.claim_token != old.claim_token
    with pytest.raises(Cancelled):
        beat(old, 0.5, "still here")
    assert not finish(old, Status.DONE)
    beat(new, 0.5, "on the way")
    assert finish(new, Status.DONE)


def test_work_is_put_back_three_times_and_then_has_failed(bench: Bench) -> None:
    run = waiting(bench)
    for waits in ([run.pk], [run.pk], [run.pk], []):
        assert claim(TrainingRun, run.pk) is not None
        go_silent(run)
        assert bury_the_silent(TrainingRun) == waits
    assert fresh(run).status == Status.FAILED and "silent 4 times" in fresh(run).problem
    assert AuditEvent.objects.last().action == "trainingrun.failed"


def test_the_event_of_a_finished_run_names_model_and_snapshot(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    run = waiting(bench)
    train(run.pk)
    event = AuditEvent.objects.get(action="trainingrun.done")
    snapshot = fresh(run).snapshot
    assert snapshot is not None
    assert event.detail == {"model": ModelVersion.objects.get(run=run).digest, "snapshot": snapshot.digest}


def test_the_sweep_rings_again_for_what_a_lost_message_left_waiting(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = waiting(bench)
    sent = Mock()
    monkeypatch.setattr("inference.tasks.current_app.send_task", sent)
    sweep_task.delay()
    sent.assert_called_once_with(TRAIN, args=[run.pk])


def test_the_sweep_leaves_finished_work_alone(bench: Bench) -> None:
    for status in FINAL:
        finish(claimed(bench), status)
    TrainingRun.objects.update(heartbeat_at=timezone.now() - timedelta(days=9))
    assert what_is_due() == []


def test_a_beat_tells_progress_within_its_bounds(bench: Bench) -> None:
    run = claimed(bench)
    for given, kept in ((0.25, 0.25), (-3.0, 0.0), (7.0, 1.0)):
        beat(run, given, "x" * 300)
        assert fresh(run).progress == kept
    assert len(fresh(run).stage) == 100
    with pytest.raises(IntegrityError), transaction.atomic():
        TrainingRun.objects.update(progress=1.5)


def test_cancelling_work_that_waits_ends_it_at_once(bench: Bench) -> None:
    run = waiting(bench)
    request_cancel(run, bench.bob)
    assert fresh(run).status == Status.CANCELLED and fresh(run).finished_at
    event = AuditEvent.objects.last()
    assert (event.action, event.actor) == ("trainingrun.cancel_requested", f"user:{bench.bob.pk}")
    train(run.pk)
    assert fresh(run).status == Status.CANCELLED


def test_cancelling_work_that_runs_ends_it_at_its_next_beat_and_registers_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    run, fold = waiting(bench), fitting.fit_model

    def cancel_meanwhile(*given: object) -> object:
        request_cancel(run, bench.alice)
        given[-1](0.5, "half of it")
        return fold(*given)

    monkeypatch.setattr(fitting, "fit_model", cancel_meanwhile)
    train(run.pk)
    assert fresh(run).status == Status.CANCELLED
    assert not ModelVersion.objects.exists()
    assert AuditEvent.objects.last().action == "trainingrun.cancelled"


def test_cancelling_finished_work_changes_nothing(bench: Bench) -> None:
    run = claimed(bench)
    finish(run, Status.DONE)
    request_cancel(run, bench.alice)
    assert (fresh(run).status, fresh(run).cancel_requested) == (Status.DONE, False)


def test_work_that_was_closed_cannot_beat_or_be_closed_again(bench: Bench) -> None:
    run = claimed(bench)
    assert finish(run, Status.FAILED, "out of memory")
    events = AuditEvent.objects.count()
    assert not finish(run, Status.DONE)
    with pytest.raises(Cancelled):
        beat(run, 0.5, "still here")
    assert (fresh(run).status, fresh(run).problem) == (Status.FAILED, "out of memory")
    assert AuditEvent.objects.count() == events


def test_a_failure_says_what_failed_and_no_stored_path(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        Path("/nonexistent/secret/place.npy").read_bytes()

    monkeypatch.setattr(fitting, "load_examples", fail)
    run = waiting(bench)
    with pytest.raises(FileNotFoundError):
        train(run.pk)
    assert fresh(run).status == Status.FAILED
    assert "No such file" in fresh(run).problem and "secret" not in fresh(run).problem


def test_a_broker_that_is_away_costs_no_page_and_no_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def away(*_: object) -> None:
        raise ConnectionError("no broker")

    monkeypatch.setattr(train_task, "delay", away)
    run = waiting(bench)
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        ring(run.pk)
    assert len(callbacks) == 1 and callbacks[0].__qualname__
    assert what_is_due() == [(TRAIN, run.pk)]
