"""Ridge and temperature of the head by the likelihood of held-out experiments."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import qr
from scipy.special import log_softmax

from training.learning.head import fit_temperature
from training.learning.logistic import Array, HeadSettings, fit_weights
from training.learning.rows import Index

# Factors on the ridge of the settings; the first wins ties.
GRID = (1.0, 0.25, 4.0)
FOLDS = 5
# Enough to tell the ridges apart; the head itself is fitted further. The choice is the same, in a fifth less time.
TOLERANCE = 1e-3
# A temperature from fewer answers is noise; more than the sample cost time and change little.
FEWEST = 50
SAMPLE = 128


@dataclass(frozen=True, slots=True)
class Tuned:
    """Ridge and temperature of the head; held_out: "experiments", "folds" (within one), or "nothing" (defaults)."""

    ridge: float
    temperature: float = 1.0
    held_out: str = "nothing"


def sample_of(crops: Index, seed: int) -> NDArray[np.int64]:
    """Places (at most SAMPLE) of the crops with the smallest hashes: a function of the set of crops.

    Few answers enter it once there are many, so the choice stands for long (bottom-k sampling,
    10.1145/1281100.1281133).
    """
    mixed = crops.astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.sort(np.argsort(mixed ^ (mixed >> np.uint64(31)), kind="stable")[:SAMPLE])


def folds_of(labels: NDArray[np.integer], experiment: NDArray[np.integer]) -> tuple[NDArray[np.int64], str]:
    """Fold (n,) of each answer and what is held out.

    Whole experiments, joined to at most FOLDS folds, where two of them hold two classes or more; else answers
    dealt to FOLDS folds class by class.
    """
    names, number = np.unique(experiment, return_inverse=True)
    varied = sum(len(np.unique(labels[number == k])) >= 2 for k in range(len(names)))
    if varied >= 2:
        rank = np.argsort(np.argsort(-np.bincount(number), kind="stable"), kind="stable")
        return np.asarray(rank[number] % FOLDS), "experiments"
    fold = np.empty(len(labels), dtype=np.int64)
    fold[np.argsort(labels, kind="stable")] = np.arange(len(labels)) % FOLDS
    return fold, "folds"


def tune(phi: Array, targets: Array, weight: Array, experiment: NDArray[np.integer], settings: HeadSettings) -> Tuned:
    """The ridge of the grid, with its temperature, under which held-out answers are likeliest.

    phi (n, d + 1), targets (n, K), weight (n,), experiment (n,), ordered by crop. Defaults with fewer than FEWEST
    answers or one class only.
    """
    labels = targets.argmax(axis=1)
    if len(phi) < FEWEST or len(np.unique(labels)) < 2:
        return Tuned(settings.ridge)
    fold, held_out = folds_of(labels, experiment)
    seen = np.flatnonzero(weight @ targets > 0)
    answers = _in_own_span(phi), np.ascontiguousarray(targets[:, seen]), weight
    found = [
        _judged(answers, fold, replace(settings, ridge=settings.ridge * factor, tolerance=TOLERANCE))
        for factor in GRID
    ]
    best = int(np.argmin([cost for cost, _ in found]))
    return Tuned(settings.ridge * GRID[best], found[best][1], held_out)


def _in_own_span(phi: Array) -> Array:
    """The regressors (n, r + 1) in an orthonormal basis of what they span: the same fits, in far fewer unknowns.

    The bias stays the last column; the ridge on all others does not change under a rotation.
    """
    if phi.shape[1] <= len(phi):
        return phi
    coordinates = qr(phi[:, :-1].T, mode="r")[0][: len(phi)].T
    return np.column_stack([coordinates, phi[:, -1]])


def _never_certain(targets: Array) -> Array:
    """Targets (n, K) with one part in n + 2 spread over the classes (Platt's targets, 10.1007/s10994-007-5018-6).

    Where every held-out answer is named rightly the likelihood alone asks for the smallest temperature there is; all
    probabilities then round to 0 and 1, all scores to 0, and the queue follows the numbers of the crops.
    """
    n, classes = targets.shape
    return np.asarray((targets * (n + 1) + 1 / classes) / (n + 2))


def _judged(
    answers: tuple[Array, Array, Array], fold: NDArray[np.int64], settings: HeadSettings
) -> tuple[float, float]:
    """Cross entropy of held-out answers at the best temperature, and that temperature."""
    phi, targets, weight = answers
    raw = np.empty_like(targets)
    for k in np.unique(fold):
        kept = fold != k
        raw[~kept] = phi[~kept] @ fit_weights(phi[kept], targets[kept], weight[kept], settings)
    temperature = fit_temperature(raw, _never_certain(targets), weight)
    return -float(np.sum(weight[:, None] * targets * log_softmax(raw / temperature, axis=1))), temperature
