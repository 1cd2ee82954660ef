"""Crops that show what a class looks like, chosen by leads for the guidelines."""

from typing import Any

from django.db import transaction

from audit import services as audit
from imaging.models import Crop
from labeling.models import ClassExample, LabelClass, Study
from labeling.services.queue import lock
from labeling.services.reader_study.guard import refuse_locked
from labeling.services.reads import awaiting_reads
from labeling.services.refusals import StudyRefused

LONGEST_NOTE = 200
# A sheet that is looked at between two answers shows no more.
MOST_EXAMPLES = 24
WAITS = (
    "Crop {} still waits for a reader, whom an example would tell the answer: choose one that is read as often as it "
    "needs, or read it first."
)


def add_example(row: LabelClass, lead: Any, crop_id: int, note: str = "") -> ClassExample:
    """Show the crop as an example of the class; once more gives it another note.

    StudyRefused for a crop that is not of the study, for one that somebody has still to read, who would be told the
    answer, and beyond 24 examples of a class.
    """
    crop = Crop.objects.filter(pk=crop_id, image__sample__experiment__studies=row.study).first()
    if crop is None:
        raise StudyRefused(f"Crop {crop_id} is not in this study: copy the number from the page of a crop.")
    note = note.strip()[:LONGEST_NOTE]
    with transaction.atomic():
        lock(row.study)
        refuse_locked(row.study, "the examples of its classes")
        known = row.examples.filter(crop=crop).first()
        if known is None and row.examples.count() >= MOST_EXAMPLES:
            raise StudyRefused(f"'{row.name}' has {MOST_EXAMPLES} examples, as many as fit: remove one first.")
        if known is None and awaiting_reads(row.study, {crop.pk: crop.key}):
            raise StudyRefused(WAITS.format(crop.pk))
        if known is not None and known.note == note:
            return known
        found, _ = ClassExample.objects.update_or_create(
            label_class=row, crop=crop, defaults={"note": note}, create_defaults={"note": note, "by": lead}
        )
        detail = {"study": row.study_id, "key": row.key, "crop": crop.key, "note": note}
        audit.record("class.example_set", row, actor=audit.actor_of(lead), detail=detail)
    return found


def remove_example(example: ClassExample, lead: Any) -> None:
    """Show the crop as an example no more."""
    row = example.label_class
    with transaction.atomic():
        lock(row.study)
        refuse_locked(row.study, "the examples of its classes")
        detail = {"study": row.study_id, "key": row.key, "crop": example.crop.key}
        audit.record("class.example_removed", row, actor=audit.actor_of(lead), detail=detail)
        example.delete()


def examples_of(study: Study) -> dict[str, list[ClassExample]]:
    """The examples of each open class, by its key in the order of the keyboard; those that crops left are out."""
    keys = study.classes.filter(retired_at__isnull=True).order_by("position").values_list("key", flat=True)
    found: dict[str, list[ClassExample]] = {key: [] for key in keys}
    rows = ClassExample.objects.filter(
        label_class__study=study,
        label_class__retired_at__isnull=True,
        crop__image__sample__experiment__in=study.experiments.all(),
    )
    for example in rows.select_related("label_class", "crop__image__sample__experiment").order_by("id"):
        found[example.label_class.key].append(example)
    return found
