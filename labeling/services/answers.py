"""Takes answers: one transaction for the answer, its classes, its lease and its audit event."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.utils import timezone

from audit import services as audit
from audit.statements import LARGEST_NUMBER, Bound, Insertion, Rows, Statement, ask_all, columns, records, stored
from imaging.models import Crop
from labeling.models import Annotation, AnnotationLabel, LabelClass, Lease, QueueEntry, RequestedCrop, Study
from labeling.services.clock import Times, settled
from labeling.services.guidelines_shown import NEWEST, guideline_shown, is_locked_in
from labeling.services.queue import hold_again, one_at_a_time
from labeling.services.queueing.rereads import is_forgotten, takes_the_place_of
from labeling.services.reader_study.guard import DONE, is_done, why_not_taken
from labeling.services.reads import ADJUDICATION, RE_READ, READER_STUDY, READS, Read, awaits_adjudication, reads_in

# Why a user was asked, with what probability, by which ranking.
Asked = tuple[str, float | None, str]

WISHES = RequestedCrop._meta.db_table
_SENT_BEFORE = Statement(
    lambda client_id: Annotation.objects.filter(client_id=client_id).values_list("id"), client_id=UUID
)
_OPEN_CLASS = Statement(
    lambda study, key: LabelClass.objects.filter(study=study, key=key, retired_at__isnull=True).values_list(
        *columns(LabelClass)
    ),
    study=int,
    key=str,
)
_IN_POOL = Statement(
    lambda study, crop: Crop.objects.filter(pk=crop, image__sample__experiment__studies=study).values_list(
        *columns(Crop)
    ),
    study=int,
    crop=int,
)
_LEASE = Statement(
    lambda study, crop, user: Lease.objects.filter(study=study, crop=crop, user=user).values_list(*columns(Lease)),
    study=int,
    crop=int,
    user=int,
)
_ANNOTATIONS, _LABELS = Insertion(Annotation), Insertion(AnnotationLabel)

ANY = UUID(int=0)
REASONS = {
    Annotation.Answer.NOT_SURE: frozenset({"out_of_focus", "artefact", "between_classes", "needs_context"}),
    Annotation.Answer.WRONG_OBJECT: frozenset({"two_objects", "cut_off", "wrong_outline"}),
}


class AnswerRefused(ValueError):
    """The answer does not fit the study; the message says which rule and what to do."""


class AnswerConflict(ValueError):
    """Something else was stored meanwhile; `standing` is what stands now."""

    def __init__(self, message: str, standing: Annotation | None = None) -> None:
        super().__init__(message)
        self.standing = standing


@dataclass(frozen=True, slots=True)
class Submission:
    """An answer as it comes from a browser, a program or a simulated annotator.

    `replaces`: the client id of the answer of the same person that this one is meant to supersede, None where they
    knew of none, ANY where it does not matter. `guideline`: number of the version that was shown. `active_ms`: time
    on the crop without longer pauses. `sent_at`: the sender's clock when the answer left, by which a wrong clock is
    known. `suggested_by`: digest of the model whose suggestion was accepted.
    """

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
    reason_code: str = ""
    first_key_at: datetime | None = None
    active_ms: int | None = None
    sent_at: datetime | None = None
    suggested_by: str = ""
    guideline: int | None = None
    replaces: UUID | None = ANY

    def times(self, received: datetime) -> Times:
        """The moments of the answer by the server's clock."""
        told = Times(self.answered_at, self.shown_at, self.first_key_at, self.active_ms)
        return settled(told, self.sent_at, received)


def submit(study: Study, user: Any, submission: Submission) -> tuple[Annotation, bool]:
    """Store the answer; returns it and whether it is new. Sending the same `client_id` again stores nothing.

    A second answer of the same person to the same crop supersedes the first, unless they were asked to read it again:
    then both stand, and the second is a re-read. AnswerRefused names the broken rule; AnswerConflict says that the
    same id came with another answer, or that another answer than the one to be replaced stands.
    """
    sent, crops, *classes = ask_all(
        _SENT_BEFORE.of(client_id=submission.client_id),
        _IN_POOL.of(study=study.pk, crop=min(submission.crop_id, LARGEST_NUMBER)),
        # PostgreSQL stores no NUL, and refuses to look for one.
        *(_OPEN_CLASS.of(study=study.pk, key=key) for key in submission.classes[:1] if "\0" not in key),
    )
    if sent:
        return _same(Annotation.objects.get(client_id=submission.client_id), study, user, submission), False
    _check(study, submission, classes)
    if not crops:
        raise AnswerRefused(f"Crop {submission.crop_id} is not in the pool of this study.")
    (crop,) = records(Crop, crops)
    try:
        named = [row for rows in classes for row in records(LabelClass, rows)]
        return _store(study, user, crop, submission, named), True
    except IntegrityError as error:
        again = Annotation.objects.filter(client_id=submission.client_id).first()
        if again is not None:
            return _same(again, study, user, submission), False
        standing = standing_answer(study, user, crop.pk)
        raise AnswerConflict("Your answer to this crop was changed elsewhere; look at it again.", standing) from error


def undo(study: Study, user: Any, client_id: UUID, answer: UUID | None = None) -> Annotation:
    """Withdraw the user's newest standing answer, or the one with the client id `answer`; returns the withdrawal.

    Naming the answer keeps two open tabs of one person apart. Without a name it is one that was given to one crop: a
    step of the grid is taken back as a whole, and what a file brought was never on the user's screen. AnswerConflict
    when it stands no more.
    """
    with one_at_a_time(study):
        seen = Annotation.objects.filter(client_id=client_id).first()
        if seen is not None:
            return _same_withdrawal(seen, study, user)
        if is_done(study):
            raise AnswerConflict(DONE)
        standing = Annotation.objects.current().filter(study=study, annotator=user)
        if answer is not None:
            standing = standing.filter(client_id=answer)
        else:
            standing = standing.filter(is_bulk=False).exclude(source=Annotation.Source.IMPORT)
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
        audit.record(**_told(withdrawal, ()))
    return withdrawal


def standing_answer(study: Study, user: Any, crop_id: int) -> Annotation | None:
    """The user's answer to a crop that stands now."""
    own = Annotation.objects.current().filter(study=study, annotator=user, crop_id=crop_id)
    return own.order_by("-id").first()


def _same(seen: Annotation, study: Study, user: Any, submission: Submission) -> Annotation:
    classes = sorted(seen.labels.values_list("label_class__key", flat=True))
    stored = (seen.study_id, seen.annotator_id, seen.crop_id, seen.answer, seen.reason, seen.reason_code, classes)
    given = (
        study.pk,
        user.pk,
        submission.crop_id,
        submission.answer,
        submission.reason[:200],
        submission.reason_code,
    )
    if stored != (*given, sorted(submission.classes)):
        raise AnswerConflict("This client_id was used for another answer: make a new one for each answer.")
    return seen


def _same_withdrawal(seen: Annotation, study: Study, user: Any) -> Annotation:
    given = (study.pk, user.pk, Annotation.Answer.WITHDRAWN)
    if (seen.study_id, seen.annotator_id, seen.answer) != given:
        raise AnswerConflict("This client_id was used for an answer: make a new one to take an answer back.")
    return seen


def _check(study: Study, submission: Submission, found: list[Rows]) -> None:
    """`found`: the open classes of the study for each class that is named."""
    check_answer(study, submission.answer, submission.classes, sum(map(len, found)))
    if submission.reason_code and submission.reason_code not in REASONS.get(submission.answer, ()):
        raise AnswerRefused(f"'{submission.reason_code}' is no reason for the answer '{submission.answer}'.")


def check_answer(study: Study, answer: str, classes: Sequence[str], found: int) -> None:
    """AnswerRefused where it is no answer or does not take these classes, `found` of which are open in the study."""
    if answer not in Annotation.Answer.values or answer == Annotation.Answer.WITHDRAWN:
        raise AnswerRefused(f"'{answer}' is not an answer: send label, not_sure, bad_crop or wrong_object.")
    wanted = 1 if answer == Annotation.Answer.LABEL else 0
    if len(classes) != wanted:
        raise AnswerRefused(f"The answer '{answer}' takes {wanted} class(es), not {len(classes)}.")
    if found != wanted:
        raise AnswerRefused(_no_class(study, classes[0]))


def _no_class(study: Study, key: str) -> str:
    """What became of a class that takes no answers."""
    row = study.classes.select_related("merged_into").filter(key=key).first()
    if row is None:
        became = "load the page again"
    elif row.merged_into is not None:
        became = f"it was merged into '{row.merged_into.name}'"
    else:
        became = "it was split into others" if row.parts.exists() else "it was removed"
    return f"This study has no open class '{key}': {became}."


def _store(study: Study, user: Any, crop: Crop, submission: Submission, classes: list[LabelClass]) -> Annotation:
    lease = _LEASE.of(study=study.pk, crop=crop.pk, user=user.pk)
    reads = READS.of(study=study.pk, crops=[crop.pk])
    with one_at_a_time(study, lease, reads, NEWEST.of(study=study.pk)) as (leases, standing, guideline):
        # The study may have been loaded before its protocol was locked.
        if study.is_reader_study or is_locked_in(guideline):
            study.is_reader_study = True
            _refuse_outside(study, user, submission)
        held = next(iter(records(Lease, leases)), None)
        annotation = _annotation(study, user, crop, held, reads_in(standing, with_void=True)[crop.pk], submission)
        held = held if _is_answer_to(held, annotation) else None
        offset_s = _fill_given(annotation, submission, guideline)
        _write(annotation, held, classes, offset_s)
    return annotation


def _refuse_outside(study: Study, user: Any, submission: Submission) -> None:
    """AnswerRefused where the locked protocol takes no such answer."""
    told = {"suggested_by": submission.suggested_by, "source": submission.source}
    if problem := why_not_taken(study, user, submission.crop_id, **told):
        raise AnswerRefused(problem)


def _annotation(
    study: Study, user: Any, crop: Crop, lease: Lease | None, reads: list[Read], submission: Submission
) -> Annotation:
    """The answer as far as it follows from what stands: what it supersedes, and why it was asked."""
    mine = next((read for read in reads if read.annotator == user.pk and not read.is_decision), None)
    supersedes, is_reread = takes_the_place_of(study, user, crop.pk, lease, mine, submission.replaces)
    _check_replaced(supersedes, submission)
    annotation = Annotation(study=study, crop=crop, annotator=user, supersedes_id=supersedes, is_reread=is_reread)
    asked = _as_handed_out(annotation, lease if _is_answer_to(lease, annotation) else None)
    # Also what the reader decided as a lead: it is no read of theirs, and leaves nothing to decide.
    others = [read for read in reads if (read.is_decision or read.annotator != user.pk) and not read.is_void]
    _fill_asked(annotation, _adjudicating(study, asked, others), submission)
    return annotation


def _is_answer_to(lease: Lease | None, annotation: Annotation) -> bool:
    """Whether the answer is one to what was handed out: an edit of a first read is no re-read."""
    if lease is None or lease.why != RE_READ or is_forgotten(lease):
        return lease is not None
    return annotation.supersedes_id is None or annotation.is_reread


def _write(annotation: Annotation, lease: Lease | None, classes: list[LabelClass], offset_s: float) -> None:
    """Store the answer, its classes and its audit event; its lease goes, and a wish for its crop is fulfilled."""
    given = [annotation.study_id, annotation.crop_id, annotation.annotator_id]
    keys, *_, newest = ask_all(
        _ANNOTATIONS.of(annotation),
        *([Bound(f"DELETE FROM {Lease._meta.db_table} WHERE id = %s", [lease.pk])] if lease else []),
        Bound(f"DELETE FROM {WISHES} WHERE study_id = %s AND crop_id = %s AND user_id = %s", given),
        *audit.head(),
    )
    stored(annotation, keys)
    labels = [_LABELS.of(AnnotationLabel(annotation=annotation, label_class=row)) for row in classes]
    ask_all(*labels, audit.event(newest=newest, **_told(annotation, [row.key for row in classes], offset_s)))


def _check_replaced(supersedes: int | None, submission: Submission) -> None:
    """Two tabs, or a page that was open for long: nobody overwrites an answer of theirs that they have not seen."""
    # What was to be replaced may have been taken back meanwhile: then this is simply the answer.
    if supersedes is None or submission.replaces == ANY:
        return
    standing = Annotation.objects.get(pk=supersedes)
    said = standing.answer, tuple(standing.labels.values_list("label_class__key", flat=True))
    if standing.client_id != submission.replaces and said != (submission.answer, submission.classes):
        raise AnswerConflict("Another answer of yours to this crop stands: choose one of the two.", standing)


def _fill_asked(annotation: Annotation, asked: Asked, submission: Submission) -> None:
    why, probability, ranking = asked
    annotation.why_asked, annotation.probability_asked = why, probability
    annotation.ranking = ranking or submission.ranking[:64]
    # Kept whatever may be shown by now: the reader has seen it, and the mark only ever leaves an answer out.
    annotation.suggested_by = submission.suggested_by if submission.answer == Annotation.Answer.LABEL else ""


def _fill_given(annotation: Annotation, submission: Submission, guideline: Rows) -> float:
    """Write what was given into the row; returns by how many seconds the sender's clock was wrong."""
    times = submission.times(annotation.received_at)
    annotation.client_id, annotation.answer = submission.client_id, submission.answer
    annotation.reason, annotation.reason_code = submission.reason[:200], submission.reason_code
    annotation.source, annotation.window = submission.source, submission.window
    annotation.shown_at, annotation.first_key_at = times.shown_at, times.first_key_at
    annotation.answered_at, annotation.active_ms = times.answered_at, times.active_ms
    shown = times.shown_at or times.answered_at
    annotation.guideline_id = guideline_shown(annotation.study, guideline, submission.guideline, shown)
    return times.offset_s


def _adjudicating(study: Study, asked: Asked, others: list[Read]) -> Asked:
    """The same, or an adjudication: so answers whoever reads a crop on which its readers differ."""
    decides = asked[0] != RE_READ and awaits_adjudication(study, others)
    return (ADJUDICATION, None, asked[2]) if decides else asked


def _as_handed_out(new: Annotation, lease: Lease | None) -> Asked:
    if lease is not None and not is_forgotten(lease):
        return lease.why, lease.probability, lease.ranking
    # An edit answers the question that was asked before: a crop of the random stream stays one.
    given = Annotation.objects.filter(study=new.study_id, annotator=new.annotator_id, crop=new.crop_id)
    given = given.exclude(source=Annotation.Source.DECISION)
    edited = given.filter(pk=new.supersedes_id) if new.supersedes_id else given
    earlier = edited.exclude(answer=Annotation.Answer.WITHDRAWN).order_by("-id").first()
    if earlier is not None:
        return earlier.why_asked, earlier.probability_asked, earlier.ranking
    if new.study.is_reader_study:
        return READER_STUDY, None, ""
    # Answered without a lease (offline, or after it ended): what the queue says keeps the random stream whole.
    queued = QueueEntry.objects.filter(study=new.study_id, crop=new.crop_id).first()
    return (queued.why, queued.probability, queued.ranking) if queued else ("", None, "")


def _told(annotation: Annotation, classes: Sequence[str], offset_s: float = 0.0) -> dict[str, Any]:
    """What the audit trail says of an answer."""
    # A clock that was wrong is part of how the times came about.
    corrected = {"clock_offset_s": round(offset_s, 1)} if offset_s else {}
    said = {"study": annotation.study_id, "crop": annotation.crop.key, "classes": list(classes)}
    return {
        "action": f"answer.{annotation.answer}",
        "target": annotation,
        "actor": audit.actor_of(annotation.annotator),
        "detail": said | {"supersedes": annotation.supersedes_id} | corrected,
        "reason": annotation.reason or annotation.reason_code,
    }
