"""How much two labels agree or differ: weights for kappa and AC2, squared distances for Krippendorff's alpha."""

from typing import Literal

import numpy as np

from labeling.agreement.counts import Floats

Metric = Literal["nominal", "ordinal", "interval", "ratio"]
Weights = Literal["linear", "quadratic", "ordinal"]
METRICS = ("nominal", "ordinal", "interval", "ratio")


def agreement_weights(size: int, weights: Weights | Floats | None = None) -> Floats:
    """Weights between labels, 1 on the diagonal: identity (None), by the distance of ranks, or a matrix as given.

    "ordinal" are Gwet's weights (Handbook of Inter-Rater Reliability, 2014), which are not Krippendorff's ordinal
    metric: on the same data the two alphas differ.
    """
    if weights is None:
        return np.eye(size)
    if not isinstance(weights, str):
        return _cut(weights, size)
    steps = _steps(size)
    if weights == "ordinal":
        steps = steps * (steps + 1) / 2
    elif weights != "linear":
        steps = disagreement_weights(size, weights)
    return np.asarray(1.0 - steps / max(float(steps.max(initial=0.0)), 1.0))


def disagreement_weights(size: int, weights: Weights | Floats | None = None) -> Floats:
    """Weights between labels, 0 on the diagonal, as Cohen 1968 uses them; a matrix is taken as given."""
    if weights is None:
        return 1.0 - np.eye(size)
    if not isinstance(weights, str):
        return _cut(weights, size)
    if weights == "linear":
        return _steps(size)
    if weights == "quadratic":
        return np.asarray(_steps(size) ** 2)
    if weights == "ordinal":
        return np.asarray(_steps(size) * (_steps(size) + 1) / 2)
    raise ValueError(f"unknown weights {weights!r}; use linear, quadratic, ordinal or a matrix")


def squared_distances(size: int, metric: Metric, values: Floats | None = None) -> Floats:
    """Squared distances of the metrics that do not depend on the data, shape (labels, labels)."""
    numbers = np.arange(1.0, size + 1.0) if values is None else np.asarray(values, dtype=float)
    if len(numbers) < size:
        raise ValueError(f"{size} labels need {size} values, got {len(numbers)}")
    difference = np.subtract.outer(numbers[:size], numbers[:size])
    if metric == "nominal":
        return 1.0 - np.eye(size)
    if metric == "interval":
        return np.asarray(difference**2)
    if metric == "ratio":
        total = np.add.outer(numbers[:size], numbers[:size])
        return np.asarray(np.divide(difference, total, out=np.zeros_like(total), where=total != 0) ** 2)
    raise ValueError(f"unknown metric {metric!r}; use {', '.join(METRICS[:-1])} or {METRICS[-1]}")


def ordinal_distances(margins: Floats) -> Floats:
    """Krippendorff's ordinal squared distances for stacked margins (draws, labels), which depend on the data.

    The sum of n_g from c to k, minus half of both ends, is the difference of the mid-ranks.
    """
    mid_ranks = np.cumsum(margins, axis=1) - margins / 2.0
    return np.asarray((mid_ranks[:, :, None] - mid_ranks[:, None, :]) ** 2)


def _steps(size: int) -> Floats:
    return np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(float)


def _cut(weights: Floats, size: int) -> Floats:
    matrix = np.asarray(weights, dtype=float)
    if matrix.ndim != 2 or min(matrix.shape) < size:
        raise ValueError(f"{size} labels need weights of {size} x {size}, got {' x '.join(map(str, matrix.shape))}")
    return matrix[:size, :size]
