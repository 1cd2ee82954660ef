"""Rows that pages of models and runs show, made without training anything."""

from dataclasses import asdict

import numpy as np
from django.utils import timezone

from imaging.models import Experiment
from inference.models import InferenceRun, PipelineVersion, SampleResult, StageRecord
from labeling.agreement.intervals import Estimate
from labeling.models import Study
from training.learning.evaluate import class_prior, evaluate, gate, with_comparisons
from training.models import ModelVersion, Status, TrainingRun


def held_out_report(classes: list[str], n: int = 240) -> dict[str, object]:
    """The report of a model that is right more often than not, over six held-out units."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, len(classes), n)
    unit = np.array([f"plate {number % 6}" for number in range(n)])
    scores = rng.normal(size=(n, len(classes)))
    scores[np.arange(n), truth] += 2.0
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    report = evaluate(probabilities, truth, unit, classes, "experiment") | {"kind": "network"}
    prior = class_prior(truth, len(classes), n)
    report = with_comparisons(
        report, probabilities, {"class prior": prior, "handcrafted features": prior}, truth, unit
    )
    split = {
        "level": "experiment",
        "why": "six have labels",
        "folds": 6,
        "units": sorted(set(unit)),
        "not_evaluable": [],
    }
    leakage = {"text": "2 crops nearly repeat.", "exact": 0, "near": 2, "overlapping": 0}
    return report | {"split": split, "leakage": leakage}


def make_model(study: Study) -> ModelVersion:
    """A finished training run with its model and report."""
    classes = list(study.classes.values_list("name", flat=True))
    report = held_out_report(classes)
    run = TrainingRun.objects.create(study=study, status=Status.DONE, progress=1.0)
    return ModelVersion.objects.create(
        run=run,
        study=study,
        digest="77aa" * 16,
        kind="network",
        classes=classes,
        channels=[],
        report=report,
        gate=gate(report),
    )


def make_run(model: ModelVersion, status: str) -> InferenceRun:
    """A run over the study's experiment with one stage and one sample."""
    experiment = Experiment.objects.get()
    stages = [{"name": "quality", "version": 1, "params": {"limit": 0.5}}]
    pipeline, _ = PipelineVersion.objects.get_or_create(digest="ab" * 32, defaults={"stages": stages})
    run = InferenceRun.objects.create(
        experiment=experiment, model=model, pipeline=pipeline, status=status, progress=0.6, stage="predict",
        objects_found=32, watermark="pilot model", started_at=timezone.now(),
    )  # fmt: skip
    sample = experiment.samples.first()
    share = asdict(Estimate(0.75, 0.57, 0.87, 32))
    counts = [{"label": "round", "count": 24, "of": 32, "share": share}]
    SampleResult.objects.create(run=run, sample=sample, fields=2, rejected_fields=1, objects_found=32, counts=counts)
    StageRecord.objects.create(
        run=run, image=sample.images.first(), position=0, name="quality", version=1, seconds=0.2,
        parameters_digest="cd" * 32, input_digest="ef" * 32, output_digest="01" * 32,
    )  # fmt: skip
    return run
