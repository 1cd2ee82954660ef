"""How long answers took: of one reader or of all, by class and in all; answers by hand only.

What a program gave, a file brought, or a page of the grid settled in one moment has no pace and is counted apart.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from django.db.models.functions import Coalesce

from labeling.models import Annotation, AnnotationQuerySet, Study
from labeling.services.history import BY_HAND
from labeling.services.timing import Given, spent_on

# Fewer answers than this give no rate worth showing.
ENOUGH = 20
COLUMNS = (
    "annotator_id", "received_at", "shown_at", "answered_at", "active_ms", "answer", "is_bulk", "source",
    "superseded_by",
)  # fmt: skip
LABEL = Coalesce("labels__label_class__merged_into__key", "labels__label_class__key")


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as far as time is concerned: by whom, what it said (key of the class, or the kind), and `given`."""

    annotator: int
    said: str
    source: str
    given: Given


@dataclass(frozen=True, slots=True)
class Pace:
    """`answers` whose time is known, the `hours` they took without pauses, and answers an hour.

    `per_hour` is None below twenty answers, or where they took no time.
    """

    answers: int
    hours: float
    per_hour: float | None


@dataclass(frozen=True, slots=True)
class ClassTime:
    """Seconds on a crop for one answer: the median and the middle half, over `n`; None below twenty."""

    said: str
    n: int
    median_s: float | None
    low_s: float | None
    high_s: float | None


def answered(study: Study, reader: Any = None) -> list[Answered]:
    """Everything that was answered in the study, or by one reader, in order; withdrawals and decisions of leads are
    no answers."""
    rows = _given_in(study)
    if reader is not None:
        rows = rows.filter(annotator=reader)
    return [_answered(*row) for row in rows.values_list(*COLUMNS, LABEL)]


def paces(study: Study) -> dict[int, Pace]:
    """The pace of everybody who answered by hand, by number; what the page of progress tells of each."""
    seconds: dict[int, array[float]] = defaultdict(lambda: array("d"))
    for row in _given_in(study).filter(source__in=BY_HAND).values_list(*COLUMNS, LABEL).iterator(chunk_size=5000):
        found = _answered(*row)
        seconds[found.annotator].extend(seconds_of([found], study.idle_cap_s))
    return {reader: _pace(spent) for reader, spent in seconds.items()}


def _given_in(study: Study) -> AnnotationQuerySet:
    rows = Annotation.objects.filter(study=study).exclude(answer=Annotation.Answer.WITHDRAWN)
    return rows.exclude(source=Annotation.Source.DECISION).order_by("id")


def _answered(
    annotator: int, received: Any, shown: Any, at: Any, active: int | None, answer: str, is_bulk: bool, source: str,
    later: int | None, label: str | None,
) -> Answered:  # fmt: skip
    given = Given(
        received_at=received,
        shown_at=shown,
        answered_at=at,
        active_ms=active,
        is_not_sure=answer == Annotation.Answer.NOT_SURE,
        stands=later is None,
        by_hand=not is_bulk and source in BY_HAND,
    )
    return Answered(annotator, label or answer, source, given)


def seconds_of(rows: Iterable[Answered], cap_s: float) -> list[float]:
    """Seconds on each crop where they are known, pauses capped."""
    found = (spent_on(row.given, cap_s) for row in rows)
    return [spent.seconds for spent in found if spent is not None]


def pace_of(rows: Iterable[Answered], cap_s: float) -> Pace:
    """The pace of these answers."""
    return _pace(seconds_of(rows, cap_s))


def _pace(seconds: Sequence[float]) -> Pace:
    hours = sum(seconds) / 3600
    return Pace(len(seconds), hours, len(seconds) / hours if len(seconds) >= ENOUGH and hours > 0 else None)


def class_times(rows: Sequence[Answered], names: dict[str, str], cap_s: float) -> list[ClassTime]:
    """Time by what was answered, in the order of `names` (key -> name); what was never answered is left out."""
    sorted_rows: dict[str, list[Answered]] = defaultdict(list)
    for row in rows:
        sorted_rows[row.said].append(row)
    return [_class_time(names[key], seconds_of(sorted_rows[key], cap_s)) for key in names if key in sorted_rows]


def _class_time(name: str, seconds: list[float]) -> ClassTime:
    if len(seconds) < ENOUGH:
        return ClassTime(name, len(seconds), None, None, None)
    low, _, high = quantiles(seconds, n=4)
    return ClassTime(name, len(seconds), median(seconds), low, high)


def names_of(study: Study) -> dict[str, str]:
    """What answers may say, in order: the study's classes by key, then the kinds without a class."""
    kinds = (Annotation.Answer.NOT_SURE, Annotation.Answer.BAD_CROP, Annotation.Answer.WRONG_OBJECT)
    return dict(study.classes.values_list("key", "name")) | {kind.value: str(kind.label) for kind in kinds}
