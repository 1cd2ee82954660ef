"""Two annotators at a time: what they share, where they differ, and the kappas made for two."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from labeling.agreement.counts import Floats
from labeling.agreement.intervals import Estimate, Sample, around
from labeling.agreement.table import Codes, ReadTable
from labeling.agreement.weights import Weights, disagreement_weights


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """What two annotators share: items both read, share of equal reads (NaN without any), Cohen's kappa."""

    a: str
    b: str
    n: int
    agreement: float
    kappa: Estimate


def confusion(a: Codes, b: Codes, n_labels: int | None = None) -> Codes:
    """How often the first said the row's label and the second the column's, over the items both read."""
    size = max(int(a.max(initial=-1)), int(b.max(initial=-1)), (n_labels or 0) - 1) + 1
    both = (a >= 0) & (b >= 0)
    return np.bincount(a[both] * size + b[both], minlength=size * size).reshape(size, size)


def cohen_kappa(a: Codes, b: Codes, weights: Weights | Floats | None = None) -> float:
    """Cohen's kappa of two annotators over the items both read: 1 perfect, 0 chance; NaN when undefined.

    `weights`: None, "linear", "quadratic", "ordinal" or a matrix of disagreement weights. Named weights use the
    distance between codes, so codes must be ranks. Formula: Cohen 1968, doi 10.1037/h0026256.
    """
    return kappa_of(confusion(a, b), weights)


def kappa_of(table: Codes, weights: Weights | Floats | None = None) -> float:
    """Cohen's kappa of a square table of counts."""
    if not table.sum():
        return float("nan")
    return _corrected(table, np.outer(table.sum(axis=1), table.sum(axis=0)), weights)


def scott_pi(a: Codes, b: Codes, weights: Weights | Floats | None = None) -> float:
    """Scott's pi (1955): like Cohen's kappa, but both annotators are taken to use the labels equally often."""
    table = confusion(a, b)
    if not table.sum():
        return float("nan")
    use = (table.sum(axis=1) + table.sum(axis=0)) / 2
    return _corrected(table, np.outer(use, use), weights)


def _corrected(table: Codes, by_chance: Floats, weights: Weights | Floats | None) -> float:
    disagreement = disagreement_weights(len(table), weights)
    n = int(table.sum())
    expected = float((disagreement * by_chance).sum()) / n**2
    return 1.0 - float((disagreement * table).sum()) / n / expected if expected > 0 else float("nan")


def cohen_errors(table: Codes, weights: Weights | Floats | None = None) -> tuple[float, float]:
    """Standard error of Cohen's kappa of a square table of counts, and the one where there is no agreement.

    Formula: Fleiss, Cohen and Everitt 1969, doi 10.1037/h0028106; NaN where kappa is undefined.
    """
    n = int(table.sum())
    value = kappa_of(table, weights)
    if not np.isfinite(value):
        return float("nan"), float("nan")
    disagreement = disagreement_weights(len(table), weights)
    agreement = 1.0 - disagreement / disagreement.max()
    seen, rows, columns = table / n, table.sum(axis=1) / n, table.sum(axis=0) / n
    expected = float(rows @ agreement @ columns)
    usual = (agreement @ columns)[:, None] + (rows @ agreement)[None, :]
    spread = (seen * (agreement - usual * (1 - value)) ** 2).sum() - (value - expected * (1 - value)) ** 2
    by_chance = (np.outer(rows, columns) * (agreement - usual) ** 2).sum() - expected**2
    scale = np.sqrt(n) * (1 - expected)
    return float(np.sqrt(max(spread, 0.0)) / scale), float(np.sqrt(max(by_chance, 0.0)) / scale)


def kappa_interval(table: Codes) -> Estimate:
    """Cohen's kappa of a square table of counts, with its interval over items."""
    size = len(table)
    first, second = np.nonzero(table)
    patterns = np.eye(size)[first] + np.eye(size)[second]
    return around(kappa_of(table), cohen_errors(table)[0], Sample(patterns, table[first, second].astype(float)))


def pairwise(table: ReadTable) -> list[PairAgreement]:
    """Agreement and kappa of every pair of annotators, in the order of the table's annotators."""
    columns = np.ascontiguousarray(table.codes.T)
    found = []
    for i, j in combinations(range(len(columns)), 2):
        counts = confusion(columns[i], columns[j], max(len(table.labels), 1))
        n = int(counts.sum())
        agreement = float(np.trace(counts)) / n if n else float("nan")
        found.append(PairAgreement(table.annotators[i], table.annotators[j], n, agreement, kappa_interval(counts)))
    return found
