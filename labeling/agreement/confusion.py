"""Which labels readers mix up: on how many items one said this where another said that."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.counts import Floats, label_counts
from labeling.agreement.table import ReadTable, Repeats, recoded


@dataclass(frozen=True, slots=True)
class Cell:
    """Two labels, in the order of the table, and what was said of both.

    `items`: how many items one reader called the first and another the second; for a label with itself, how many two
    readers or more called so. `pairs`: how many pairs of readers on these items, so that three readers may make two.
    """

    a: str
    b: str
    items: int
    pairs: int


def confusion_cells(table: ReadTable, reader: str | None = None) -> list[Cell]:
    """Every cell with an item, once for each two labels; `reader`: only pairs that this annotator is one of."""
    items, pairs = _counted(table, reader)
    rows, columns = np.nonzero(np.triu(items))
    return [
        Cell(table.labels[a], table.labels[b], int(items[a, b]), int(pairs[a, b]))
        for a, b in zip(rows.tolist(), columns.tolist())
    ]


def disputed_items(table: ReadTable, a: str, b: str, reader: str | None = None) -> list[str]:
    """The items behind the cell of two different labels, in the order of the table; none for a label of nobody's."""
    if a == b or not {a, b} <= set(table.labels):
        return []
    first, second = table.labels.index(a), table.labels.index(b)
    own, others = _own_and_others(table, reader)
    disputed = (own[:, first] > 0) & (others[:, second] > 0) | (own[:, second] > 0) & (others[:, first] > 0)
    return [table.items[place] for place in np.flatnonzero(disputed)]


def narrowed(table: ReadTable, readers: tuple[str, ...]) -> ReadTable:
    """The table with the first reads of these annotators alone; later reads of anybody are left out."""
    kept = [place for place, name in enumerate(table.annotators) if name in readers]
    names = tuple(table.annotators[place] for place in kept)
    return ReadTable(table.items, names, table.labels, table.codes[:, kept], not_sure=table.not_sure)


def only_labels(table: ReadTable, labels: tuple[str, ...]) -> ReadTable:
    """The table in which reads of any other label are missing."""
    codes = np.array([labels.index(name) if name in labels else -1 for name in table.labels], dtype=np.int64)
    return recoded(replace(table, again=Repeats()), codes, labels)


def _own_and_others(table: ReadTable, reader: str | None) -> tuple[Floats, Floats]:
    """Reads per item and label: of the reader and of all others; without a reader everybody's, twice."""
    size = len(table.labels)
    counts = label_counts(table.codes, size)
    if reader is None:
        return counts, counts
    own = label_counts(table.codes[:, [name == reader for name in table.annotators]], size)
    return own, counts - own


def _counted(table: ReadTable, reader: str | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Items and pairs of readers for each two labels, symmetrical."""
    own, others = _own_and_others(table, reader)
    if reader is not None:
        pairs = own.T @ others
        # A reader says one thing of an item: what stands in a cell and in its mirror image are different items.
        items = own.T @ (others > 0)
        return _symmetrical(items), _symmetrical(pairs)
    pairs, there = own.T @ own, own > 0
    items = there.T.astype(float) @ there
    np.fill_diagonal(items, (own >= 2).sum(axis=0))
    np.fill_diagonal(pairs, (own * (own - 1) / 2).sum(axis=0))
    return items.astype(np.int64), pairs.astype(np.int64)


def _symmetrical(matrix: Floats) -> NDArray[np.int64]:
    """The sum of a cell and its mirror image; the diagonal stands for itself."""
    return (matrix + matrix.T - np.diag(np.diag(matrix))).astype(np.int64)
