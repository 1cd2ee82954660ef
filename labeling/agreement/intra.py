"""How far annotators agree with themselves, from items that they read more than once."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.counts import Floats
from labeling.agreement.table import ReadTable


def repeated_counts(table: ReadTable) -> Iterator[tuple[str, Floats]]:
    """For every annotator who read an item again: their reads per label, one row for each such item."""
    for number, name in enumerate(table.annotators):
        own = table.again.annotators == number
        if own.any():
            yield name, _counts(table, number, own)


def _counts(table: ReadTable, annotator: int, own: NDArray[np.bool_]) -> Floats:
    items, rows = np.unique(table.again.items[own], return_inverse=True)
    counts = np.zeros((len(items), len(table.labels)))
    np.add.at(counts, (rows, table.again.codes[own]), 1)
    first = table.codes[items, annotator]
    given = first >= 0
    counts[np.flatnonzero(given), first[given]] += 1
    return counts


def all_equal(counts: Floats) -> float:
    """Share of the items read at least twice whose reads all say the same; NaN without any."""
    counts = counts[counts.sum(axis=1) >= 2]
    return float((counts.max(axis=1) == counts.sum(axis=1)).mean()) if len(counts) else float("nan")
