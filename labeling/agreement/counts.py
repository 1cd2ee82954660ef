"""Reads counted per item and label: all that the coefficients for any number of annotators need."""

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.table import Codes

Floats = NDArray[np.float64]


def label_counts(codes: Codes, n_labels: int | None = None) -> Floats:
    """Number of reads per item and label, shape (items, labels)."""
    size = max(int(codes.max(initial=-1)) + 1, n_labels or 0, 1)
    places = np.arange(len(codes))[:, None] * size + codes
    counts = np.bincount(places[codes >= 0], minlength=len(codes) * size)
    return counts.reshape(len(codes), size).astype(float)


def shared_items(codes: Codes) -> int:
    """Number of items with at least two reads: only these say anything about agreement."""
    return int(((codes >= 0).sum(axis=1) >= 2).sum())


def patterns(counts: Floats) -> tuple[Floats, Floats]:
    """Distinct rows of counts among items that were read, and how many items have each.

    Items with the same counts are interchangeable for every coefficient that does not look at who read what, so
    resampling costs no more with 100,000 items than with the few patterns that they show.
    """
    counts = counts[counts.sum(axis=1) > 0]
    keys = _row_keys(counts)
    if keys is None:
        found, frequencies = np.unique(counts, axis=0, return_counts=True)
        return found, frequencies.astype(float)
    _, first, frequencies = np.unique(keys, return_index=True, return_counts=True)
    return counts[first], frequencies.astype(float)


def _row_keys(counts: Floats) -> Codes | None:
    """One integer per row that tells different rows apart; None where 62 bits do not hold it."""
    base = int(counts.max(initial=0)) + 1
    if counts.shape[1] * np.log2(base) > 62:
        return None
    return np.asarray(counts.astype(np.int64) @ np.array([base**k for k in range(counts.shape[1])], dtype=np.int64))
