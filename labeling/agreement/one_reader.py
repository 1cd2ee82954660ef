"""One reader against all the others together, against themselves, and over time.

What the others say of an item is the class that more than half of them gave it, the reader left out: nobody is held
against a majority that their own answer made. "Not sure" is no class here and counted apart.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.counts import label_counts
from labeling.agreement.intervals import Estimate
from labeling.agreement.intra import repeated_counts
from labeling.agreement.pairs import confusion, kappa_interval
from labeling.agreement.shares import share
from labeling.agreement.table import MISSING, Codes, ReadTable, without_label

# Shorter windows say nothing; more of them than this nobody compares.
SHORTEST_WINDOW, MOST_WINDOWS = 20, 8


@dataclass(frozen=True, slots=True)
class WithOthers:
    """How often a reader says what most of the others say.

    `per_class`: by the class that the others named. `kappa`: Cohen's, with the others as one. `divided`: items that
    others read without more than half of them agreeing; they are in no figure. `alone`: items that nobody else read.
    """

    same: Estimate
    per_class: dict[str, Estimate]
    kappa: Estimate
    divided: int
    alone: int


@dataclass(frozen=True, slots=True)
class Window:
    """The reader's answers number `first` to `last` about classes: agreement with the others, and "not sure"."""

    first: int
    last: int
    same: Estimate
    not_sure: Estimate


def with_others(table: ReadTable, reader: str) -> WithOthers:
    """The reader against the others; all counts are 0 where the reader is not in the table."""
    own, others, read = _compared(table, reader)
    held = (own >= 0) & (others >= 0)
    labels = without_label(table, table.not_sure).labels
    per_class = {
        name: share(int((held & (others == code) & (own == code)).sum()), int((held & (others == code)).sum()))
        for code, name in enumerate(labels)
    }
    alike = share(int((held & (own == others)).sum()), int(held.sum()))
    counts = confusion(np.where(held, own, MISSING), np.where(held, others, MISSING), max(len(labels), 1))
    divided = int(((own >= 0) & (others < 0) & (read > 0)).sum())
    return WithOthers(alike, per_class, kappa_interval(counts), divided, int(((own >= 0) & (read == 0)).sum()))


def with_themselves(table: ReadTable, reader: str) -> Estimate:
    """Share of the items that the reader read again of which all their reads say the same, "not sure" as a class."""
    counts = dict(repeated_counts(table)).get(reader)
    if counts is None:
        return share(0, 0)
    again = counts[counts.sum(axis=1) >= 2]
    return share(int((again.max(axis=1) == again.sum(axis=1)).sum()), len(again))


def over_time(table: ReadTable, reader: str) -> list[Window]:
    """The reader's answers in windows of equal length, in the order of reading; none where that is not known.

    Up to eight windows of at least twenty answers.
    """
    if table.sequence is None or reader not in table.annotators:
        return []
    column = table.annotators.index(reader)
    given = np.flatnonzero(table.codes[:, column] >= 0)
    given = given[np.argsort(table.sequence[given, column], kind="stable")]
    windows = min(MOST_WINDOWS, len(given) // SHORTEST_WINDOW)
    if windows < 1:
        return []
    own, others, _ = _compared(table, reader)
    parts, start, found = np.array_split(given, windows), 0, []
    for part in parts:
        held = part[(own[part] >= 0) & (others[part] >= 0)]
        unsure = int((table.codes[part, column] == table.not_sure_code).sum()) if table.not_sure_code >= 0 else 0
        alike = share(int((own[held] == others[held]).sum()), len(held))
        found.append(Window(start + 1, start + len(part), alike, share(unsure, len(part))))
        start += len(part)
    return found


def _compared(table: ReadTable, reader: str) -> tuple[Codes, Codes, NDArray[np.int64]]:
    """For each item the reader's class, that of most others (-1 where there is none), and how many others read."""
    sure = without_label(table, table.not_sure)
    if reader not in sure.annotators:
        nothing = np.full(len(sure.items), MISSING, dtype=np.int64)
        return nothing, nothing, np.zeros(len(sure.items), dtype=np.int64)
    column = sure.annotators.index(reader)
    rest = replace(sure, codes=np.delete(sure.codes, column, axis=1)).codes
    counts = label_counts(rest, len(sure.labels)).astype(np.int64)
    total = counts.sum(axis=1)
    most = np.where(2 * counts.max(axis=1) > total, counts.argmax(axis=1), MISSING)
    return sure.codes[:, column], np.asarray(most, dtype=np.int64), np.asarray(total)
