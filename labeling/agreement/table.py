"""The table that every agreement figure is computed from: one read per item and annotator, -1 where there
is none."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MISSING = -1
COLUMNS = ("item", "annotator", "label")

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ReadTable:
    """Reads of a study: `codes[i, a]` is the index into `labels` of annotator a's first read of item i."""

    items: tuple[str, ...]
    annotators: tuple[str, ...]
    labels: tuple[str, ...]
    codes: Codes
    repeats: int = 0
    repeats_equal: int = 0
    not_sure: str | None = None

    @property
    def not_sure_code(self) -> int:
        """Code of the not-sure label, or -1 when nobody used it."""
        return self.labels.index(self.not_sure) if self.not_sure in self.labels else MISSING


def from_long(rows: Iterable[tuple[str, str, str]], not_sure: str | None = "not_sure") -> ReadTable:
    """Table of reads from (item, annotator, label) rows; an empty label is a missing read.

    The first read of an annotator on an item counts. Later ones are counted in `repeats`, and in
    `repeats_equal` when they say the same as the first, which is the annotator's own consistency.
    Items keep the order of their first row; annotators and labels are sorted (numbers by value).
    """
    items: dict[str, int] = {}
    first: dict[tuple[str, str], str] = {}
    repeats = equal = 0
    for item, annotator, label in rows:
        items.setdefault(item, len(items))
        if not label:
            continue
        if (item, annotator) in first:
            repeats += 1
            equal += first[item, annotator] == label
        else:
            first[item, annotator] = label
    return replace(_coded(items, first), repeats=repeats, repeats_equal=equal, not_sure=not_sure)


def read_csv(path: Path, not_sure: str | None = "not_sure") -> ReadTable:
    """Table of reads from a long CSV file with the columns item, annotator and label in any order.

    Further columns are ignored, a byte order mark is dropped, white space around values is trimmed.
    Raises ValueError, naming the file and the rule, when the file is empty, is not UTF-8 text, or a column
    is missing.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return from_long(_rows(stream, path.name), not_sure)
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not UTF-8 text; save it as CSV (UTF-8) and try again") from None
    except csv.Error as error:
        raise ValueError(f"{path.name} is not a readable CSV file: {error}") from None


def from_codes(codes: Codes, labels: Iterable[str], not_sure: str | None = None) -> ReadTable:
    """Table of reads around an (items, annotators) array of label codes, with numbered items and
    annotators."""
    n_items, n_annotators = codes.shape
    items = tuple(str(i + 1) for i in range(n_items))
    annotators = tuple(str(a + 1) for a in range(n_annotators))
    return ReadTable(items, annotators, tuple(labels), codes.astype(np.int64), not_sure=not_sure)


def without_label(table: ReadTable, label: str) -> ReadTable:
    """The table with every read of `label` turned into a missing one."""
    if label not in table.labels:
        return table
    codes = table.codes.copy()
    codes[codes == table.labels.index(label)] = MISSING
    return replace(table, codes=codes)


def sure_or_not(table: ReadTable) -> ReadTable:
    """The table with two labels only: 'sure' for every class, and the not-sure label."""
    unsure = table.codes == table.not_sure_code
    codes = np.where(table.codes == MISSING, MISSING, np.where(unsure, 1, 0))
    return replace(table, labels=("sure", table.not_sure or "not_sure"), codes=codes.astype(np.int64))


def _rows(stream: Iterable[str], name: str) -> Iterator[tuple[str, str, str]]:
    reader = csv.reader(stream)
    header = [cell.strip().lower() for cell in next(reader, [])]
    if not any(header):
        raise ValueError(f"{name} is empty; it needs a header line with the columns {', '.join(COLUMNS)}")
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        needed, found = ", ".join(COLUMNS), ", ".join(header)
        raise ValueError(f"{name} has no column {', '.join(missing)}; it needs {needed} and has {found}")
    places = [header.index(column) for column in COLUMNS]
    for number, row in enumerate(reader, start=2):
        if not any(cell.strip() for cell in row):
            continue
        item, annotator, label = (row[p].strip() if p < len(row) else "" for p in places)
        if label and not (item and annotator):
            raise ValueError(f"{name}, line {number}: a label needs an item and an annotator")
        yield item, annotator, label


def _coded(items: dict[str, int], reads: dict[tuple[str, str], str]) -> ReadTable:
    annotators = tuple(sorted({annotator for _, annotator in reads}, key=_natural))
    labels = tuple(sorted(set(reads.values()), key=_natural))
    column = {name: i for i, name in enumerate(annotators)}
    code = {name: i for i, name in enumerate(labels)}
    codes = np.full((len(items), len(annotators)), MISSING, dtype=np.int64)
    for (item, annotator), label in reads.items():
        codes[items[item], column[annotator]] = code[label]
    return ReadTable(tuple(items), annotators, labels, codes)


def _natural(name: str) -> tuple[int, float, str]:
    """Sort key that puts numbers first, by value, so that grade 10 comes after grade 9."""
    try:
        value = float(name)
    except ValueError:
        return (1, 0.0, name)
    return (0, value, name) if np.isfinite(value) else (1, 0.0, name)
