"""Asks for runs, and stores their results with their record in one transaction."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from audit import services as audit
from imaging.models import Experiment, Image, Sample
from inference.models import InferenceRun, ObjectTable, PipelineVersion, SampleResult, StageRecord
from labeling.models import Study
from training.models import ModelVersion, Status
from training.services.models import in_production
from training.services.work import Refused, finish


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage record as the worker hands it in."""

    image: Image
    position: int
    name: str
    version: int
    parameters_digest: str
    input_digest: str
    output_digest: str
    seconds: float
    verdict: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One sample's counts as the worker hands them in."""

    sample: Sample
    fields: int
    rejected_fields: int
    objects: int
    counts: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Results:
    """Everything a finished run stores."""

    record: dict[str, Any]
    record_digest: str
    table_digest: str
    columns: list[str]
    objects: int
    stages: list[StageRow]
    samples: list[SampleRow]


def request_run(
    experiment: Experiment,
    model: ModelVersion | None,
    stages: list[dict[str, Any]],
    digest: str,
    *,
    user: Any = None,
    replay_of: InferenceRun | None = None,
) -> InferenceRun:
    """A run that waits for a worker."""
    with transaction.atomic():
        pipeline, _ = PipelineVersion.objects.get_or_create(digest=digest, defaults={"stages": stages})
        run = InferenceRun.objects.create(
            experiment=experiment,
            model=model,
            pipeline=pipeline,
            replay_of=replay_of,
            requested_by=user,
            watermark=watermark_of(model),
        )
        audit.record(
            "inferencerun.requested",
            run,
            actor=audit.actor_of(user) if user else "process:pipeline",
            detail={"experiment": experiment.name, "model": model.digest if model else None, "pipeline": digest},
        )
    return run


def complete(run: InferenceRun, results: Results) -> bool:
    """Store the results and close the run, all or nothing; False where it was closed meanwhile."""
    with transaction.atomic():
        detail = {"record": results.record_digest, "objects": results.objects}
        if not finish(run, Status.DONE, detail=detail):
            return False
        InferenceRun.objects.filter(pk=run.pk).update(
            record=results.record, record_digest=results.record_digest, objects_found=results.objects
        )
        StageRecord.objects.bulk_create(
            [StageRecord(run=run, **{name: getattr(row, name) for name in row.__slots__}) for row in results.stages],
            batch_size=500,
        )
        ObjectTable.objects.create(
            run=run, digest=results.table_digest, rows=results.objects, columns=results.columns
        )
        SampleResult.objects.bulk_create(
            SampleResult(
                run=run,
                sample=row.sample,
                fields=row.fields,
                rejected_fields=row.rejected_fields,
                objects_found=row.objects,
                counts=row.counts,
            )
            for row in results.samples
        )
    return True


def model_for(
    experiment: Experiment, number: str, among: QuerySet[ModelVersion] | None = None
) -> ModelVersion | None:
    """The model of this number or digest; without one the newest in production of the same channels, else the newest.

    None where no model fits: the run then finds and measures objects. `among` holds the models that the asker may
    know of (default: all). Refused, naming those, where the wanted one is unknown.
    """
    models = ModelVersion.objects.all() if among is None else among
    if number:
        found = _by_number_or_digest(models, number)
        if found is None:
            raise Refused(f"There is no model '{number}'. Known: {_known(models)}.")
        return _fitting(found, experiment)
    wanted = _names(experiment.channels)
    live = [in_production(study) for study in Study.objects.filter(models__in=models).distinct().order_by("-id")]
    for model in [*live, *models.order_by("-id")]:
        if model is not None and _names(model.channels) == wanted:
            return model
    return None


def _fitting(model: ModelVersion, experiment: Experiment) -> ModelVersion:
    """The model that was asked for by name, where the number of its channels fits."""
    if len(model.channels) != len(experiment.channels):
        raise Refused(
            f"Model {model.pk} reads {len(model.channels)} channels ({', '.join(_names(model.channels))}) and"
            f" '{experiment}' has {len(experiment.channels)} ({', '.join(_names(experiment.channels))})."
        )
    return model


def _names(channels: list[dict[str, Any]]) -> list[str]:
    return [channel["name"] for channel in channels]


def watermark_of(model: ModelVersion | None) -> str:
    """What must stand beside every result of this model; empty for a validated model in production."""
    if model is None:
        return "no model: objects are found and measured, not classified"
    if in_production(model.study) != model:
        return "candidate model: not in production"
    if model.gate.get("status") == "pilot":
        return str(model.gate.get("text", "pilot"))[:200]
    return ""


def _by_number_or_digest(models: QuerySet[ModelVersion], number: str) -> ModelVersion | None:
    if number.isascii() and number.isdigit() and len(number) < 18:
        return models.filter(pk=int(number)).first()
    return models.filter(digest__startswith=number).first() if len(number) >= 6 else None


def _known(models: QuerySet[ModelVersion]) -> str:
    rows = models.order_by("-id").select_related("study")[:5]
    return ", ".join(f"{row.pk} ({row.study}, {row.kind}, {row.digest[:8]})" for row in rows) or "none yet"
