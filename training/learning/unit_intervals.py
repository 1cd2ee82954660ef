"""Intervals over held-out units: what would change if other experiments had been held out.

Crops of one experiment resemble each other, so an interval over crops covers the truth far too rarely.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from labeling.agreement.intervals import Estimate
from training.learning.metrics import Floats, wilson

FEW_UNITS = 20
MANY_UNITS = 2000
DRAWS = 2000

Statistic = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Scope:
    """What an interval is about: number of crops, name of the unit, the range of the figure, whether it is
    a share."""

    n: int
    level: str = "experiment"
    lowest: float = 0.0
    highest: float = 1.0
    is_share: bool = True
    seed: int = 0


def unit_estimate(parts: Floats, statistic: Statistic, scope: Scope) -> Estimate:
    """The figure of all units together with its 95 % interval over units.

    `parts` (units, ...) are sums that add up over units; `statistic` maps a stack (draws, ...) of such sums
    to
    (draws,). Below 20 units: jackknife over units with Student's t; from 20: bootstrap of units (2,000
    draws);
    above 2,000, where both agree, the jackknife again. One unit: no interval, and the reason.
    """
    value = float(statistic(parts.sum(axis=0)[None])[0])
    if not np.isfinite(value):
        return Estimate(None, None, None, scope.n, "not computable: no crop to compute it from")
    if len(parts) < 2:
        reason = f"no interval: only one {scope.level} was held out"
        return Estimate(value, None, None, scope.n, reason)
    many = FEW_UNITS <= len(parts) <= MANY_UNITS
    low, high = _bootstrap(parts, statistic, scope.seed) if many else _jackknife(parts, statistic, value)
    reason = ""
    if high - low < 1e-12 and scope.is_share:
        low, high = wilson(min(max(value, 0.0), 1.0), scope.n)
        reason = "all units gave the same figure, so the interval is over crops"
    return Estimate(value, max(low, scope.lowest), min(high, scope.highest), scope.n, reason)


def jackknife_error(parts: Floats, statistic: Statistic) -> float:
    """Standard error of the figure from leaving out one unit at a time; NaN when fewer than two can be left
    out."""
    left_out = statistic(parts.sum(axis=0)[None] - parts)
    left_out = left_out[np.isfinite(left_out)]
    n = len(left_out)
    return float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())) if n > 1 else float("nan")


def t_quantile(n_units: int) -> float:
    """97.5 % quantile of Student's t with n_units - 1 degrees of freedom."""
    return float(stdtrit(n_units - 1, 0.975))


def describe(n_units: int, level: str) -> str:
    """How intervals over this many units are computed, in words for the report."""
    if n_units < 2:
        return f"no intervals: only one {level} was held out"
    method = "bootstrap" if FEW_UNITS <= n_units <= MANY_UNITS else "jackknife with Student's t"
    words = f"95 % intervals over {n_units} {level}s ({method})"
    return words if level == "experiment" else f"{words}; they are too narrow for a new experiment"


def _jackknife(parts: Floats, statistic: Statistic, value: float) -> tuple[float, float]:
    half = t_quantile(len(parts)) * jackknife_error(parts, statistic)
    return value - half, value + half


def _bootstrap(parts: Floats, statistic: Statistic, seed: int) -> tuple[float, float]:
    n = len(parts)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=DRAWS).astype(float)
    drawn = statistic((weights @ parts.reshape(n, -1)).reshape(DRAWS, *parts.shape[1:]))
    low, high = np.quantile(drawn[np.isfinite(drawn)], [0.025, 0.975])
    return float(low), float(high)
