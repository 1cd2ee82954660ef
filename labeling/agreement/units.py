"""Intervals over experiments: crops of one experiment resemble each other, another experiment may differ."""

import numpy as np

from labeling.agreement.counts import Floats
from labeling.agreement.figures import Figure
from labeling.agreement.intervals import LEVEL, Estimate
from labeling.agreement.table import Codes

FEW_UNITS = 6


def over_units(figure: Figure, units: Codes, n_units: int) -> Estimate:
    """The figure over all items with its interval over units, whose number is `n`.

    `figure` has one row of features per item; `units` the unit of each, -1 for none. A jackknife over units with
    Student's t on log(1 - figure), as the interval over items.
    """
    from scipy.special import stdtrit  # here, as web processes start without SciPy

    parts = _summed(figure.features, units, n_units)
    parts = parts[parts.any(axis=1)]
    n, total = len(parts), parts.sum(axis=0)
    value = float(figure.of(total[None])[0]) if n else float("nan")
    if not np.isfinite(value):
        return Estimate(None, None, None, n, "no figure to give an interval over experiments")
    if n < 2:
        return Estimate(value, None, None, n, "no interval: the shared crops are of one experiment")
    without = figure.of(total[None] - parts)
    if not np.isfinite(without).all():
        return Estimate(value, None, None, n, "no interval: without one of the experiments there is no figure")
    if value >= 1.0:
        return Estimate(value, None, None, n, "no interval: no experiment has a crop that was read differently")
    error = float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))
    factor = float(np.exp(min(float(stdtrit(n - 1, (1 + LEVEL) / 2)) * error / (1 - value), 50.0)))
    reason = f"few experiments: {n}, so the interval is rough" if n < FEW_UNITS else ""
    low = max(1 - (1 - value) * factor, min(value, -1.0))
    return Estimate(value, low, 1 - (1 - value) / factor, n, reason)


def _summed(features: Floats, units: Codes, n_units: int) -> Floats:
    known = units >= 0
    parts = np.zeros((n_units, features.shape[1]))
    np.add.at(parts, units[known], features[known])
    return parts
