"""Takes an import back: what it brought and still stands is superseded by withdrawals, and nothing is deleted."""

import time
from typing import Any
from uuid import uuid5

from django.db.models import Count
from django.utils import timezone

from audit import services as audit
from labeling.models import Annotation, AnnotationQuerySet, LabelImport, Study
from labeling.services.imports.plan import NAMESPACE
from labeling.services.queue import one_at_a_time

# Readers wait for their next crop while a chunk is written: a tenth of a second.
CHUNK = 500
# A page answers within this; what is left then is taken back by the next press of the button.
LONGEST_S = 20.0


def standing_of(row: LabelImport) -> AnnotationQuerySet:
    """What the import brought and nobody changed since."""
    return Annotation.objects.current().filter(label_import=row)


def standing_counts(study: Study) -> dict[int, int]:
    """How many answers of each import stand, by the number of the import; none for one without."""
    rows = Annotation.objects.current().filter(study=study, label_import__isnull=False)
    counted = rows.order_by().values("label_import").annotate(number=Count("id"))
    return dict(counted.values_list("label_import", "number"))


def take_back(row: LabelImport, by: Any, *, longest_s: float = LONGEST_S) -> int:
    """Withdraw every answer of the import that stands, in chunks; returns how many are left when the time is up.

    0 says that it is taken back; asking again then changes nothing. What people put in the place of an imported
    answer is theirs and stays, as do the classes and pseudonyms that came with the file.
    """
    until = time.monotonic() + longest_s
    after: int | None = 0
    while after is not None:
        after = _take_back_some(row, by, after)
        if after is not None and time.monotonic() >= until:
            return standing_of(row).count()
    return 0


def _take_back_some(row: LabelImport, by: Any, after: int) -> int | None:
    """One chunk of the answers whose number is above `after`; returns its last number, None once all is done."""
    with one_at_a_time(row.study):
        row.refresh_from_db()
        if row.taken_back_at is not None:
            return None
        given = list(standing_of(row).filter(pk__gt=after).order_by("pk")[:CHUNK])
        Annotation.objects.bulk_create(_withdrawal(one) for one in given)
        is_last = len(given) < CHUNK
        if is_last:
            row.taken_back_at, row.times_taken_back = timezone.now(), row.times_taken_back + 1
            row.save(update_fields=["taken_back_at", "times_taken_back"])
        detail = {"study": row.study_id, "sha256": row.sha256, "answers": len(given), "is_last": is_last}
        audit.record("import.taken_back", row, actor=audit.actor_of(by), detail=detail)
    return None if is_last else given[-1].pk


def _withdrawal(row: Annotation) -> Annotation:
    return Annotation(
        study_id=row.study_id, crop_id=row.crop_id, annotator_id=row.annotator_id, is_bulk=row.is_bulk,
        is_reread=row.is_reread, source=row.source, answer=Annotation.Answer.WITHDRAWN,
        client_id=uuid5(NAMESPACE, f"taken back:{row.pk}"), answered_at=timezone.now(), supersedes=row,
    )  # fmt: skip
