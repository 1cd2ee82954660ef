"""A reader of a study in figures, each with its n and its interval; for leads."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model

from audit.statements import LARGEST_NUMBER
from labeling.agreement.intervals import Estimate
from labeling.agreement.one_reader import Window, WithOthers, over_time, with_others, with_themselves
from labeling.agreement.shares import share
from labeling.agreement.suspects import suspects
from labeling.agreement.table import ReadTable, from_long
from labeling.models import Annotation, Study
from labeling.services.exclusions import excluded_readers
from labeling.services.pace import Answered, ClassTime, Pace, answered, class_times, names_of, pace_of
from labeling.services.progress import NOT_SURE_LABEL, reads_table

BAD = (Annotation.Answer.BAD_CROP, Annotation.Answer.WRONG_OBJECT)


@dataclass(frozen=True, slots=True)
class ReaderFigures:
    """What a reader did: standing first reads, of which `bad` is a share; `not_sure`, a share of those that are blind
    and about classes, as in the report of agreement; `changed` answers of any kind.

    `sources`: standing answers by where they came from. `per_class`: names of the classes that the others gave, with
    how often the reader gave the same. `guidelines`: versions that answers name, None for none, and how many
    name each.
    `said`: sentences on what stands out. The rest is as its classes tell.
    """

    reads: int
    not_sure: Estimate
    bad: Estimate
    changed: int
    first: datetime | None
    last: datetime | None
    sources: dict[str, int]
    pace: Pace
    times: list[ClassTime]
    others: WithOthers
    per_class: list[tuple[str, Estimate]]
    themselves: Estimate
    windows: list[Window]
    said: list[str]
    guidelines: list[tuple[int | None, int]]


def figures_of(study: Study, reader: Any) -> ReaderFigures:
    """The figures of a reader, as if they counted, beside those of all others who do."""
    rows = answered(study, reader)
    reads = Annotation.objects.reads().filter(study=study, annotator=reader)
    kinds = Counter(reads.values_list("answer", flat=True))
    table, name = table_with(study, reader), reader.get_username()
    names, others = names_of(study), with_others(table, name)
    times = [row.given.received_at for row in rows]
    return ReaderFigures(
        reads=kinds.total(),
        not_sure=_unsure(table, name),
        bad=share(sum(kinds[kind] for kind in BAD), kinds.total()),
        changed=sum(not row.given.stands for row in rows),
        first=min(times, default=None),
        last=max(times, default=None),
        sources=_sources(rows),
        pace=pace_of(rows, study.idle_cap_s),
        times=class_times(rows, names, study.idle_cap_s),
        others=others,
        per_class=[(names.get(key, key), alike) for key, alike in others.per_class.items()],
        themselves=with_themselves(table, name),
        windows=over_time(table, name),
        said=[found.text for found in suspects(table) if found.annotator == name],
        guidelines=_guidelines(study, reader),
    )


def person_in(study: Study, number: int) -> Any:
    """The user of this number who takes part in the study or has answered in it; None for everybody else."""
    known = get_user_model().objects.filter(pk=min(number, LARGEST_NUMBER))
    return known.filter(memberships__study=study).first() or known.filter(annotations__study=study).first()


def table_with(study: Study, reader: Any) -> ReadTable:
    """Blind reads about classes by all readers who count, and by this one, in the order of reading: those that the
    report of agreement holds against each other.

    Re-reads stand behind them: they tell how far a reader repeats themselves.
    """
    name = reader.get_username()
    out = {row.name for row in excluded_readers(study)} - {name}
    rows = [row for row in reads_table(study, with_excluded=True, with_rereads=True, blind=True) if row[1] not in out]
    return from_long(rows, not_sure=NOT_SURE_LABEL, in_turn=True)


def _unsure(table: ReadTable, name: str) -> Estimate:
    if name not in table.annotators:
        return share(0, 0)
    own = table.codes[:, table.annotators.index(name)]
    unsure = int((own == table.not_sure_code).sum()) if table.not_sure_code >= 0 else 0
    return share(unsure, int((own >= 0).sum()))


def _sources(rows: list[Answered]) -> dict[str, int]:
    names = {row.value: str(row.label) for row in Annotation.Source}
    return dict(Counter(names[row.source] for row in rows if row.given.stands))


def _guidelines(study: Study, reader: Any) -> list[tuple[int | None, int]]:
    rows = Annotation.objects.reads().filter(study=study, annotator=reader).order_by()
    counts = Counter(rows.values_list("guideline__number", flat=True))
    return sorted(counts.items(), key=lambda item: item[0] or 0)
