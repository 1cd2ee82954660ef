"""A reader's own answers, newest first, and what they did day by day.

In a blind study with re-reads its annotators are not shown answers that are old enough to be asked again: all of
them, also those that never will be, so that neither the first answer nor the choice of crops is given away. The rule
is that of the queue: the study's days or so many later answers. Leads see everything.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.utils import timezone

from labeling.models import Annotation, AnnotationQuerySet, Comment, Study
from labeling.services.access import is_lead
from labeling.services.answers import AnswerConflict, AnswerRefused, Submission, submit, undo
from labeling.services.queueing.rereads import old_enough
from labeling.services.timing import Day, Given, by_day, last_days, together

PAGE = 48
DAYS = 14
DAYS_OF_ALL = 7
KINDS = ("not_sure", "bad_crop", "wrong_object", "withdrawn")
MARKS = ("comment", "changed", "bulk")
BY_HAND = (Annotation.Source.ROOM, Annotation.Source.API)
COLUMNS = ("annotator_id", "received_at", "shown_at", "answered_at", "active_ms", "answer", "is_bulk", "source")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which answers are wanted: `label` is the key of a class, `kind` one of KINDS, `marks` some of MARKS."""

    label: str = ""
    kind: str = ""
    day: date | None = None
    marks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ReaderDays:
    """What a reader of a study did in the last days, and `today`; `goal` is their daily goal, None without one."""

    user: int
    name: str
    is_simulated: bool
    goal: int | None
    today: Day
    days: Day


def hides_old_answers(study: Study, viewer: Any) -> bool:
    """Whether the viewer is not shown answers that may be asked again."""
    return study.is_blind and study.reread_share > 0 and not is_lead(viewer, study)


def answers_of(study: Study, reader: Any, viewer: Any, wanted: Filter | None = None) -> AnnotationQuerySet:
    """The newest version of each answer of the reader that the viewer may see and wants to, newest first.

    Answers that were taken back are among them only where `kind` asks for them.
    """
    wanted = wanted or Filter()
    rows = Annotation.objects.filter(study=study, annotator=reader, superseded_by__isnull=True)
    # What a lead decided is no answer of theirs: it is changed where the crop is discussed.
    rows = rows.exclude(source=Annotation.Source.DECISION)
    rows = rows.filter(answer="withdrawn") if wanted.kind == "withdrawn" else rows.exclude(answer="withdrawn")
    return _narrowed(without_old(rows, study, viewer), wanted).order_by("-id")


def without_old(rows: AnnotationQuerySet, study: Study, viewer: Any) -> AnnotationQuerySet:
    """The viewer's own answers without those that they are not shown because they may be asked again."""
    return rows.exclude(old_enough(study, viewer, timezone.now())) if hides_old_answers(study, viewer) else rows


def _narrowed(rows: AnnotationQuerySet, wanted: Filter) -> AnnotationQuerySet:
    if wanted.label:
        rows = rows.filter(labels__label_class__key=wanted.label)
    if wanted.kind:
        rows = rows.filter(answer=wanted.kind)
    if wanted.day:
        start = timezone.make_aware(datetime.combine(wanted.day, datetime.min.time()))
        end = timezone.make_aware(datetime.combine(wanted.day + timedelta(days=1), datetime.min.time()))
        rows = rows.filter(received_at__gte=start, received_at__lt=end)
    if "bulk" in wanted.marks:
        rows = rows.filter(is_bulk=True)
    if "changed" in wanted.marks:
        later = rows.filter(supersedes__isnull=False).prefetch_related("labels__label_class")
        rows = rows.filter(pk__in=[number for number, before in changes_of(later).items() if before])
    if "comment" in wanted.marks:
        said = Comment.objects.filter(study=OuterRef("study"), crop=OuterRef("crop"), author=OuterRef("annotator"))
        rows = rows.filter(Exists(said))
    return rows


def page_of(rows: AnnotationQuerySet, before: int | None) -> tuple[list[Annotation], int | None]:
    """The newest answers with a number below `before`, and from where the next page goes on (None at the end)."""
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = list(
        rows.select_related("crop__image__sample__experiment").prefetch_related("labels__label_class")[: PAGE + 1]
    )
    return found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else None


def changes_of(rows: Iterable[Annotation]) -> dict[int, list[Annotation]]:
    """For each answer that superseded another: what was said before it, newest first, by the number of the answer.

    A reason that was added to the same answer is no change of it: of versions that say the same only one is there.
    """
    changes = {}
    rows = list(rows)
    newest = {row.pk: row for row in rows}
    for number, before in _versions_of(rows).items():
        chain = [newest[number], *before]
        changes[number] = [old for new, old in pairwise(chain) if _said(old) != _said(new)]
    return changes


def _said(row: Annotation) -> tuple[str, frozenset[int]]:
    return row.answer, frozenset(label.label_class_id for label in row.labels.all())


def _versions_of(rows: Iterable[Annotation]) -> dict[int, list[Annotation]]:
    """What stood before each of the answers that superseded one, newest first, by the number of the answer."""
    changed = [row for row in rows if row.supersedes_id]
    if not changed:
        return {}
    first = changed[0]
    crops = {row.crop_id for row in changed}
    all_rows = Annotation.objects.filter(study=first.study_id, annotator=first.annotator_id, crop__in=crops)
    known = {row.pk: row for row in all_rows.prefetch_related("labels__label_class")}
    return {row.pk: list(_before(row, known)) for row in changed}


def _before(row: Annotation, known: dict[int, Annotation]) -> Iterable[Annotation]:
    while row.supersedes_id:
        row = known[row.supersedes_id]
        yield row


def own_comments(study: Study, reader: Any, crops: Collection[int]) -> dict[int, list[Comment]]:
    """What the reader wrote about the crops, oldest first."""
    found: dict[int, list[Comment]] = defaultdict(list)
    for row in Comment.objects.filter(study=study, author=reader, crop__in=crops).order_by("id"):
        found[row.crop_id].append(row)
    return found


def change_answer(study: Study, user: Any, given: Submission) -> Annotation:
    """Put another answer in place of the one that `given.replaces` names; as `answers.submit` refuses and conflicts.

    An answer that is not listed for the user cannot be changed here either.
    """
    _refuse_hidden(study, user, given.crop_id)
    return submit(study, user, given)[0]


def take_back(study: Study, user: Any, crop: int, client_id: UUID, answer: UUID) -> Annotation:
    """Withdraw the answer with the client id `answer`; the crop is the user's next one in the reading room."""
    _refuse_hidden(study, user, crop)
    if Annotation.objects.filter(client_id=client_id).exists():
        return undo(study, user, client_id, answer)
    standing = Annotation.objects.current().filter(study=study, annotator=user, crop=crop).order_by("-id").first()
    if standing is not None and standing.client_id != answer:
        raise AnswerConflict("Another answer of yours to this crop stands: choose one of the two.", standing)
    return undo(study, user, client_id, answer)


def _refuse_hidden(study: Study, user: Any, crop: int) -> None:
    if not hides_old_answers(study, user):
        return
    if (
        not Annotation.objects.filter(study=study, annotator=user, crop=crop)
        .exclude(old_enough(study, user, timezone.now()))
        .exists()
    ):
        raise AnswerRefused("This answer is no longer listed: its crop may be read again without sight of it.")


def own_days(study: Study, reader: Any) -> list[Day]:
    """The reader's last days, oldest first, by the server's time zone."""
    days = last_days(timezone.localdate(), DAYS)
    rows = [given for _, given in _given(study, days[0], reader)]
    return by_day(rows, days, study.idle_cap_s, timezone.get_current_timezone())


def everybodys_days(study: Study) -> list[ReaderDays]:
    """The last days of everybody who answered in them or takes part, in order of name; for leads."""
    zone, days = timezone.get_current_timezone(), last_days(timezone.localdate(), DAYS_OF_ALL)
    rows: dict[int, list[Given]] = defaultdict(list)
    for annotator, given in _given(study, days[0]):
        rows[annotator].append(given)
    members = {row.user_id: row for row in study.memberships.all()}
    people = Annotation.annotator.field.related_model.objects.filter(pk__in={*rows, *members}).order_by("username")
    return [
        ReaderDays(
            user=user.pk,
            name=user.username,
            is_simulated=member.is_simulated if (member := members.get(user.pk)) else False,
            goal=member.daily_goal if member else None,
            today=by_day(rows[user.pk], days[-1:], study.idle_cap_s, zone)[0],
            days=together(rows[user.pk], days[-1], study.idle_cap_s),
        )
        for user in people
    ]


def _given(study: Study, first: date, reader: Any = None) -> list[tuple[int, Given]]:
    """Everything that was answered since that day, with who did; withdrawals and decisions are no answers."""
    start = timezone.make_aware(datetime.combine(first, datetime.min.time()))
    rows = Annotation.objects.filter(study=study, received_at__gte=start).exclude(answer="withdrawn")
    rows = rows.exclude(source=Annotation.Source.DECISION)
    if reader is not None:
        rows = rows.filter(annotator=reader)
    found = rows.order_by("id").values_list(*COLUMNS, "superseded_by")
    return [
        (
            annotator,
            Given(
                received_at=received,
                shown_at=shown,
                answered_at=answered,
                active_ms=active,
                is_not_sure=answer == Annotation.Answer.NOT_SURE,
                stands=later is None,
                by_hand=not is_bulk and source in BY_HAND,
            ),
        )
        for annotator, received, shown, answered, active, answer, is_bulk, source, later in found
    ]
