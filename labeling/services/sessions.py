"""Disagreement sessions: leads and readers talk over crops that two classes are mixed up on, and write down the rule.

What came of it is told from random crops alone: how far independent readers told the two classes apart on those read
before the session, and on others read under the guidelines that the session made.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from random import Random
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from labeling.agreement.change import change_in_words
from labeling.agreement.confusion import only_labels
from labeling.agreement.intervals import Estimate, alpha_interval
from labeling.agreement.table import from_long
from labeling.models import Annotation, AnnotationQuerySet, DisagreementSession, LabelClass, Study
from labeling.services.discussion import Settled, disputed_crops, state_of_reads
from labeling.services.examples import add_example
from labeling.services.guidelines import change_guidelines, current_guideline
from labeling.services.progress import COUNTS_FOR, independent_reads
from labeling.services.queue import lock
from labeling.services.reads import ADJUDICATION, STREAM
from labeling.services.refusals import StudyRefused

MOST_CROPS = 24
LONGEST_TEXT = 4000
NO_AFTER = Estimate(None, None, None, 0, "the guidelines were not changed, so there is no time after")
NONE_READ = Estimate(None, None, None, 0, "no random crop was called one of the two by two readers")
ONE_CLASS = Estimate(None, None, None, 0, "the two are one class by now")
NO_RULE = (
    "The guidelines are as they were: write into them what was agreed on, or close the session without a change. "
    "Nothing was stored yet."
)


@dataclass(frozen=True, slots=True)
class Effect:
    """How far the two classes were told apart before and after, Krippendorff's alpha each, and what that says."""

    before: Estimate
    after: Estimate
    word: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a session ends with: words, a new text of the guidelines (None for no change), and example crops.

    `change` says in a sentence what is new; `seen` is the number of the version that the text started from;
    `examples` has the key of a class for each crop that is to show it.
    """

    words: str
    text: str | None = None
    change: str = ""
    seen: int | None = None
    examples: Mapping[int, str] | None = None


def start_session(study: Study, lead: Any, a: LabelClass, b: LabelClass) -> DisagreementSession:
    """Begin on up to 24 crops that are disputed between the two classes, drawn at random, undecided ones first.

    Where a session on the two is open, that one is returned. StudyRefused where no crop is disputed between them.
    """
    a, b = sorted((a, b), key=lambda row: row.position)
    with transaction.atomic():
        lock(study)
        known = study.sessions.filter(class_a=a, class_b=b, closed_at__isnull=True).first()
        if known is not None:
            return known
        seed = f"{study.pk}:{study.seed}:{a.pk}:{b.pk}:{study.sessions.count()}"
        crops = _draw(study, a, b, seed)
        row = DisagreementSession.objects.create(study=study, class_a=a, class_b=b, by=lead, seed=seed)
        row.crops.set(crops)
        row.agreement_before = asdict(_told_apart(row, _random_reads(study).filter(received_at__lt=row.started_at)))
        row.save(update_fields=["agreement_before"])
        _tell("session.started", row, lead, {"classes": [a.key, b.key], "crops": len(crops)})
    return row


def keep_notes(session: DisagreementSession, lead: Any, text: str) -> None:
    """Keep what was noted so far; StudyRefused once the session is closed and for a text that is too long."""
    with transaction.atomic():
        lock(session.study)
        _refuse_closed(session)
        session.notes = _within(text, "The notes")
        session.save(update_fields=["notes"])
        _tell("session.noted", session, lead, {"characters": len(session.notes)})


def close_session(session: DisagreementSession, lead: Any, outcome: Outcome) -> None:
    """End the session; its text becomes a new version of the guidelines, its example crops examples.

    All or nothing: StudyRefused where the outcome has no words, the text is as it was, another version was saved
    meanwhile, an example may not be shown yet, or somebody has closed the session.
    """
    words = _within(outcome.words, "The outcome")
    if not words:
        raise StudyRefused("Write down what came of the session, a sentence will do. Nothing was stored yet.")
    with transaction.atomic():
        lock(session.study)
        _refuse_closed(session)
        if outcome.text is not None:
            _put_in_force(session, lead, outcome)
        for crop, key in (outcome.examples or {}).items():
            _show(session, lead, crop, key)
        session.outcome, session.closed_at = words, timezone.now()
        session.save(update_fields=["outcome", "closed_at", "guideline"])
        made = session.guideline.number if session.guideline else None
        _tell("session.closed", session, lead, {"guideline": made, "examples": len(outcome.examples or {})})


def effect_of(session: DisagreementSession) -> Effect:
    """What the session changed, by random crops that two read: those before it, and others since its guidelines."""
    before = Estimate(**session.agreement_before)
    if session.guideline is None:
        return Effect(before, NO_AFTER, "")
    after = _kept_after(session.pk, state_of_reads(session.study))
    return Effect(before, after, change_in_words(before, after))


@lru_cache(maxsize=128)
def _kept_after(session_id: int, state: tuple[Any, ...]) -> Estimate:
    """How far the classes are told apart since the guidelines of the session, kept until something changes: a page
    lists many sessions."""
    session = DisagreementSession.objects.select_related(
        "study", "guideline", "class_a__merged_into", "class_b__merged_into"
    ).get(pk=session_id)
    since = _random_reads(session.study).filter(guideline__number__gte=session.guideline.number)
    # Who changes an earlier answer, or reads what was talked over, knows more than the guidelines say.
    fresh = since.exclude(supersedes__received_at__lt=session.started_at).exclude(crop__in=session.crops.values("pk"))
    return _told_apart(session, fresh)


def _draw(study: Study, a: LabelClass, b: LabelClass, seed: str) -> list[int]:
    open_ones = disputed_crops(study, a.key, b.key, settled=Settled.UNDECIDED)
    crops = open_ones or disputed_crops(study, a.key, b.key)
    if not crops:
        raise StudyRefused(f"No crop is disputed between “{a.name}” and “{b.name}”: choose another cell.")
    return sorted(Random(seed).sample(crops, min(MOST_CROPS, len(crops))))


def _random_reads(study: Study) -> AnnotationQuerySet:
    """Independent reads of crops that were drawn at random; a third reader is asked only where two differ."""
    drawn = Annotation.objects.counted().independent().filter(study=study, why_asked=STREAM)
    return independent_reads(study).filter(crop__in=drawn.values("crop")).exclude(why_asked=ADJUDICATION)


def _told_apart(session: DisagreementSession, reads: AnnotationQuerySet) -> Estimate:
    """Alpha over the reads that name one of the two classes; a merged class stands for the one it was merged into."""
    a, b = ((row.merged_into or row).key for row in (session.class_a, session.class_b))
    if a == b:
        return ONE_CLASS
    rows = reads.values_list("crop_id", "annotator_id", COUNTS_FOR)
    table = from_long([(str(crop), str(annotator), label or "") for crop, annotator, label in rows], not_sure=None)
    found = alpha_interval(only_labels(table, (a, b)))
    return found if found.n else NONE_READ


def _put_in_force(session: DisagreementSession, lead: Any, outcome: Outcome) -> None:
    change = outcome.change or f"{session.class_a.name} against {session.class_b.name}"
    if not change_guidelines(session.study, lead, outcome.text or "", change, seen=outcome.seen):
        raise StudyRefused(NO_RULE)
    session.guideline = current_guideline(session.study)


def _show(session: DisagreementSession, lead: Any, crop: int, key: str) -> None:
    row = next((one for one in (session.class_a, session.class_b) if one.key == key), None)
    if row is None or row.retired_at is not None or not session.crops.filter(pk=crop).exists():
        raise StudyRefused(f"Crop {crop} is no example of this session: choose one of its crops and open classes.")
    add_example(row, lead, crop)


def _refuse_closed(session: DisagreementSession) -> None:
    session.refresh_from_db()
    if session.closed_at is not None:
        raise StudyRefused("This session was closed meanwhile; what it ended with stands below.")


def _within(text: str, what: str) -> str:
    kept = text.replace("\0", "").replace("\r\n", "\n").strip()
    if len(kept) > LONGEST_TEXT:
        raise StudyRefused(f"{what} has {len(kept)} characters, at most {LONGEST_TEXT} fit: shorten it.")
    return kept


def _tell(action: str, session: DisagreementSession, lead: Any, said: dict[str, Any]) -> None:
    detail = {"study": session.study_id, "session": session.pk} | said
    audit.record(action, session, actor=audit.actor_of(lead), detail=detail)
