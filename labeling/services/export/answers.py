"""Answers as rows of a table, for files that leave the house."""

from collections.abc import Iterator

from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from labeling.exchange.text import guarded
from labeling.models import Annotation, Comment, Study

HEADER = [
    "annotation", "crop", "experiment", "sample", "image", "x", "y", "annotator", "answer", "class", "reason",
    "source", "simulated", "why_asked", "probability_asked", "ranking", "shown_at", "answered_at", "stands",
    "supersedes", "reason_code", "comments", "first_key_at", "active_ms", "guideline", "is_reread", "is_bulk",
    "suggested_by", "excluded",
]  # fmt: skip


def answer_rows(study: Study) -> Iterator[list[object]]:
    """Every answer ever given in the study, in order, also those that were taken back; one row per class named.

    `excluded`: its reader is left out now, so that it counts for nothing.
    """
    left_out = set(study.exclusions.filter(lifted_at__isnull=True).values_list("user_id", flat=True))
    rows = Annotation.objects.filter(study=study).annotate(comments=Coalesce(_comments(), 0))
    rows = rows.select_related("crop__image__sample__experiment", "superseded_by", "guideline")
    # What a file brought from a program is marked by who gave it: its source says only that it came from a file.
    programs = set(study.memberships.filter(is_simulated=True).values_list("user_id", flat=True))
    for row in rows.prefetch_related("labels__label_class").order_by("id").iterator(chunk_size=500):
        stands = not hasattr(row, "superseded_by") and row.answer != Annotation.Answer.WITHDRAWN
        labels = [label.label_class.key for label in row.labels.all()] or [""]
        for label in labels:
            row_of = _row(row, label, stands, row.annotator_id in programs)
            yield [*row_of, row.annotator_id in left_out]


def _comments() -> Subquery:
    """How many comments the annotator wrote about the crop."""
    own: QuerySet[Comment] = Comment.objects.filter(
        study=OuterRef("study"), crop=OuterRef("crop"), author=OuterRef("annotator")
    )
    counted = own.order_by().values("crop").annotate(number=Count("id")).values("number")
    return Subquery(counted, output_field=IntegerField())


def _row(row: Annotation, label: str, stands: bool, is_program: bool) -> list[object]:
    crop = row.crop
    image = crop.image
    return [
        row.pk, crop.key, guarded(image.sample.experiment.name), guarded(image.sample.name), guarded(image.name),
        crop.x, crop.y, f"user:{row.annotator_id}", row.answer, guarded(label), guarded(row.reason), row.source,
        is_program or row.source == Annotation.Source.SIMULATED, row.why_asked, row.asked_with, guarded(row.ranking),
        row.shown_at and row.shown_at.isoformat(), row.answered_at.isoformat(), stands, row.supersedes_id,
        row.reason_code, row.comments, row.first_key_at and row.first_key_at.isoformat(), row.active_ms,
        row.guideline and row.guideline.number, row.is_reread, row.is_bulk, guarded(row.suggested_by),
    ]  # fmt: skip
