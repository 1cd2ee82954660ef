"""Takes answers: one transaction for the answer, its classes, its lease and its audit event."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.utils import timezone

from audit import services as audit
from imaging.models import Crop
from labeling.models import Annotation, AnnotationLabel, LabelClass, Lease, QueueEntry, RequestedCrop, Study
from labeling.services.queue import hold_again, one_at_a_time
from labeling.services.queueing.rereads import takes_the_place_of
from labeling.services.reads import ADJUDICATION, RE_READ, Read, awaits_adjudication, reads_of

# Why a user was asked, with what probability, by which ranking.
Asked = tuple[str, float | None, str]


class AnswerRefused(ValueError):
    """The answer does not fit the study; the message says which rule and what to do."""


class AnswerConflict(ValueError):
    """Something else was stored meanwhile; `standing` is what stands now."""

    def __init__(self, message: str, standing: Annotation | None = None) -> None:
        super().__init__(message)
        self.standing = standing


@dataclass(frozen=True, slots=True)
class Submission:
    """An answer as it comes from a browser, a program or a simulated annotator."""

    client_id: UUID
    crop_id: int
    answer: str
    answered_at: datetime
    classes: tuple[str, ...] = ()
    reason: str = ""
    shown_at: datetime | None = None
    window: list[Any] = field(default_factory=list)
    ranking: str = ""
    source: str = Annotation.Source.ROOM


def submit(study: Study, user: Any, submission: Submission) -> tuple[Annotation, bool]:
    """Store the answer; returns it and whether it is new. Sending the same `client_id` again stores nothing.

    A second answer of the same person to the same crop supersedes the first, unless they were asked to read it again:
    then both stand, and the second is a re-read. AnswerRefused names the broken
    rule; AnswerConflict says that the same id came with another answer, or that two edits crossed.
    """
    seen = Annotation.objects.filter(client_id=submission.client_id).first()
    if seen is not None:
        return _same(seen, study, user, submission), False
    classes = _classes(study, submission)
    crop = _crop(study, submission.crop_id)
    try:
        with one_at_a_time(study):
            return _store(study, user, crop, submission, classes), True
    except IntegrityError as error:
        again = Annotation.objects.filter(client_id=submission.client_id).first()
        if again is not None:
            return _same(again, study, user, submission), False
        standing = standing_answer(study, user, crop.pk)
        raise AnswerConflict("Your answer to this crop was changed elsewhere; look at it again.", standing) from error


def undo(study: Study, user: Any, client_id: UUID, answer: UUID | None = None) -> Annotation:
    """Withdraw the user's newest standing answer, or the one with the client id `answer`; returns the withdrawal.

    Naming the answer keeps two open tabs of one person apart. AnswerConflict when it stands no more.
    """
    with one_at_a_time(study):
        seen = Annotation.objects.filter(client_id=client_id).first()
        if seen is not None:
            return _same_withdrawal(seen, study, user)
        standing = Annotation.objects.current().filter(study=study, annotator=user)
        if answer is not None:
            standing = standing.filter(client_id=answer)
        newest = standing.select_related("crop__image__sample__experiment").order_by("-id").first()
        if newest is None:
            raise AnswerConflict("There is no answer of yours to take back.")
        withdrawal = Annotation.objects.create(
            study=study,
            crop=newest.crop,
            annotator=user,
            answer=Annotation.Answer.WITHDRAWN,
            source=newest.source,
            is_reread=newest.is_reread,
            client_id=client_id,
            answered_at=timezone.now(),
            supersedes=newest,
        )
        hold_again(newest)
        _write_event(withdrawal, ())
    return withdrawal


def standing_answer(study: Study, user: Any, crop_id: int) -> Annotation | None:
    """The user's answer to a crop that stands now."""
    own = Annotation.objects.current().filter(study=study, annotator=user, crop_id=crop_id)
    return own.order_by("-id").first()


def _same(seen: Annotation, study: Study, user: Any, submission: Submission) -> Annotation:
    classes = sorted(seen.labels.values_list("label_class__key", flat=True))
    stored = (seen.study_id, seen.annotator_id, seen.crop_id, seen.answer, seen.reason, classes)
    given = (study.pk, user.pk, submission.crop_id, submission.answer, submission.reason[:200])
    if stored != (*given, sorted(submission.classes)):
        raise AnswerConflict("This client_id was used for another answer: make a new one for each answer.")
    return seen


def _same_withdrawal(seen: Annotation, study: Study, user: Any) -> Annotation:
    given = (study.pk, user.pk, Annotation.Answer.WITHDRAWN)
    if (seen.study_id, seen.annotator_id, seen.answer) != given:
        raise AnswerConflict("This client_id was used for an answer: make a new one to take an answer back.")
    return seen


def _classes(study: Study, submission: Submission) -> list[LabelClass]:
    if submission.answer not in Annotation.Answer.values or submission.answer == Annotation.Answer.WITHDRAWN:
        raise AnswerRefused(
            f"'{submission.answer}' is not an answer: send label, not_sure, bad_crop or wrong_object."
        )
    wanted = 1 if submission.answer == Annotation.Answer.LABEL else 0
    if len(submission.classes) != wanted:
        raise AnswerRefused(
            f"The answer '{submission.answer}' takes {wanted} class(es), not {len(submission.classes)}."
        )
    found = list(study.classes.filter(key__in=submission.classes, retired_at__isnull=True))
    if len(found) != wanted:
        raise AnswerRefused(f"This study has no open class '{submission.classes[0]}': load the page again.")
    return found


def _crop(study: Study, crop_id: int) -> Crop:
    crop = Crop.objects.filter(pk=crop_id, image__sample__experiment__studies=study).first()
    if crop is None:
        raise AnswerRefused(f"Crop {crop_id} is not in the pool of this study.")
    return crop


def _store(study: Study, user: Any, crop: Crop, submission: Submission, classes: list[LabelClass]) -> Annotation:
    lease = Lease.objects.filter(study=study, crop=crop, user=user).first()
    reads = reads_of(study, [crop.pk])[crop.pk]
    asked = _as_handed_out(study, user, crop, lease)
    why, probability, ranking = _adjudicating(study, asked, [read for read in reads if read.annotator != user.pk])
    first = next((read for read in reads if read.annotator == user.pk), None)
    supersedes, is_reread = takes_the_place_of(study, user, crop.pk, lease, first)
    annotation = Annotation.objects.create(
        study=study,
        crop=crop,
        annotator=user,
        answer=submission.answer,
        reason=submission.reason[:200],
        source=submission.source,
        why_asked=why,
        probability_asked=probability,
        ranking=ranking or submission.ranking[:64],
        window=submission.window,
        client_id=submission.client_id,
        shown_at=submission.shown_at,
        answered_at=submission.answered_at,
        supersedes_id=supersedes,
        is_reread=is_reread,
    )
    AnnotationLabel.objects.bulk_create(AnnotationLabel(annotation=annotation, label_class=row) for row in classes)
    if lease:
        lease.delete()
    RequestedCrop.objects.filter(study=study, crop=crop, user=user).delete()
    _write_event(annotation, tuple(row.key for row in classes))
    return annotation


def _adjudicating(study: Study, asked: Asked, others: list[Read]) -> Asked:
    """The same, or an adjudication: so answers whoever reads a crop on which its readers differ."""
    decides = asked[0] != RE_READ and awaits_adjudication(study, others)
    return (ADJUDICATION, None, asked[2]) if decides else asked


def _as_handed_out(study: Study, user: Any, crop: Crop, lease: Lease | None) -> Asked:
    if lease is not None:
        return lease.why, lease.probability, lease.ranking
    # An edit answers the question that was asked before: a crop of the random stream stays one.
    given = Annotation.objects.filter(study=study, annotator=user, crop=crop)
    earlier = given.exclude(answer=Annotation.Answer.WITHDRAWN).order_by("-id").first()
    if earlier is not None:
        return earlier.why_asked, earlier.probability_asked, earlier.ranking
    # Answered without a lease (offline, or after it ended): what the queue says keeps the random stream whole.
    queued = QueueEntry.objects.filter(study=study, crop=crop).first()
    return (queued.why, queued.probability, queued.ranking) if queued else ("", None, "")


def _write_event(annotation: Annotation, classes: tuple[str, ...]) -> None:
    audit.record(
        f"answer.{annotation.answer}",
        annotation,
        actor=audit.actor_of(annotation.annotator),
        detail={
            "study": annotation.study_id,
            "crop": annotation.crop.key,
            "classes": list(classes),
            "supersedes": annotation.supersedes_id,
        },
        reason=annotation.reason,
    )
