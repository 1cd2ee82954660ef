"""The figures of a label-efficiency comparison: area, labels to a target, regret, and paired intervals of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, wilcoxon
from scipy.stats import t as student

Array = NDArray[np.float64]
Figure = dict[str, float | None]

# Standard errors on each side of a 95 % interval.
Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Band:
    """A difference of curves (points,) with the ends of its simultaneous 95 % band."""

    value: Array
    low: Array
    high: Array


def area(points: Sequence[int], curves: Array) -> Array:
    """Mean height of curves (..., points) over the number of queries: trapezoids over the range measured."""
    return _mean_height(np.asarray(points, dtype=np.float64), curves)


def log_area(points: Sequence[int], curves: Array) -> Array:
    """Mean height of curves (..., points) over the logarithm of the number of queries: early answers count more."""
    return _mean_height(np.log(np.asarray(points, dtype=np.float64)), curves)


def _mean_height(at: Array, curves: Array) -> Array:
    if len(at) == 1:
        return np.asarray(curves[..., 0])
    return np.asarray(np.trapezoid(curves, at, axis=-1) / (at[-1] - at[0]))


def labels_to(points: Sequence[int], curves: Array, target: Array | float) -> Array:
    """Smallest number of queries at which curves (..., points) reach targets (...); infinite when they never do."""
    reached = curves >= np.asarray(target)[..., None] - 1e-12
    first = np.asarray(points, dtype=np.float64)[reached.argmax(axis=-1)]
    return np.where(reached.any(axis=-1), first, np.inf)


def ratio(points: Sequence[int], own: Array, random: Array) -> Array:
    """Queries needed over random's: below 1 saves answers; infinite when the target is never reached.

    Where only random never reaches it, random counts as needing the whole budget, so the ratio is an upper bound;
    NaN where neither does.
    """
    neither = np.isinf(own) & np.isinf(random)
    return np.where(neither, np.nan, own / np.minimum(random, points[-1]))


def widened(width: float, freedom: float) -> float:
    """A number of standard errors (normal) as what Student's t asks for, with the bias of a bootstrap over few units.

    A percentile interval over few units is too narrow without it (10.1080/00031305.2015.1089789).
    """
    if not np.isfinite(freedom):
        return width
    return float(np.sqrt((freedom + 1) / freedom) * student.isf(norm.sf(width), freedom))


def interval(value: float, draws: Array, freedom: float) -> Figure:
    """A figure with its 95 % interval from bootstrap draws, as {"value", "low", "high"}; None for "never".

    Percentiles, further out the fewer degrees of freedom there are. Draws that are NaN are left out; infinite ones
    count as the largest.
    """
    tail = float(norm.sf(widened(Z, freedom)))
    kept = draws[~np.isnan(draws)]
    if len(kept) < len(draws) / 2:
        return {"value": _finite(value), "low": None, "high": None}
    low = np.quantile(kept, tail, method="inverted_cdf")
    high = np.quantile(kept, 1 - tail, method="inverted_cdf")
    return {"value": _finite(value), "low": _finite(low), "high": _finite(high)}


def _finite(value: float | np.floating) -> float | None:
    return float(value) if np.isfinite(value) else None


def paired_band(value: Array, draws: Array, freedom: float) -> Band:
    """Simultaneous 95 % band of a difference of curves (points,) from its draws (draws, points).

    The largest studentised deviation over the curve sets its width, so the whole band holds at once
    (10.1002/jae.2656). Differences of shares lie in -1 to 1, and so does the band.
    """
    deviation = draws - value
    error = deviation.std(axis=0)
    scaled = np.abs(deviation) / np.where(error > 0, error, 1)
    reach = widened(float(np.quantile(scaled.max(axis=1), 0.95)), freedom) * error
    return Band(value, np.maximum(value - reach, -1), np.minimum(value + reach, 1))


def regret(deficit: Band) -> Figure:
    """Largest mean deficit against random over the whole curve; negative when always ahead.

    The ends are the largest of the simultaneous band's: "high" bounds the deficit at every number of queries.
    """
    # Adding zero turns a minus zero, which would print as a loss, into zero.
    ends = {"value": deficit.value, "low": deficit.low, "high": deficit.high}
    return {name: float(curve.max()) + 0.0 for name, curve in ends.items()}


def signed_rank(difference: Array) -> float:
    """Two-sided p of Wilcoxon's signed rank test over seeds; 1 when no seed differs."""
    if not np.any(difference):
        return 1.0
    return float(wilcoxon(difference).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number by Holm's method, in their order (10.2307/4615733)."""
    order = np.argsort(p_values, kind="stable")
    scaled = np.asarray(p_values)[order] * np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0) if len(order) else scaled
    return [float(p) for p in adjusted]
