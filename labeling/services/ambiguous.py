"""Crops that two readers could not tell: frozen without a class, kept apart until a lead reopens them."""

from typing import Any

from django.db import transaction
from django.db.models import Count

from audit import services as audit
from imaging.models import Crop
from labeling.models import Annotation, Reopening, Study
from labeling.services.queue import lock
from labeling.services.reader_study.guard import refuse_locked
from labeling.services.reads import (
    ADJUDICATION,
    AMBIGUOUS_FROM,
    BAD,
    NOT_SURE,
    Read,
    awaiting_reads,
    decision_of,
    differ,
    given_reads,
    independent,
    reads_of,
    reopened_after,
)
from labeling.services.refusals import WHAT_COUNTS


class ReopenRefused(ValueError):
    """The crop cannot be reopened; the message says why."""


def is_ambiguous(reads: list[Read], reopened_at: int | None = None) -> bool:
    """Whether the crop is frozen without a class.

    So it is after two different readers' "not sure", and where an adjudication ends in "not sure". A class that is
    named after a lead reopened the crop settles it. What a lead decided stands above all that.
    """
    if (decision := decision_of(reads, reopened_at)) is not None:
        return decision.answer == NOT_SURE
    unsure = {read.annotator for read in given_reads(reads) if read.answer == NOT_SURE}
    adjudicated = any(read.why == ADJUDICATION and read.answer == NOT_SURE for read in given_reads(reads))
    undecided = adjudicated and differ(read for read in reads if read.why != ADJUDICATION)
    if len(unsure) < AMBIGUOUS_FROM and not undecided:
        return False
    later = () if reopened_at is None else (read for read in reads if read.number > reopened_at)
    return not any(read.answer != NOT_SURE for read in later)


def ambiguous_crops(study: Study) -> list[int]:
    """Numbers of the crops that are frozen without a class, in order.

    They count as covered and are never asked again; votes for a class that one of them holds teach nothing.
    """
    unsure = Annotation.objects.reads().filter(study=study, answer=NOT_SURE)
    readers = unsure.values("crop").annotate(readers=Count("annotator", distinct=True))
    crops = {*readers.filter(readers__gte=AMBIGUOUS_FROM).values_list("crop", flat=True)}
    crops |= {*unsure.filter(why_asked=ADJUDICATION).values_list("crop", flat=True)}
    decided = Annotation.objects.decisions().filter(study=study, answer=NOT_SURE)
    crops |= {*decided.values_list("crop", flat=True)}
    if not crops:
        return []
    reads, reopened = reads_of(study, crops), reopened_after(study, crops)
    return sorted(crop for crop in crops if is_ambiguous(reads[crop], reopened.get(crop)))


def waiting_again(study: Study) -> set[int]:
    """Crops that a lead reopened and that nobody has read since."""
    reopened = reopened_after(study)
    if not reopened:
        return set()
    reads = reads_of(study, reopened)
    return {crop for crop, at in reopened.items() if max((read.number for read in reads[crop]), default=0) <= at}


def ask_third(study: Study, lead: Any, crop: Crop) -> Reopening:
    """Ask for one more read of a crop whose readers differ; a class that it names settles the crop.

    ReopenRefused where they do not differ, somebody called the crop bad, a lead has decided, or a reader is awaited.
    """
    with transaction.atomic():
        lock(study)
        refuse_locked(study, "its cases and who reads them", ReopenRefused)
        reads = reads_of(study, [crop.pk])[crop.pk]
        if not differ(independent(reads)):
            raise ReopenRefused(f"Only a crop whose independent readers differ can be read by a third. {WHAT_COUNTS}")
        if any(read.answer in BAD for read in reads):
            raise ReopenRefused("A reader called this crop bad or its object wrong: such a crop is asked no more.")
        if decision_of(reads, reopened_after(study, [crop.pk]).get(crop.pk)) is not None:
            raise ReopenRefused("This crop was decided: take the decision back before you ask a further reader.")
        if awaiting_reads(study, {crop.pk: crop.key}):
            raise ReopenRefused("This crop waits for its next reader already.")
        return _reopened(study, lead, crop, max(read.number for read in reads))


def reopen(study: Study, lead: Any, crop: Crop) -> Reopening:
    """Ask for one more read of an ambiguous crop; ReopenRefused where it is not ambiguous or waits already."""
    with transaction.atomic():
        lock(study)
        refuse_locked(study, "its cases and who reads them", ReopenRefused)
        reads = reads_of(study, [crop.pk])[crop.pk]
        before = reopened_after(study, [crop.pk]).get(crop.pk)
        newest = max((read.number for read in reads), default=0)
        if not is_ambiguous(reads, before):
            raise ReopenRefused("Only an ambiguous crop can be reopened: two readers were not sure of it.")
        if before is not None and newest <= before:
            raise ReopenRefused("This crop was reopened already and waits for its next reader.")
        return _reopened(study, lead, crop, newest)


def _reopened(study: Study, lead: Any, crop: Crop, newest: int) -> Reopening:
    row = Reopening.objects.create(study=study, crop=crop, by=lead, last_annotation=newest)
    detail = {"study": study.pk, "crop": crop.key}
    audit.record("crop.reopened", row, actor=audit.actor_of(lead), detail=detail)
    return row
