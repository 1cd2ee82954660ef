"""The table that every agreement figure is computed from: the first read per item and annotator, -1 where
there is none, with later reads of the same annotator beside it."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MISSING = -1
COLUMNS = ("item", "annotator", "label")
TIME = "answered_at"

Codes = NDArray[np.int64]


def _nothing() -> Codes:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Second and later reads of an annotator on an item: item, annotator and code of each, as they came."""

    items: Codes = field(default_factory=_nothing)
    annotators: Codes = field(default_factory=_nothing)
    codes: Codes = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class ReadTable:
    """Reads of a study: `codes[i, a]` is the index into `labels` of annotator a's first read of item i.

    Agreement between annotators rests on first reads; `again` holds the later ones, which tell how far an annotator
    repeats themselves and count as votes. `sequence[i, a]` is the place of a first read among all rows, where known.
    """

    items: tuple[str, ...]
    annotators: tuple[str, ...]
    labels: tuple[str, ...]
    codes: Codes
    again: Repeats = field(default_factory=Repeats)
    not_sure: str | None = None
    sequence: NDArray[np.int32] | None = None

    @property
    def not_sure_code(self) -> int:
        """Code of the not-sure label, or -1 when nobody used it."""
        return self.labels.index(self.not_sure) if self.not_sure in self.labels else MISSING

    @property
    def repeats(self) -> int:
        """Number of reads beyond the first of an annotator on an item."""
        return len(self.again.codes)

    @property
    def repeats_equal(self) -> int:
        """Number of repeated reads that say the same as the first."""
        return int((self.codes[self.again.items, self.again.annotators] == self.again.codes).sum())


def from_long(
    rows: Iterable[tuple[str, str, str]], not_sure: str | None = "not_sure", *, in_turn: bool = False
) -> ReadTable:
    """Table of reads from (item, annotator, label) rows; an empty label is a missing read.

    The first read of an annotator on an item counts, later ones are kept in `again`.
    Items keep the order of their first row; annotators and labels are sorted (numbers by value). `in_turn`: the rows
    stand in the order of reading, so that a drift over time can be told.
    """
    items: dict[str, int] = {}
    annotators: dict[str, int] = {}
    labels: dict[str, int] = {}

    def numbers() -> Iterator[int]:
        for item, annotator, label in rows:
            number = items.setdefault(item, len(items))
            if label:
                yield number
                yield annotators.setdefault(annotator, len(annotators))
                yield labels.setdefault(label, len(labels))

    reads = np.fromiter(numbers(), dtype=np.int64).reshape(-1, 3)
    reads[:, 1] = _ranks(annotators)[reads[:, 1]]
    reads[:, 2] = _ranks(labels)[reads[:, 2]]
    names = tuple(items), tuple(sorted(annotators, key=_natural)), tuple(sorted(labels, key=_natural))
    table = filled(*names, reads, not_sure)
    return table if in_turn else replace(table, sequence=None)


def filled(
    items: tuple[str, ...],
    annotators: tuple[str, ...],
    labels: tuple[str, ...],
    reads: Codes,
    not_sure: str | None,
) -> ReadTable:
    """The table of (item, annotator, code) rows in the order they came: the first of a pair counts."""
    cells = reads[:, 0] * max(len(annotators), 1) + reads[:, 1]
    first = np.unique(cells, return_index=True)[1]
    later = np.ones(len(reads), dtype=bool)
    later[first] = False
    codes = np.full((len(items), len(annotators)), MISSING, dtype=np.int64)
    sequence = np.full(codes.shape, MISSING, dtype=np.int32)
    codes[reads[first, 0], reads[first, 1]] = reads[first, 2]
    sequence[reads[first, 0], reads[first, 1]] = first
    return ReadTable(items, annotators, labels, codes, Repeats(*reads[later].T), not_sure, sequence)


def read_csv(path: Path, not_sure: str | None = "not_sure") -> ReadTable:
    """Table of reads from a long CSV file with the columns item, annotator and label in any order.

    With a column answered_at (ISO 8601) the rows are put into the order of reading; else that order is not known.
    Further columns are ignored, a byte order mark is dropped, white space around values is trimmed.
    Raises ValueError, naming the file and the rule, when the file is empty, is not UTF-8 text, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows, in_turn = _rows(stream, path.name)
            return from_long(rows, not_sure, in_turn=in_turn)
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not UTF-8 text; save it as CSV (UTF-8) and try again") from None
    except csv.Error as error:
        raise ValueError(f"{path.name} is not a readable CSV file: {error}") from None


def from_codes(codes: Codes, labels: Iterable[str], not_sure: str | None = None) -> ReadTable:
    """Table around an (items, annotators) array of label codes, with numbered items and annotators."""
    n_items, n_annotators = codes.shape
    items = tuple(str(i + 1) for i in range(n_items))
    annotators = tuple(str(a + 1) for a in range(n_annotators))
    return ReadTable(items, annotators, tuple(labels), codes.astype(np.int64), not_sure=not_sure)


def recoded(table: ReadTable, new_codes: Codes, labels: tuple[str, ...]) -> ReadTable:
    """The table under other labels: `new_codes` has the new code of each old one, -1 to leave its reads out."""
    extended = np.append(new_codes, MISSING)
    later = extended[table.again.codes]
    kept = later != MISSING
    again = Repeats(table.again.items[kept], table.again.annotators[kept], later[kept])
    return replace(table, labels=labels, codes=extended[table.codes], again=again)


def without_label(table: ReadTable, label: str | None) -> ReadTable:
    """The table without a label: every read of it is a missing one."""
    if label not in table.labels:
        return table
    gone = table.labels.index(label)
    codes = np.arange(len(table.labels)) - (np.arange(len(table.labels)) > gone)
    codes[gone] = MISSING
    return recoded(table, codes, table.labels[:gone] + table.labels[gone + 1 :])


def sure_or_not(table: ReadTable) -> ReadTable:
    """The table with two labels only: 'sure' for every class, and the not-sure label."""
    codes = np.array([int(name == table.not_sure) for name in table.labels], dtype=np.int64)
    return recoded(table, codes, ("sure", table.not_sure or "not_sure"))


def in_order(table: ReadTable, ordered: tuple[str, ...]) -> ReadTable:
    """The table with labels ranked from low to high; a not-sure read has no rank and is missing.

    Raises ValueError when a label that was used has no place in the order, or a label has two.
    """
    unknown = [label for label in table.labels if label not in ordered and label != table.not_sure]
    if unknown:
        raise ValueError(f"the order of classes leaves out {', '.join(unknown)}; list every label once, low to high")
    if len(set(ordered)) < len(ordered):
        raise ValueError("the order of classes names a label twice; list every label once, low to high")
    ranks = [ordered.index(name) if name in ordered and name != table.not_sure else MISSING for name in table.labels]
    return recoded(table, np.array(ranks, dtype=np.int64), ordered)


def _rows(stream: Iterable[str], name: str) -> tuple[Iterable[tuple[str, str, str]], bool]:
    """The reads of a CSV file, and whether they stand in the order of reading."""
    reader = csv.reader(stream)
    header = [cell.strip().lower() for cell in next(reader, [])]
    if not any(header):
        raise ValueError(f"{name} is empty; it needs a header line with the columns {', '.join(COLUMNS)}")
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        needed, found = ", ".join(COLUMNS), ", ".join(header)
        raise ValueError(f"{name} has no column {', '.join(missing)}; it needs {needed} and has {found}")
    places = [header.index(column) for column in COLUMNS]
    if TIME not in header:
        return (read for read, _, _ in _cells(reader, name, places)), False
    timed = _cells(reader, name, places, header.index(TIME))
    in_order = sorted(((_instant(when, name, line), read) for read, when, line in timed), key=itemgetter(0))
    return (read for _, read in in_order), True


def _cells(
    reader: Iterable[list[str]], name: str, places: list[int], time: int | None = None
) -> Iterator[tuple[tuple[str, str, str], str, int]]:
    """(item, annotator, label), the time and the line of each row that is not empty."""
    for number, row in enumerate(reader, start=2):
        if not any(cell.strip() for cell in row):
            continue
        item, annotator, label = (row[p].strip() if p < len(row) else "" for p in places)
        if label and not (item and annotator):
            raise ValueError(f"{name}, line {number}: a label needs an item and an annotator")
        yield (item, annotator, label), row[time].strip() if time is not None and time < len(row) else "", number


def _instant(text: str, name: str, number: int) -> float:
    """Seconds since 1970; a time without a zone is taken as UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name}, line {number}: {text!r} is not a time such as 2026-11-21T10:00:03Z") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _ranks(numbered: dict[str, int]) -> Codes:
    """For names numbered as they came: the place of each in sorted order."""
    ranks = np.zeros(len(numbered), dtype=np.int64)
    for rank, name in enumerate(sorted(numbered, key=_natural)):
        ranks[numbered[name]] = rank
    return ranks


def _natural(name: str) -> tuple[int, float, str]:
    """Sort key that puts numbers first, by value, so that grade 10 comes after grade 9."""
    try:
        value = float(name)
    except ValueError:
        return (1, 0.0, name)
    return (0, value, name) if np.isfinite(value) else (1, 0.0, name)
