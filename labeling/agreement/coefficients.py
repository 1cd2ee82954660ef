"""Agreement coefficients for any number of annotators and missing reads, vectorised over items.

Every function takes label codes with -1 for a missing read and returns NaN where the figure is not defined.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.table import Codes, ReadTable

Metric = Literal["nominal", "ordinal", "interval", "ratio"]
Weights = Literal["linear", "quadratic"]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """What two annotators share: items both read, share of equal reads, Cohen's kappa (NaN if not
    defined)."""

    a: str
    b: str
    n: int
    agreement: float
    kappa: float


def label_counts(codes: Codes, n_labels: int | None = None) -> Floats:
    """Number of reads per item and label, shape (items, labels)."""
    size = max(int(codes.max(initial=-1)) + 1, n_labels or 0)
    return np.stack([(codes == k).sum(axis=1) for k in range(size)] or [np.zeros(len(codes))], axis=1).astype(float)


def shared_items(codes: Codes) -> int:
    """Number of items with at least two reads: only these say anything about agreement."""
    return int(((codes >= 0).sum(axis=1) >= 2).sum())


def percent_agreement(codes: Codes) -> float:
    """Share of agreeing pairs of reads in [0, 1], averaged over items with at least two reads; NaN without
    any."""
    counts = label_counts(codes)
    reads = counts.sum(axis=1)
    pairs = reads * (reads - 1)
    shared = pairs > 0
    if not shared.any():
        return float("nan")
    return float(((counts * (counts - 1)).sum(axis=1)[shared] / pairs[shared]).mean())


def krippendorff_alpha(codes: Codes, metric: Metric = "nominal", values: Floats | None = None) -> float:
    """Krippendorff's alpha: 1 is perfect agreement, 0 is chance; NaN when fewer than two labels are shared.

    `values` are the numbers behind the labels for the interval and ratio metrics (default 1, 2, ...).
    Formula: Krippendorff 2011, "Computing Krippendorff's alpha-reliability"; Zapf et al. 2016,
    doi 10.1186/s12874-016-0200-9.
    """
    coincidences = item_coincidences(label_counts(codes)).sum(axis=0)
    return float(alpha_from_coincidences(coincidences[None], metric, values)[0])


def item_coincidences(counts: Floats) -> Floats:
    """Coincidence matrix of every item, shape (items, labels, labels): ordered pairs of reads / (reads -
    1)."""
    reads = counts.sum(axis=1)
    shared = reads >= 2
    pairs = counts[:, :, None] * counts[:, None, :]
    diagonal = np.arange(counts.shape[1])
    pairs[:, diagonal, diagonal] -= counts
    return np.where(shared, 1.0 / np.maximum(reads - 1, 1), 0.0)[:, None, None] * pairs


def alpha_from_coincidences(coincidences: Floats, metric: Metric, values: Floats | None = None) -> Floats:
    """Alpha of each coincidence matrix in a stack (draws, labels, labels); NaN where undefined."""
    margins = coincidences.sum(axis=2)
    total = margins.sum(axis=1)
    distances = _squared_distances(margins, metric, values)
    observed = (coincidences * distances).sum(axis=(1, 2))
    expected = np.einsum("dc,dk,dck->d", margins, margins, distances)
    with np.errstate(divide="ignore", invalid="ignore"):
        alpha = 1.0 - (total - 1.0) * observed / expected
    return np.where(expected > 0, alpha, np.nan)


def _squared_distances(margins: Floats, metric: Metric, values: Floats | None) -> Floats:
    """Squared distances between labels, shape (draws or 1, labels, labels)."""
    size = margins.shape[1]
    numbers = np.arange(1.0, size + 1.0) if values is None else np.asarray(values, dtype=float)
    if len(numbers) < size:
        raise ValueError(f"{size} labels need {size} values, got {len(numbers)}")
    difference = numbers[:size, None] - numbers[None, :size]
    if metric == "nominal":
        return (~np.eye(size, dtype=bool)).astype(float)[None]
    if metric == "interval":
        return np.asarray(difference**2)[None]
    if metric == "ratio":
        total = numbers[:size, None] + numbers[None, :size]
        relative = np.divide(difference, total, out=np.zeros_like(total), where=total != 0)
        return np.asarray(relative**2)[None]
    if metric == "ordinal":
        # sum of n_g from c to k, minus half of both ends = difference of the mid-ranks
        mid_ranks = np.cumsum(margins, axis=1) - margins / 2.0
        return np.asarray((mid_ranks[:, :, None] - mid_ranks[:, None, :]) ** 2)
    raise ValueError(f"unknown metric {metric!r}; use nominal, ordinal, interval or ratio")


def alpha_per_class(codes: Codes, n_labels: int) -> list[float]:
    """Nominal alpha of each class against all the others; NaN for a class that nobody used on a shared
    item."""
    missing = codes < 0
    return [krippendorff_alpha(np.where(missing, -1, codes == k).astype(np.int64)) for k in range(n_labels)]


def gwet_ac1(codes: Codes) -> float:
    """Gwet's AC1: 1 is perfect agreement, robust where one class dominates; NaN with fewer than two labels.

    Formula: Gwet 2008, doi 10.1348/000711006X126600.
    """
    counts = label_counts(codes)
    counts = counts[counts.sum(axis=1) > 0]
    counts = counts[:, counts.any(axis=0)]
    if counts.shape[1] < 2:
        return float("nan")
    prevalence = (counts / counts.sum(axis=1, keepdims=True)).mean(axis=0)
    chance = float((prevalence * (1 - prevalence)).sum() / (counts.shape[1] - 1))
    return (percent_agreement(codes) - chance) / (1 - chance)


def cohen_kappa(a: Codes, b: Codes, weights: Weights | Floats | None = None) -> float:
    """Cohen's kappa of two annotators over the items both read: 1 perfect, 0 chance; NaN when undefined.

    `weights`: None, "linear", "quadratic" or a matrix of disagreement weights. Linear and quadratic weights
    use
    the distance between codes, so codes must be ranks. Formula: Cohen 1968, doi 10.1037/h0026256.
    """
    both = (a >= 0) & (b >= 0)
    size = int(max(a.max(initial=-1), b.max(initial=-1))) + 1
    if not both.any():
        return float("nan")
    table = np.bincount(a[both] * size + b[both], minlength=size * size).reshape(size, size) / both.sum()
    disagreement = _disagreement_weights(size, weights)
    expected = float((disagreement * np.outer(table.sum(axis=1), table.sum(axis=0))).sum())
    return 1.0 - float((disagreement * table).sum()) / expected if expected > 0 else float("nan")


def _disagreement_weights(size: int, weights: Weights | Floats | None) -> Floats:
    if weights is None:
        return 1.0 - np.eye(size)
    if not isinstance(weights, str):
        return np.asarray(weights, dtype=float)[:size, :size]
    steps = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(float)
    if weights == "linear":
        return steps
    if weights == "quadratic":
        return np.asarray(steps**2)
    raise ValueError(f"unknown weights {weights!r}; use linear, quadratic or a matrix")


def pairwise(table: ReadTable) -> list[PairAgreement]:
    """Agreement and kappa of every pair of annotators, in the order of the table's annotators."""
    return [_pair(table, i, j) for i, j in combinations(range(len(table.annotators)), 2)]


def _pair(table: ReadTable, i: int, j: int) -> PairAgreement:
    a, b = table.codes[:, i], table.codes[:, j]
    both = (a >= 0) & (b >= 0)
    n = int(both.sum())
    agreement = float((a[both] == b[both]).mean()) if n else float("nan")
    return PairAgreement(table.annotators[i], table.annotators[j], n, agreement, cohen_kappa(a, b))
