"""Figures of a classifier from confusion matrices; every function takes one matrix or a stack of them.

Classes that do not occur in the truth are left out of averages: their recall is not 0 but unknown.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


def confusion_per_unit(truth: Indices, predicted: Indices, unit: Indices, n_classes: int) -> Floats:
    """Counts (units, true class, predicted class); `unit` holds numbers from 0."""
    n_units = int(unit.max(initial=-1)) + 1
    cells = (unit * n_classes + truth) * n_classes + predicted
    counts = np.bincount(cells, minlength=n_units * n_classes**2)
    return np.asarray(counts.reshape(n_units, n_classes, n_classes), dtype=float)


def recall_per_class(confusion: Floats) -> Floats:
    """Share of each true class that was recognised, in [0, 1], shape (..., classes); NaN for absent
    classes."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    total = confusion.sum(axis=-1)
    return np.asarray(np.divide(right, total, out=np.full(total.shape, np.nan), where=total > 0))


def balanced_accuracy(confusion: Floats) -> Floats:
    """Mean recall over the classes in the truth, in [0, 1], higher is better; NaN without any crop."""
    return _mean_of_present(recall_per_class(confusion))


def macro_f1(confusion: Floats) -> Floats:
    """Mean F1 over the classes in the truth, in [0, 1], higher is better; NaN without any crop."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    true, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    f1 = np.divide(2 * right, true + predicted, out=np.full(true.shape, np.nan), where=true > 0)
    return _mean_of_present(f1)


def accuracy(confusion: Floats) -> Floats:
    """Share of crops that were recognised, in [0, 1]; NaN without any crop."""
    total = confusion.sum(axis=(-2, -1))
    right = np.trace(confusion, axis1=-2, axis2=-1)
    return np.asarray(np.divide(right, total, out=np.full(np.shape(total), np.nan), where=total > 0))


def wilson(share: float, n: float, z: float = float(ndtri(0.975))) -> tuple[float, float]:
    """Wilson's 95 % interval of a share out of n; doi 10.1080/01621459.1927.10502953."""
    centre = share + z**2 / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    return max(0.0, float((centre - half) / scale)), min(1.0, float((centre + half) / scale))


def _mean_of_present(values: Floats) -> Floats:
    present = np.isfinite(values)
    count = present.sum(axis=-1)
    total = np.where(present, values, 0.0).sum(axis=-1)
    return np.asarray(np.divide(total, count, out=np.full(np.shape(count), np.nan), where=count > 0))
