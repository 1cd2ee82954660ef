"""Drawing items again with replacement: what reference programs do, and what the intervals are compared with."""

import numpy as np

from labeling.agreement.counts import Floats
from labeling.agreement.figures import Figure
from labeling.agreement.intervals import LEVEL
from labeling.agreement.table import Codes

# Draws are made in blocks so that draws x patterns never holds more than this many numbers.
BLOCK = 2_000_000


def drawn(figure: Figure, frequencies: Floats, draws: int = 2000, seed: int = 0) -> Floats:
    """The figure for each of `draws` samples of as many items; NaN where a sample leaves it undefined.

    Patterns that add nothing to the figure (items with one read, for alpha) are not drawn. Many items in few patterns
    are drawn as multinomial frequencies, which costs no more for more items; many patterns item by item.
    """
    adds = figure.features.any(axis=1)
    features, counts = figure.features[adds], frequencies[adds].astype(np.int64)
    if not len(counts):
        return np.full(draws, np.nan)
    rng = np.random.default_rng(seed)
    size = max(1, BLOCK // len(counts))
    blocks = [min(size, draws - start) for start in range(0, draws, size)]
    return np.concatenate([figure.of(_weights(rng, counts, rows) @ features) for rows in blocks])


def _weights(rng: np.random.Generator, counts: Codes, rows: int) -> Floats:
    n = int(counts.sum())
    # A multinomial costs about ten items' worth per pattern; drawing item by item costs something for each draw.
    if 10 * len(counts) < n + 2000:
        return rng.multinomial(n, counts / n, size=rows).astype(float)
    pattern = np.repeat(np.arange(len(counts)), counts)
    return np.stack([np.bincount(pattern[rng.integers(0, n, n)], minlength=len(counts)) for _ in range(rows)]).astype(
        float
    )


def percentile_limits(values: Floats) -> tuple[float, float]:
    """The middle 95 % of the draws that have a figure; NaN when none has."""
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def bca_limits(figure: Figure, frequencies: Floats, values: Floats) -> tuple[float, float]:
    """Bias-corrected and accelerated limits (Efron 1987) from the draws and the jackknife."""
    from scipy.special import ndtr, ndtri  # here, as web processes start without SciPy

    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    value = figure.value(frequencies)
    below = ((values < value).sum() + 0.5 * (values == value).sum()) / len(values)
    shift = ndtri(np.clip(below, 1 / len(values), 1 - 1 / len(values)))
    normal = ndtri(np.array([(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    moved = shift + (shift + normal) / (1 - _acceleration(figure, frequencies) * (shift + normal))
    low, high = np.quantile(values, ndtr(moved))
    return float(low), float(high)


def _acceleration(figure: Figure, frequencies: Floats) -> float:
    without = figure.of((frequencies @ figure.features)[None] - figure.features)
    kept = np.isfinite(without)
    weights = frequencies[kept]
    apart = (weights @ without[kept]) / weights.sum() - without[kept]
    spread = float(weights @ apart**2)
    return float(weights @ apart**3) / (6 * spread**1.5) if spread > 0 else 0.0
