"""What a lead settles after the readers have answered: one standing decision for each crop, in sight of all answers.

It rules which class the crop has, in files, training and held-out figures, until it is taken back. It is no read: it
is never held against one, and a lead's own read of the crop stays as it is.
"""

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from audit import services as audit
from imaging.models import Crop
from labeling.models import Annotation, AnnotationLabel, LabelClass, Study
from labeling.services.access import is_lead
from labeling.services.answers import ANY, AnswerConflict, AnswerRefused, Submission, check_answer
from labeling.services.guidelines import current_guideline
from labeling.services.queue import lock
from labeling.services.reads import ADJUDICATION, given_reads, reads_of
from labeling.services.refusals import WHAT_COUNTS

DECIDABLE = (Annotation.Answer.LABEL, Annotation.Answer.NOT_SURE)
# One reader's word is no dispute that could be settled.
FEWEST_READS = 2


def decide(study: Study, lead: Any, given: Submission) -> tuple[Annotation, bool]:
    """Settle the crop on a class, or on "not sure" where it cannot be decided; returns the decision and whether new.

    Sending the same `client_id` again stores nothing. A decision supersedes the one before, whoever made it.
    AnswerRefused for a class that takes no answers and for a crop that two have not read; AnswerConflict where
    another decision stands than the one that `given.replaces` names; PermissionDenied for who does not lead.
    """
    _refuse_others(study, lead)
    with transaction.atomic():
        lock(study)
        # Under the lock: the same decision may be on its way twice.
        seen = Annotation.objects.filter(client_id=given.client_id).first()
        if seen is not None:
            return _same(seen, study, lead, given), False
        crop = Crop.objects.filter(pk=given.crop_id, image__sample__experiment__studies=study).first()
        if crop is None:
            raise AnswerRefused(f"Crop {given.crop_id} is not in the pool of this study.")
        classes = _classes(study, given)
        reads = given_reads(reads_of(study, [crop.pk])[crop.pk])
        if len(reads) < FEWEST_READS:
            raise AnswerRefused(
                f"A decision settles what two readers said; this crop has {len(reads)} so far. {WHAT_COUNTS}"
            )
        before = standing_decision(study, crop.pk)
        _check_replaced(before, given)
        row = _store(study, lead, crop, given, before)
        AnnotationLabel.objects.bulk_create(AnnotationLabel(annotation=row, label_class=label) for label in classes)
        said = {"answer": row.answer, "classes": [label.key for label in classes]}
        _tell("crop.decided", row, said | {"reads": [read.number for read in reads]})
    return row, True


def undo_decision(study: Study, lead: Any, crop: Crop, client_id: UUID, decision: UUID) -> Annotation:
    """Take the decision with the client id `decision` back; returns the withdrawal, the same when sent again.

    AnswerConflict where it stands no more; PermissionDenied for who does not lead.
    """
    _refuse_others(study, lead)
    with transaction.atomic():
        lock(study)
        seen = Annotation.objects.filter(client_id=client_id).select_related("supersedes").first()
        if seen is not None:
            return _same_withdrawal(seen, study, crop, decision)
        before = standing_decision(study, crop.pk)
        if before is None or before.client_id != decision:
            raise AnswerConflict("This decision stands no more: look at what stands now.", before)
        row = _new(study, lead, crop, client_id, before, answer=Annotation.Answer.WITHDRAWN, why_asked="")
        _tell("crop.decision_undone", row, {})
    return row


def standing_decision(study: Study, crop_id: int) -> Annotation | None:
    """The decision that stands for the crop."""
    return Annotation.objects.decisions().filter(study=study, crop=crop_id).order_by("-id").first()


def _refuse_others(study: Study, user: Any) -> None:
    if not is_lead(user, study):
        raise PermissionDenied("Only leads of this study decide on its crops.")


def _classes(study: Study, given: Submission) -> list[LabelClass]:
    if given.answer not in DECIDABLE:
        raise AnswerRefused("A decision names a class, or says “not sure” where the crop cannot be decided.")
    keys = [key for key in given.classes if "\0" not in key]
    found = list(study.classes.filter(key__in=keys, retired_at__isnull=True))
    check_answer(study, given.answer, given.classes, len(found))
    return found


def _check_replaced(before: Annotation | None, given: Submission) -> None:
    """Two leads, or a page that was open for long: nobody overrules a decision that they have not seen."""
    if given.replaces == ANY or given.replaces == (before and before.client_id):
        return
    raise AnswerConflict("Another decision was made meanwhile: look at what stands now, then decide.", before)


def _store(study: Study, lead: Any, crop: Crop, given: Submission, before: Annotation | None) -> Annotation:
    guideline = current_guideline(study)
    return _new(
        study, lead, crop, given.client_id, before, answer=given.answer, reason=given.reason[:200],
        why_asked=ADJUDICATION, guideline=guideline,
    )  # fmt: skip


def _new(
    study: Study, lead: Any, crop: Crop, client_id: UUID, before: Annotation | None, **fields: Any
) -> Annotation:
    return Annotation.objects.create(
        study=study, crop=crop, annotator=lead, client_id=client_id, supersedes=before, answered_at=timezone.now(),
        source=Annotation.Source.DECISION, **fields,
    )  # fmt: skip


def _tell(action: str, row: Annotation, said: dict[str, Any]) -> None:
    detail = {"study": row.study_id, "crop": row.crop.key, "supersedes": row.supersedes_id} | said
    audit.record(action, row, actor=audit.actor_of(row.annotator), detail=detail, reason=row.reason)


def _same(seen: Annotation, study: Study, lead: Any, given: Submission) -> Annotation:
    classes = tuple(seen.labels.values_list("label_class__key", flat=True))
    stored = (seen.source, seen.study_id, seen.annotator_id, seen.crop_id, seen.answer, classes)
    if stored != (Annotation.Source.DECISION, study.pk, lead.pk, given.crop_id, given.answer, given.classes):
        raise AnswerConflict("This client_id was used for another answer: make a new one for each decision.")
    return seen


def _same_withdrawal(seen: Annotation, study: Study, crop: Crop, decision: UUID) -> Annotation:
    taken_back = seen.supersedes.client_id if seen.supersedes else None
    stored = (seen.study_id, seen.crop_id, seen.answer, taken_back)
    if stored != (study.pk, crop.pk, Annotation.Answer.WITHDRAWN, decision):
        raise AnswerConflict("This client_id was used for an answer: make a new one to take a decision back.")
    return seen
