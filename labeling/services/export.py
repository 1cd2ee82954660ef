"""Answers as rows of a table, for files that leave the house."""

from collections.abc import Iterator

from labeling.models import Annotation, Study

HEADER = [
    "annotation", "crop", "experiment", "sample", "image", "x", "y", "annotator", "answer", "class", "reason",
    "source", "simulated", "why_asked", "probability_asked", "ranking", "shown_at", "answered_at", "stands",
    "supersedes",
]  # fmt: skip


def answer_rows(study: Study) -> Iterator[list[object]]:
    """Every answer ever given in the study, in order, also those that were taken back; one row per class named."""
    rows = Annotation.objects.filter(study=study).select_related("crop__image__sample__experiment", "superseded_by")
    for row in rows.prefetch_related("labels__label_class").order_by("id").iterator(chunk_size=500):
        stands = not hasattr(row, "superseded_by") and row.answer != Annotation.Answer.WITHDRAWN
        labels = [label.label_class.key for label in row.labels.all()] or [""]
        for label in labels:
            yield _row(row, label, stands)


def _row(row: Annotation, label: str, stands: bool) -> list[object]:
    crop = row.crop
    image = crop.image
    return [
        row.pk, crop.key, _text(image.sample.experiment.name), _text(image.sample.name), _text(image.name),
        crop.x, crop.y, f"user:{row.annotator_id}", row.answer, _text(label), _text(row.reason), row.source,
        row.source == Annotation.Source.SIMULATED, row.why_asked, row.asked_with, row.ranking,
        row.shown_at and row.shown_at.isoformat(), row.answered_at.isoformat(), stands, row.supersedes_id,
    ]  # fmt: skip


def _text(value: str) -> str:
    # A spreadsheet runs cells that begin like a formula: an apostrophe keeps them text.
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
