"""Counts for pages: how far a study is, by class and by annotator."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from imaging.models import Crop
from labeling.models import Annotation, AnnotationLabel, Ranked, Study

# Fewer answers than this give no rate worth showing.
ENOUGH_FOR_A_RATE = 5


@dataclass(frozen=True, slots=True)
class Progress:
    """How many crops a person has answered, of how many, and how many of them today."""

    answered: int
    total: int
    today: int


def pool(study: Study) -> Any:
    """The crops of the study: those of its experiments whose images quality control did not reject."""
    return Crop.objects.of_experiments(study.experiments.all()).usable()


def pool_size(study: Study) -> int:
    """Number of crops in the pool; the newest ranking knows it without counting."""
    ranked = Ranked.objects.filter(study=study).first()
    return ranked.pool_size if ranked else pool(study).count()


def own_progress(study: Study, user: Any, total: int | None = None) -> Progress:
    """The user's own progress in the study; `total` is the size of the pool where the caller knows it."""
    standing = Annotation.objects.current().filter(study=study, annotator=user)
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    counts = standing.aggregate(answered=Count("id"), today=Count("id", filter=Q(received_at__gte=midnight)))
    return Progress(counts["answered"], pool_size(study) if total is None else total, counts["today"])


def answered_crops(study: Study) -> int:
    """Number of crops with at least one answer that stands."""
    return Annotation.objects.current().filter(study=study).values("crop").distinct().count()


def by_class(study: Study) -> list[dict[str, Any]]:
    """For each class in order: key, name, colour and how many standing answers count for it.

    A merged class is left out: its answers count for the class that it was merged into.
    """
    standing = Annotation.objects.current().filter(study=study)
    counts = dict(
        AnnotationLabel.objects.filter(annotation__in=standing)
        .values_list(Coalesce("label_class__merged_into", "label_class"))
        .annotate(number=Count("id"))
    )
    return [
        {"key": row.key, "name": row.name, "color": row.color, "count": counts.get(row.pk, 0)}
        for row in study.classes.filter(merged_into__isnull=True)
    ]


def by_annotator(study: Study) -> list[dict[str, Any]]:
    """For each annotator: name, answers, "not sure", bad crops, answers per hour, and whether simulated."""
    rows = (
        Annotation.objects.current()
        .filter(study=study)
        .values("annotator__pk", "annotator__username")
        .annotate(
            n=Count("id"),
            not_sure=Count("id", filter=Q(answer=Annotation.Answer.NOT_SURE)),
            bad=Count("id", filter=Q(answer=Annotation.Answer.BAD_CROP)),
            first=Min("answered_at"),
            last=Max("answered_at"),
        )
        .order_by("annotator__username")
    )
    simulated = set(study.memberships.filter(is_simulated=True).values_list("user_id", flat=True))
    return [
        {
            "name": row["annotator__username"],
            "n": row["n"],
            "not_sure": row["not_sure"],
            "bad": row["bad"],
            # How fast a program answers says nothing.
            "per_hour": None if row["annotator__pk"] in simulated else _per_hour(row),
            "simulated": row["annotator__pk"] in simulated,
        }
        for row in rows
    ]


def imported_answers(study: Study) -> int:
    """Number of standing answers that came from a file."""
    return Annotation.objects.current().filter(study=study, source=Annotation.Source.IMPORT).count()


def reads_table(study: Study, *, with_imported: bool = False) -> list[tuple[str, str, str]]:
    """Long table (crop, annotator, answer) of every standing read, in the order of reading; labels by class key.

    An answer that names a merged class stands for the class that it was merged into.

    "Not sure" stands as NOT_SURE; bad crops and wrong objects say nothing about classes and are left out.
    So are imported answers, unless asked for: nobody knows whether they were given blind.
    """
    standing = Annotation.objects.current().filter(
        study=study, answer__in=[Annotation.Answer.LABEL, Annotation.Answer.NOT_SURE]
    )
    if not with_imported:
        standing = standing.exclude(source=Annotation.Source.IMPORT)
    counted = Coalesce("labels__label_class__merged_into__key", "labels__label_class__key")
    rows = standing.order_by("id").values_list("crop__key", "annotator__username", counted)
    return [(crop, annotator, label or NOT_SURE_LABEL) for crop, annotator, label in rows]


NOT_SURE_LABEL = "(not sure)"


def _per_hour(row: dict[str, Any]) -> float | None:
    spent: timedelta = row["last"] - row["first"]
    if row["n"] < ENOUGH_FOR_A_RATE or not spent:
        return None
    return float((row["n"] - 1) / spent.total_seconds() * 3600)
