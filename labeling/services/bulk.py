"""Takes one answer to many crops at once: one transaction, one audit event, a word about each crop.

Such answers are marked (`is_bulk`). A ranking learns from them; agreement, random checks and held-out figures leave
them out, because nobody looked at one crop at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from labeling.models import Annotation, AnnotationLabel, LabelClass, Lease, RequestedCrop, Study
from labeling.services.answers import AnswerRefused, check_answer
from labeling.services.archive import ARCHIVED
from labeling.services.checks import unread_checks
from labeling.services.clock import Times, settled
from labeling.services.progress import pool
from labeling.services.queue import lock
from labeling.services.reader_study.guard import refuse_locked

MOST_AT_ONCE = 500


class Outcome(StrEnum):
    """What became of one crop of a step."""

    SAVED = "saved"
    CONFLICT = "conflict"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class BulkItem:
    """One crop of a step: the id that makes sending it twice harmless, and the own answer that it may replace.

    `standing` is the number of the user's bulk answer that they saw and want to replace, None where they saw none.
    `suggested_by` is the digest of the ranking or model whose predicted class is confirmed, "" where none is.
    """

    client_id: UUID
    crop_id: int
    standing: int | None = None
    suggested_by: str = ""


@dataclass(frozen=True, slots=True)
class BulkStep:
    """One answer to many crops, as the grid sends it; `sent_at`: the sender's clock when it left."""

    answer: str
    answered_at: datetime
    items: Sequence[BulkItem]
    classes: tuple[str, ...] = ()
    window: list[Any] = field(default_factory=list)
    ranking: str = ""
    source: str = Annotation.Source.ROOM
    sent_at: datetime | None = None

    def times(self, received: datetime) -> Times:
        """The moment of the step by the server's clock."""
        return settled(Times(self.answered_at), self.sent_at, received)


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of one crop; `annotation` is the number of the stored answer, or of the one that stands instead."""

    client_id: UUID
    crop_id: int
    outcome: Outcome
    annotation: int | None = None
    message: str = ""


def submit_bulk(study: Study, user: Any, step: BulkStep) -> list[BulkResult]:
    """Store the answer to each crop that may take it; returns a result per item, in order.

    A crop that the user answered by itself keeps that answer, and so does one whose bulk answer is not the one they
    saw: a conflict names what stands. AnswerRefused where the step as a whole does not fit the study.
    """
    _check_size(step.items)
    if study.archived_at is not None:
        raise AnswerRefused(f"{ARCHIVED} Nothing was stored.")
    classes = _classes(study, step)
    times = step.times(timezone.now())
    with transaction.atomic():
        lock(study)
        refuse_locked(study, "its cases are read one by one in the reading room; the grid's crops", AnswerRefused)
        results = _Judge(study, user, step).results()
        fresh = {
            (row.client_id, row.crop_id) for row in results if row.outcome == Outcome.SAVED and row.annotation is None
        }
        made = _store(study, user, replace(step, answered_at=times.answered_at), classes, fresh)
        if made:
            _write_event(study, user, step, made, times.offset_s)
    return [_with_number(row, made) for row in results]


def undo_bulk(study: Study, user: Any, items: Sequence[tuple[UUID, UUID]]) -> list[BulkResult]:
    """Withdraw bulk answers of the user: pairs of a new client id and that of the answer; a result per pair.

    A conflict where the answer stands no more, was not given to many crops at once, or stands twice in the step, and
    where the new client id was used for anything else.
    """
    _check_size(items)
    with transaction.atomic():
        lock(study)
        fresh = _to_withdraw(study, user, items)
        rows = [_withdrawal(client, row) for client, row in fresh.items()]
        made = {row.client_id: row for row in Annotation.objects.bulk_create(rows)}
        if made:
            crops = sorted(row.crop_id for row in rows)
            audit.record("answers.bulk_undone", study, actor=audit.actor_of(user), detail={"crops": crops})
        done = _done_before(study, user, items)
    return [_undone(client, answer, done) for client, answer in items]


def _check_size(items: Sequence[Any]) -> None:
    if not 0 < len(items) <= MOST_AT_ONCE:
        raise AnswerRefused(f"A step takes 1 to {MOST_AT_ONCE} crops, not {len(items)}: send it in parts.")


def _classes(study: Study, step: BulkStep) -> list[LabelClass]:
    found = list(study.classes.filter(key__in=step.classes, retired_at__isnull=True))
    check_answer(study, step.answer, step.classes, len(found))
    return found


class _Judge:
    """Says what becomes of each item of a step; reads everything it needs once."""

    def __init__(self, study: Study, user: Any, step: BulkStep) -> None:
        crops = [item.crop_id for item in step.items]
        self._step = step
        self._inside = set(pool(study).filter(pk__in=crops).values_list("pk", flat=True))
        self._unread = unread_checks(study, user)
        ids = [item.client_id for item in step.items]
        seen = Annotation.objects.filter(client_id__in=ids).prefetch_related("labels__label_class")
        self._seen = {row.client_id: row for row in seen}
        self._who = (study.pk, user.pk)
        mine = Annotation.objects.current().filter(study=study, annotator=user, crop__in=crops)
        self._mine = {row.crop_id: row for row in mine}
        self._taken: set[int] = set()
        self._used: set[UUID] = set()

    def results(self) -> list[BulkResult]:
        """A result per item, in order; SAVED without a number stands for: to be stored."""
        return [self._one(item) for item in self._step.items]

    def _one(self, item: BulkItem) -> BulkResult:
        outcome, number, message = self._seen_before(item) or self._judged(item)
        self._taken.add(item.crop_id)
        self._used.add(item.client_id)
        return BulkResult(item.client_id, item.crop_id, outcome, number, message)

    def _seen_before(self, item: BulkItem) -> tuple[Outcome, int | None, str] | None:
        row = self._seen.get(item.client_id)
        if row is None:
            return None
        classes = tuple(label.label_class.key for label in row.labels.all())
        stored = (row.study_id, row.annotator_id, row.crop_id, row.answer, classes)
        if stored == (*self._who, item.crop_id, self._step.answer, self._step.classes):
            return Outcome.SAVED, row.pk, ""
        return Outcome.CONFLICT, None, "This client_id was used for another answer: make a new one for each."

    def _judged(self, item: BulkItem) -> tuple[Outcome, int | None, str]:
        if item.crop_id not in self._inside:
            return Outcome.REFUSED, None, f"Crop {item.crop_id} is not in the pool of this study."
        if item.crop_id in self._unread:
            return Outcome.REFUSED, None, "A random check is read by itself, in the reading room."
        if item.crop_id in self._taken or item.client_id in self._used:
            return Outcome.CONFLICT, None, "This crop or its client_id stands twice in the step."
        mine = self._mine.get(item.crop_id)
        if mine is not None and not mine.is_bulk:
            return Outcome.CONFLICT, mine.pk, "You answered this crop by itself; that answer stands."
        if (mine.pk if mine else None) != item.standing:
            return Outcome.CONFLICT, mine.pk if mine else None, "Your answer to this crop was changed meanwhile."
        return Outcome.SAVED, None, ""


def _store(
    study: Study, user: Any, step: BulkStep, classes: list[LabelClass], wanted: set[tuple[UUID, int]]
) -> dict[UUID, Annotation]:
    """The stored answers by client id; their leases and wishes end."""
    guideline = study.guideline_versions.first()
    rows = [
        Annotation(
            study=study, crop_id=item.crop_id, annotator=user, answer=step.answer, is_bulk=True,
            suggested_by=item.suggested_by[:64], guideline=guideline, source=step.source, ranking=step.ranking[:64],
            window=step.window, client_id=item.client_id, answered_at=step.answered_at, supersedes_id=item.standing,
        )
        for item in step.items
        if (item.client_id, item.crop_id) in wanted
    ]  # fmt: skip
    made = Annotation.objects.bulk_create(rows)
    AnnotationLabel.objects.bulk_create(
        AnnotationLabel(annotation=row, label_class=label) for row in made for label in classes
    )
    crops = [row.crop_id for row in made]
    Lease.objects.filter(study=study, user=user, crop__in=crops).delete()
    RequestedCrop.objects.filter(study=study, user=user, crop__in=crops).delete()
    return {row.client_id: row for row in made}


def _write_event(study: Study, user: Any, step: BulkStep, made: dict[UUID, Annotation], offset_s: float) -> None:
    detail: dict[str, Any] = {
        "answer": step.answer,
        "classes": list(step.classes),
        "crops": sorted(row.crop_id for row in made.values()),
        "suggested": sum(bool(row.suggested_by) for row in made.values()),
    }
    if offset_s:
        # A clock that was wrong is part of how the times came about.
        detail["clock_offset_s"] = round(offset_s, 1)
    audit.record("answers.bulk", study, actor=audit.actor_of(user), detail=detail)


def _with_number(row: BulkResult, made: dict[UUID, Annotation]) -> BulkResult:
    if row.outcome != Outcome.SAVED or row.annotation is not None:
        return row
    return BulkResult(row.client_id, row.crop_id, row.outcome, made[row.client_id].pk)


def _standing_by_client(study: Study, user: Any, answers: Sequence[UUID]) -> dict[UUID, Annotation]:
    mine = Annotation.objects.current().filter(study=study, annotator=user, is_bulk=True, client_id__in=answers)
    return {row.client_id: row for row in mine}


def _to_withdraw(study: Study, user: Any, items: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Annotation]:
    """The standing answer that each new client id takes back; the first of two that name the same answer has it."""
    standing = _standing_by_client(study, user, [answer for _, answer in items])
    used = set(
        Annotation.objects.filter(client_id__in=[client for client, _ in items]).values_list("client_id", flat=True)
    )
    fresh: dict[UUID, Annotation] = {}
    for client, answer in items:
        if client not in used and client not in fresh and answer in standing:
            fresh[client] = standing.pop(answer)
    return fresh


def _done_before(
    study: Study, user: Any, items: Sequence[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], tuple[int, int]]:
    """Crop and number of each withdrawal that stands, by its client id and that of the answer that it takes back."""
    withdrawn = Annotation.objects.filter(study=study, annotator=user, answer=Annotation.Answer.WITHDRAWN)
    rows = withdrawn.filter(client_id__in=[client for client, _ in items])
    told = rows.values_list("client_id", "supersedes__client_id", "crop_id", "pk")
    return {(client, answer): (crop, number) for client, answer, crop, number in told}


def _withdrawal(client_id: UUID, row: Annotation) -> Annotation:
    return Annotation(
        study_id=row.study_id, crop_id=row.crop_id, annotator_id=row.annotator_id, is_bulk=True, source=row.source,
        answer=Annotation.Answer.WITHDRAWN, client_id=client_id, answered_at=timezone.now(), supersedes=row,
    )  # fmt: skip


def _undone(client: UUID, answer: UUID, done: dict[tuple[UUID, UUID], tuple[int, int]]) -> BulkResult:
    if (client, answer) not in done:
        return BulkResult(client, 0, Outcome.CONFLICT, None, "This answer stands no more; it was changed elsewhere.")
    crop, number = done[client, answer]
    return BulkResult(client, crop, Outcome.SAVED, number)
