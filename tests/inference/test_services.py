"""Runs are asked for, finished whole or not at all, and say which model made them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from audit.models import AuditEvent
from imaging.models import Experiment, Image
from inference.models import InferenceRun, ObjectTable, SampleResult, StageRecord
from inference.pipeline.run import pipeline_params
from inference.services import runs
from inference.services.runs import model_for, request_run, watermark_of
from inference.tasks import ring, run_task
from inference.worker import running
from inference.worker.running import replay, run_folder, run_pipeline
from labeling.models import Study
from tests.factories import answer_all, crops_of, make_experiment, make_model, make_run, make_study, make_user
from training.models import ModelVersion, Status
from training.services.models import promote
from training.services.work import Refused, request_cancel


@dataclass(frozen=True, slots=True)
class Lab:
    """A study with a model, and a plate that no study has seen."""

    alice: Any
    study: Study
    model: ModelVersion
    plate: Experiment


@pytest.fixture
def lab(data_folder: Path, db: None, tmp_path: Path) -> Lab:
    alice = make_user("alice")
    seen = make_experiment(tmp_path, "seen")
    study = make_study(alice, seen)
    answer_all(study, alice, crops_of(seen))
    return Lab(alice, study, make_model(study, alice), make_experiment(tmp_path, "new", seed=3))


def requested(lab: Lab) -> InferenceRun:
    params = pipeline_params()
    return request_run(lab.plate, lab.model, params.content, params.digest, user=lab.alice)


def done(run: InferenceRun) -> InferenceRun:
    run_pipeline(run.pk)
    return InferenceRun.objects.get(pk=run.pk)


def results() -> int:
    return sum(model.objects.count() for model in (StageRecord, ObjectTable, SampleResult))


def test_a_run_leaves_rows_files_and_an_event_that_agree(lab: Lab) -> None:
    run = make_run(lab.plate, lab.model, lab.alice)
    files = {path.name for path in run_folder(run).iterdir()}
    assert files >= {"objects.parquet", "objects.csv", "samples.csv", "record.json", "labels"}
    lines = (run_folder(run) / "objects.csv").read_text().splitlines()
    assert len(lines) - 1 == run.objects_found == run.object_table.rows == 24
    assert sum(row.objects_found for row in run.sample_results.all()) == run.objects_found
    assert AuditEvent.objects.last().action == "inferencerun.done"


def test_a_task_that_is_delivered_twice_runs_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    run = requested(lab)
    run_task.delay(run.pk)
    before = results()
    monkeypatch.setattr(running, "crop_model", lambda *_: pytest.fail("it ran twice"))
    run_task.delay(run.pk)
    assert results() == before > 0


def test_a_replay_gives_the_same_bytes_and_is_a_run_of_its_own(lab: Lab) -> None:
    run = make_run(lab.plate, lab.model)
    again, differences = replay(run)
    assert differences == []
    assert (again.replay_of, again.record_digest) == (run, run.record_digest)
    for name in ("objects.parquet", "objects.csv", "samples.csv", "record.json"):
        assert (run_folder(run) / name).read_bytes() == (run_folder(again) / name).read_bytes()


def test_a_replay_names_what_differs(lab: Lab) -> None:
    run = make_run(lab.plate, lab.model)
    record = run.record | {"outputs": run.record["outputs"] | {"objects.csv": "0" * 64}}
    InferenceRun.objects.filter(pk=run.pk).update(record=record)
    run.refresh_from_db()
    assert any("objects.csv" in difference for difference in replay(run)[1])


def test_only_a_finished_run_can_be_replayed(lab: Lab) -> None:
    with pytest.raises(Refused, match="only a finished run"):
        replay(requested(lab))


def test_files_that_changed_since_they_were_taken_in_are_refused_by_name(lab: Lab) -> None:
    image = Image.objects.get(sample__experiment=lab.plate)
    path = Path(image.files[0]["uri"])
    path.write_bytes(path.read_bytes() + b"\0")
    run = done(requested(lab))
    assert (run.status, run.problem) == (
        Status.REFUSED, "field.tif has changed since it was ingested: ingest it as a new experiment.",
    )  # fmt: skip
    path.unlink()
    assert "field.tif is no longer where it was ingested from" in done(requested(lab)).problem
    assert results() == 0


def test_a_damaged_model_file_is_refused(lab: Lab, data_folder: Path) -> None:
    path = data_folder / "files" / "models" / f"{lab.model.digest}.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    run = done(requested(lab))
    assert run.status == Status.REFUSED and "is damaged" in run.problem


def test_a_run_that_is_cancelled_while_it_works_leaves_no_result(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    run, load = requested(lab), running.crop_model

    def cancel_meanwhile(*given: Any) -> Any:
        request_cancel(run, lab.alice)
        return load(*given)

    monkeypatch.setattr(running, "crop_model", cancel_meanwhile)
    assert done(run).status == Status.CANCELLED
    assert results() == 0 and not run_folder(run).exists()


def test_a_failure_while_results_are_stored_leaves_none_of_them(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    run = requested(lab)
    monkeypatch.setattr(runs.ObjectTable.objects, "create", fail)
    with pytest.raises(RuntimeError):
        run_pipeline(run.pk)
    run.refresh_from_db()
    assert (run.status, run.record_digest, results()) == (Status.FAILED, "", 0)


def test_the_model_is_named_by_number_or_by_the_beginning_of_its_digest(lab: Lab) -> None:
    assert model_for(lab.plate, str(lab.model.pk)) == lab.model
    assert model_for(lab.plate, lab.model.digest[:8]) == lab.model
    for wrong in ("999999", "zzzzzzzz", lab.model.digest[:3] + "z", "9" * 30, "²"):
        with pytest.raises(Refused, match=f"There is no model '{wrong}'. Known: {lab.model.pk} "):
            model_for(lab.plate, wrong)


def test_without_a_name_the_model_in_production_is_taken_before_a_newer_candidate(lab: Lab) -> None:
    newer = make_model(lab.study)
    assert model_for(lab.plate, "") == newer
    promote(lab.model, lab.alice, "because")
    assert model_for(lab.plate, "") == lab.model


def test_an_experiment_with_other_channels_fits_no_model_and_says_so_beside_its_results(lab: Lab) -> None:
    lab.plate.channels = [*lab.plate.channels, {"name": "second"}]
    assert model_for(lab.plate, "") is None
    assert "not classified" in watermark_of(None)


def test_a_run_without_a_model_finds_objects_and_replays(lab: Lab) -> None:
    params = pipeline_params()
    run = done(request_run(lab.plate, None, params.content, params.digest))
    assert (run.status, run.objects_found) == (Status.DONE, 24)
    assert replay(run)[1] == []


def test_a_model_that_somebody_may_not_know_of_is_neither_named_nor_taken(lab: Lab) -> None:
    nothing = ModelVersion.objects.none()
    assert model_for(lab.plate, "", nothing) is None
    with pytest.raises(Refused, match="Known: none yet"):
        model_for(lab.plate, str(lab.model.pk), nothing)


def test_results_of_a_candidate_carry_a_mark_and_keep_it(lab: Lab) -> None:
    run = make_run(lab.plate, lab.model)
    assert run.watermark == "candidate model: not in production"
    promote(lab.model, lab.alice, "because")
    run.refresh_from_db()
    assert run.watermark == "candidate model: not in production"
    assert "candidate" not in watermark_of(lab.model)


def test_a_rejected_image_never_reaches_the_model_and_stays_counted(lab: Lab) -> None:
    Image.objects.filter(sample__experiment=lab.plate).update(verdict="reject")
    report = Image.objects.get(sample__experiment=lab.plate).quality_reports.get()
    report.verdict = "reject"
    report.save()
    run = done(requested(lab))
    assert (run.status, run.objects_found) == (Status.DONE, 0)
    assert not run.stage_records.filter(name="predict").exists()
    assert run.sample_results.get().rejected_fields == 1


def test_an_experiment_with_a_model_or_run_cannot_be_deleted_by_accident(lab: Lab) -> None:
    from django.db.models import ProtectedError

    make_run(lab.plate, lab.model)
    with pytest.raises(ProtectedError):
        lab.plate.delete()


def test_ringing_waits_for_the_commit(lab: Lab, django_capture_on_commit_callbacks: Any) -> None:
    run = requested(lab)
    with django_capture_on_commit_callbacks() as callbacks:
        ring(run.pk)
    assert len(callbacks) == 1
    run.refresh_from_db()
    assert run.status == Status.QUEUED
    callbacks[0]()
    run.refresh_from_db()
    assert run.status == Status.DONE
