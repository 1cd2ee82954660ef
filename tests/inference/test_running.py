"""Runs over experiments: what their files say, and which models they take."""

import csv
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from audit.models import AuditEvent
from imaging.models import Experiment
from inference.models import InferenceRun
from inference.pipeline.run import pipeline_params
from inference.services.runs import model_for, request_run
from inference.worker.running import replay, run_folder, run_pipeline
from tests.factories import answer_all, crops_of, make_experiment, make_model, make_study, make_user
from training.models import ModelVersion
from training.services.work import Refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return make_experiment(tmp_path)


@pytest.fixture
def model(experiment: Experiment) -> ModelVersion:
    lead: User = make_user()
    study = make_study(lead, experiment)
    answer_all(study, lead, crops_of(experiment))
    return make_model(study)


def finished(experiment: Experiment, model: ModelVersion | None) -> InferenceRun:
    params = pipeline_params()
    run = request_run(experiment, model, params.content, params.digest)
    run_pipeline(run.pk)
    return InferenceRun.objects.get(pk=run.pk)


def rows_of(run: InferenceRun, name: str) -> list[dict[str, str]]:
    with (run_folder(run) / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_object_table_names_its_experiment_file_and_place_in_full(experiment: Experiment) -> None:
    run = finished(experiment, None)
    names = {(row["Metadata_Experiment"], row["Metadata_FileName"]) for row in rows_of(run, "objects.csv")}
    assert names == {("plate 1", "field.tif")}


def test_without_a_model_every_sample_still_has_its_row(experiment: Experiment) -> None:
    run = finished(experiment, None)
    [row] = rows_of(run, "samples.csv")
    assert (int(row["objects"]), row["class"]) == (run.objects_found, "") and run.objects_found == 24


def test_a_replay_of_a_classified_run_is_identical_and_the_chain_names_its_record(
    experiment: Experiment, model: ModelVersion
) -> None:
    run = finished(experiment, model)
    assert replay(run)[1] == []
    event = AuditEvent.objects.filter(action="inferencerun.done", object_id=str(run.pk)).get()
    assert event.detail["record"] == run.record_digest


def test_a_model_of_other_channels_is_not_taken_by_itself(experiment: Experiment, model: ModelVersion) -> None:
    assert model_for(experiment, "") == model
    experiment.channels = [experiment.channels[0] | {"name": "another stain"}]
    assert model_for(experiment, "") is None
    assert model_for(experiment, str(model.pk)) == model


def test_a_model_that_reads_more_channels_is_refused_by_name(experiment: Experiment, model: ModelVersion) -> None:
    experiment.channels = [*experiment.channels, {"name": "actin", "low": 0, "high": 1}]
    with pytest.raises(Refused, match=r"reads 1 channels .* has 2"):
        model_for(experiment, str(model.pk))
