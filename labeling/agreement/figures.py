"""Coefficients as functions of sums over items, so that one code serves the value, the jackknife and the bootstrap.

Each function takes patterns of counts (see `counts.patterns`) and returns what an item of each pattern adds to the
sums, and how sums become the coefficient. Where a coefficient is not defined it is NaN.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.counts import Floats
from labeling.agreement.weights import Metric, Weights, agreement_weights, ordinal_distances, squared_distances


@dataclass(frozen=True, slots=True)
class Figure:
    """`features` (patterns, sums): what one item adds; `of`: sums (draws, sums) to a coefficient per draw."""

    features: Floats
    of: Callable[[Floats], Floats]

    def value(self, frequencies: Floats) -> float:
        """The coefficient where pattern i was seen `frequencies[i]` times; NaN where undefined."""
        return float(self.of((frequencies @ self.features)[None])[0])


def percent(patterns: Floats, weights: Weights | Floats | None = None) -> Figure:
    """Share of agreeing pairs of reads, averaged over items with at least two reads."""
    shares, shared = _agreeing(patterns, agreement_weights(patterns.shape[1], weights))
    return Figure(np.stack([shares, shared], axis=1), lambda sums: _ratio(sums[:, 0], sums[:, 1]))


def alpha(patterns: Floats, metric: Metric = "nominal", values: Floats | None = None) -> Figure:
    """Krippendorff's alpha (2011, "Computing Krippendorff's alpha-reliability").

    Items with one read add nothing. The ordinal distances depend on how often each rank was used, so that metric
    sums whole coincidence matrices; the others need their margins and one disagreement per item.
    """
    if metric == "ordinal":
        return _ordinal_alpha(patterns)
    distances = squared_distances(patterns.shape[1], metric, values)
    reads = patterns.sum(axis=1)
    shared = (reads >= 2).astype(float)
    differing = np.einsum("pk,kl,pl->p", patterns, distances, patterns) * shared / np.maximum(reads - 1, 1)

    def of(sums: Floats) -> Floats:
        margins = sums[:, :-1]
        expected = ((margins @ distances) * margins).sum(axis=1)
        return np.asarray(1.0 - (margins.sum(axis=1) - 1.0) * _ratio(sums[:, -1], expected))

    return Figure(np.column_stack([patterns * shared[:, None], differing]), of)


def _ordinal_alpha(patterns: Floats) -> Figure:
    size = patterns.shape[1]

    def of(sums: Floats) -> Floats:
        coincidences = sums.reshape(len(sums), size, size)
        margins = coincidences.sum(axis=2)
        distances = ordinal_distances(margins)
        observed = (coincidences * distances).sum(axis=(1, 2))
        expected = np.einsum("dc,dk,dck->d", margins, margins, distances)
        return np.asarray(1.0 - (margins.sum(axis=1) - 1.0) * _ratio(observed, expected))

    return Figure(coincidences_of(patterns).reshape(len(patterns), size * size), of)


def coincidences_of(patterns: Floats) -> Floats:
    """Coincidence matrix of each pattern (patterns, labels, labels): ordered pairs of reads / (reads - 1)."""
    reads = patterns.sum(axis=1)
    pairs = patterns[:, :, None] * patterns[:, None, :]
    diagonal = np.arange(patterns.shape[1])
    pairs[:, diagonal, diagonal] -= patterns
    return np.where(reads >= 2, 1.0 / np.maximum(reads - 1, 1), 0.0)[:, None, None] * pairs


def fleiss(patterns: Floats, weights: Weights | Floats | None = None) -> Figure:
    """Fleiss' kappa (1971); for unequal numbers of reads as Gwet generalises it (Handbook, 2014)."""
    matrix = agreement_weights(patterns.shape[1], weights)
    return _corrected(patterns, matrix, lambda shares: ((shares @ matrix) * shares).sum(axis=1))


def gwet(patterns: Floats, weights: Weights | Floats | None = None) -> Figure:
    """Gwet's AC1 (2008, doi 10.1348/000711006X126600), and AC2 with weights.

    Chance agreement spreads over the labels that somebody used, as in irrCAC; NaN when that is fewer than two.
    """
    matrix, used = _used(patterns, weights)
    spread = float(matrix.sum()) / max(len(matrix) * (len(matrix) - 1), 1)

    def chance(shares: Floats) -> Floats:
        kept = shares[:, used]
        guessed = spread * (kept * (1.0 - kept)).sum(axis=1)
        return guessed if len(matrix) > 1 else np.full(len(shares), np.nan)

    return _corrected(patterns, agreement_weights(patterns.shape[1], weights), chance)


def brennan_prediger(patterns: Floats, weights: Weights | Floats | None = None) -> Figure:
    """Brennan and Prediger's kappa (1981): chance gives every label that was used equally often."""
    matrix, _ = _used(patterns, weights)
    guessed = float(matrix.mean()) if len(matrix) > 1 else float("nan")
    full = agreement_weights(patterns.shape[1], weights)
    return _corrected(patterns, full, lambda shares: np.full(len(shares), guessed))


def _corrected(patterns: Floats, matrix: Floats, chance: Callable[[Floats], Floats]) -> Figure:
    """(observed - chance) / (1 - chance), chance from the mean share of each label over all items that were read."""
    agreeing, shared = _agreeing(patterns, matrix)
    reads = patterns.sum(axis=1, keepdims=True)
    shares = np.divide(patterns, reads, out=np.zeros_like(patterns), where=reads > 0)

    def of(sums: Floats) -> Floats:
        expected = chance(_ratio(sums[:, 2:-1], sums[:, -1:]))
        return _ratio(_ratio(sums[:, 0], sums[:, 1]) - expected, 1.0 - expected)

    return Figure(np.column_stack([agreeing, shared, shares, reads > 0]), of)


def _agreeing(patterns: Floats, matrix: Floats) -> tuple[Floats, Floats]:
    """Weighted share of agreeing pairs per pattern, and 1.0 where the pattern has two reads or more."""
    reads = patterns.sum(axis=1)
    pairs = reads * (reads - 1)
    agreeing = (patterns * (patterns @ matrix - 1.0)).sum(axis=1)
    return np.divide(agreeing, pairs, out=np.zeros_like(agreeing), where=pairs > 0), (pairs > 0).astype(float)


def _used(patterns: Floats, weights: Weights | Floats | None) -> tuple[Floats, NDArray[np.bool_]]:
    used = np.asarray(patterns.any(axis=0))
    return agreement_weights(patterns.shape[1], weights)[np.ix_(used, used)], used


def _ratio(top: Floats, bottom: Floats) -> Floats:
    """top / bottom, NaN where the bottom is zero (up to rounding)."""
    safe = np.where(np.abs(bottom) > 1e-12, bottom, np.nan)
    return np.asarray(top / safe)
