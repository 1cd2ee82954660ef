"""Intervals for agreement figures, by drawing items again with replacement."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labeling.agreement.coefficients import (
    Floats,
    Metric,
    alpha_from_coincidences,
    item_coincidences,
    label_counts,
)
from labeling.agreement.table import ReadTable

FEW_ITEMS = 30
# In simulations with 3 readers the 95 % interval covered 75-87 % below about this many reads of other labels.
FEW_OTHERS = 10
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval and the number of items behind it; `reason` says what limits it."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""


def alpha_interval(
    table: ReadTable,
    draws: int = 2000,
    seed: int = 0,
    metric: Metric = "nominal",
    values: Floats | None = None,
) -> Estimate:
    """Krippendorff's alpha with a percentile bootstrap interval over the items that have at least two reads.

    Draws in which only one label is left have no alpha and are dropped. When all reads agree the bootstrap
    would
    claim certainty, so the lower end then allows for the share of disagreeing items that could hide behind
    n items.
    Recommended for missing data by Zapf et al. 2016, doi 10.1186/s12874-016-0200-9.
    """
    patterns, frequencies = _patterns(table)
    n = int(frequencies.sum())
    coincidences = item_coincidences(patterns)
    pooled = np.tensordot(frequencies, coincidences, axes=1)[None]
    value = float(alpha_from_coincidences(pooled, metric, values)[0])
    if np.isnan(value):
        return Estimate(None, None, None, n, _why_undefined(table, n))
    if n < 2:
        return Estimate(value, None, None, n, "too few: one shared item has no interval")

    def statistic(weights: Floats) -> Floats:
        return alpha_from_coincidences(np.tensordot(weights, coincidences, axes=1), metric, values)

    low, high = _bootstrap(statistic, frequencies, draws, seed)
    if value == 1.0:
        low = min(low, _low_when_all_agree(pooled[0], n))
    return Estimate(value, min(low, value), max(high, value), n, _few(n) or _rare(pooled[0]))


def percent_interval(table: ReadTable, draws: int = 2000, seed: int = 0) -> Estimate:
    """Percent agreement in [0, 1] with a percentile bootstrap interval over the shared items."""
    patterns, frequencies = _patterns(table)
    n = int(frequencies.sum())
    if n == 0:
        return Estimate(None, None, None, 0, _why_undefined(table, 0))
    reads = patterns.sum(axis=1)
    shares = (patterns * (patterns - 1)).sum(axis=1) / (reads * (reads - 1))
    value = float(shares @ frequencies / n)
    if n < 2:
        return Estimate(value, None, None, n, "too few: one shared item has no interval")
    low, high = _bootstrap(lambda weights: weights @ shares / n, frequencies, draws, seed)
    if value == 1.0:
        low = min(low, 1.0 - _hidden_share(n))
    return Estimate(value, low, high, n, _few(n))


def _patterns(table: ReadTable) -> tuple[Floats, Floats]:
    """Distinct rows of label counts among the shared items, and how many items have each.

    Items with the same counts are interchangeable, so drawing pattern frequencies from a multinomial is the
    bootstrap over items at a cost that does not grow with their number.
    """
    counts = label_counts(table.codes, len(table.labels))
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        return np.zeros((0, max(len(table.labels), 1))), np.zeros(0)
    patterns, frequencies = np.unique(counts, axis=0, return_counts=True)
    return patterns, frequencies.astype(float)


def _bootstrap(
    statistic: Callable[[Floats], Floats], frequencies: Floats, draws: int, seed: int
) -> tuple[float, float]:
    n = int(frequencies.sum())
    weights = np.random.default_rng(seed).multinomial(n, frequencies / n, size=draws).astype(float)
    # Blocks keep the draws x labels x labels stack small when a study has many classes.
    values = np.concatenate([statistic(block) for block in np.array_split(weights, max(1, draws // 250))])
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _hidden_share(n: int) -> float:
    """Largest share of disagreeing items that n agreeing ones leave possible (exact binomial, one end of 95
    %)."""
    return float(1.0 - ((1 - LEVEL) / 2) ** (1.0 / n))


def _low_when_all_agree(coincidences: Floats, n: int) -> float:
    margins = coincidences.sum(axis=1)
    total = margins.sum()
    expected = 1.0 - float((margins * (margins - 1)).sum() / (total * (total - 1)))
    return 1.0 - _hidden_share(n) / expected


def _few(n: int) -> str:
    return f"too few: {n} shared items, at least {FEW_ITEMS} are needed" if n < FEW_ITEMS else ""


def _rare(coincidences: Floats) -> str:
    """Warning where one label leaves little else: there the bootstrap interval is known to be too narrow."""
    margins = coincidences.sum(axis=1)
    others = round(float(margins.sum() - margins.max()))
    if others >= FEW_OTHERS:
        return ""
    return f"too few: only {others} reads differ from the most common label, so the interval is too narrow"


def _why_undefined(table: ReadTable, n_shared: int) -> str:
    readers = int((table.codes >= 0).any(axis=0).sum()) if table.codes.size else 0
    if readers < 2:
        return f"agreement needs two annotators; {readers} gave reads"
    if n_shared == 0:
        return "no item has reads from two annotators"
    return "only one label was used on the shared items, so chance agreement is already complete"
