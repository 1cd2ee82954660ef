"""Registers model versions and moves the pointer "in production", each in one transaction with its event."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils.dateparse import parse_datetime

from audit import services as audit
from labeling.models import Study
from training.models import LabelSnapshot, ModelVersion, Promotion, Status, TrainingRun
from training.services.work import Refused, finish


@dataclass(frozen=True, slots=True)
class NewModel:
    """What a training run hands in at its end."""

    digest: str
    kind: str
    classes: list[str]
    channels: list[dict[str, Any]]
    report: dict[str, Any]
    gate: dict[str, Any]


def request_training(study: Study, user: Any, recipe: dict[str, Any]) -> TrainingRun:
    """A run that waits for a worker."""
    with transaction.atomic():
        run = TrainingRun.objects.create(study=study, recipe=recipe, requested_by=user)
        audit.record("trainingrun.requested", run, actor=audit.actor_of(user), detail={"study": study.pk})
    return run


def register(run: TrainingRun, snapshot: LabelSnapshot, new: NewModel) -> ModelVersion | None:
    """The model version, its run closed with it; None when the run is another worker's or was closed."""
    with transaction.atomic():
        if not finish(run, Status.DONE, detail={"model": new.digest, "snapshot": snapshot.digest}):
            return None
        TrainingRun.objects.filter(pk=run.pk).update(snapshot=snapshot)
        return ModelVersion.objects.create(
            run=run,
            study=run.study,
            digest=new.digest,
            kind=new.kind,
            classes=new.classes,
            channels=new.channels,
            report=new.report,
            gate=new.gate,
        )


def in_production(study: Study) -> ModelVersion | None:
    """The study's model in production: the newest entry of its promotions."""
    newest = Promotion.objects.filter(study=study).select_related("model").first()
    return newest.model if newest else None


def left_out_shown(model: ModelVersion) -> dict[str, Any]:
    """What the report says of readers who were left out, with their names of today; empty where nobody was."""
    told: dict[str, Any] = model.report.get("left_out") or {}
    if not told:
        return {}
    people = get_user_model().objects.in_bulk([row["reader"] for row in told["readers"]])
    named = [
        row | {"name": people[row["reader"]].get_username(), "since": parse_datetime(row["since"])}
        for row in told["readers"]
        if row["reader"] in people
    ]
    before, after = told["before"]["per_class"], told["after"]["per_class"]
    classes = [{"key": key, "before": before[key], "after": after.get(key, 0)} for key in before]
    return told | {"readers": named, "classes": classes}


def readers_shown(model: ModelVersion) -> dict[str, Any]:
    """What the report says of the model beside the readers, for leads, with the names of today."""
    told: dict[str, Any] = model.report.get("readers") or {}
    rows = told.get("against", [])
    people = get_user_model().objects.in_bulk([row["annotator"] for row in rows if isinstance(row["annotator"], int)])
    names = {pk: person.get_username() for pk, person in people.items()}
    named = [row | {"annotator": names.get(row["annotator"], row["annotator"])} for row in rows]
    return told | {"against": named} if rows else told


def promote(model: ModelVersion, user: Any, reason: str) -> Promotion:
    """Put the model into production. Refused where its gate is closed, unless a lead gives a reason."""
    if not model.gate.get("passed") and not reason.strip():
        raise Refused(f"The gate is closed for {model}: give a reason to overrule it. {model.gate.get('text', '')}")
    with transaction.atomic():
        promotion = Promotion.objects.create(study=model.study, model=model, by=user, reason=reason)
        audit.record(
            "model.promoted",
            model,
            actor=audit.actor_of(user),
            detail={"digest": model.digest, "gate_passed": bool(model.gate.get("passed"))},
            reason=reason,
        )
    return promotion
