"""Calibration: one temperature for a model's logits, and how far its confidence is from its hit rate."""

from dataclasses import asdict, dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from training.learning.metrics import Floats, Indices, wilson

BINS = 15
MIN_LABELS = 50
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Crops whose top probability lies in [low, high): their mean confidence and how often they were
    right."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float


def fit_temperature(logits: Floats, targets: Floats | Indices) -> float:
    """Temperature that minimises the negative log likelihood of held-out logits (n, classes); 1 leaves them
    alone.

    `targets`: class indices (n,) or shares (n, classes). Below 50 labels the estimate is noise, so it is 1.
    It never makes the likelihood worse than T = 1. Guo et al. 2017, arXiv 1706.04599.
    """
    shares = np.eye(logits.shape[1])[targets] if targets.ndim == 1 else np.asarray(targets, dtype=float)
    if len(logits) < MIN_LABELS:
        return 1.0

    def loss(log_temperature: float) -> float:
        return float(-(shares * log_softmax(logits / np.exp(log_temperature), axis=1)).sum())

    bounds = (np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE))
    best = float(minimize_scalar(loss, bounds=bounds, method="bounded").x)
    return float(np.exp(best)) if loss(best) < loss(0.0) else 1.0


def temperatures_of_others(logits: Floats, targets: Floats | Indices, fold: Indices) -> Floats:
    """For each fold the temperature fitted on the held-out logits (n, classes) of all others, shape (folds,).

    Calibration measured with them is honest: no label helps to set the temperature that it then judges.
    """
    return np.array([fit_temperature(logits[fold != k], targets[fold != k]) for k in range(int(fold.max()) + 1)])


def tempered(logits: Floats, temperature: float) -> Floats:
    """Probabilities (n, classes) of logits divided by a temperature."""
    return np.asarray(softmax(np.asarray(logits, dtype=float) / temperature, axis=1))


def negative_log_likelihood(probabilities: Floats, truth: Indices) -> Floats:
    """Minus the log probability of the true class per crop (n,); lower is better, at most 34.5."""
    right = probabilities[np.arange(len(truth)), truth]
    return np.asarray(-np.log(np.clip(right, 1e-15, 1.0)))


def brier(probabilities: Floats, truth: Indices) -> Floats:
    """Brier score per crop (n,): squared distance to the truth in [0, 2]; lower is better."""
    return np.asarray(((probabilities - np.eye(probabilities.shape[1])[truth]) ** 2).sum(axis=1))


def bin_sums(probabilities: Floats, truth: Indices, bins: int = BINS) -> tuple[Indices, Floats]:
    """Bin of each crop by top probability, and per crop (n, 3): one, confidence, hit."""
    confidence = probabilities.max(axis=1)
    number = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    hit = probabilities.argmax(axis=1) == truth
    return number, np.stack([np.ones(len(truth)), confidence, hit], axis=1)


def ece_from_sums(sums: Floats) -> Floats:
    """Expected calibration error in [0, 1] of a stack of bin sums (..., bins, 3); lower is better."""
    gaps = np.abs(sums[..., 2] - sums[..., 1]).sum(axis=-1)
    total = sums[..., 0].sum(axis=-1)
    return np.asarray(np.divide(gaps, total, out=np.full(np.shape(total), np.nan), where=total > 0))


def ece(probabilities: Floats, truth: Indices, bins: int = BINS) -> float:
    """Expected calibration error in [0, 1] with equally wide bins of the top probability; lower is better."""
    return float(ece_from_sums(_summed(*bin_sums(probabilities, truth, bins), bins)))


def ece_floor(probabilities: Floats, bins: int = BINS, draws: int = 200, seed: int = 0) -> tuple[float, float]:
    """Mean and 95th percentile of the ECE that a perfectly calibrated model would show on these crops.

    The labels are drawn again from the predicted probabilities, so an ECE below the percentile is no evidence
    against calibration.
    """
    number, parts = bin_sums(probabilities, np.zeros(len(probabilities), dtype=np.int64), bins)
    rng = np.random.default_rng(seed)
    confidence = np.bincount(number, weights=parts[:, 1], minlength=bins)
    found = []
    for _ in range(draws):
        hit = rng.random(len(number)) < parts[:, 1]
        found.append(np.abs(np.bincount(number, weights=hit, minlength=bins) - confidence).sum() / len(number))
    return float(np.mean(found)), float(np.quantile(found, 0.95))


def calibration_curve(probabilities: Floats, truth: Indices, bins: int = BINS) -> list[dict[str, float]]:
    """The bins behind the ECE, lowest confidence first, empty ones left out; hit rates with Wilson
    intervals."""
    sums = _summed(*bin_sums(probabilities, truth, bins), bins)
    return [_bin(k, bins, row) for k, row in enumerate(sums) if row[0] > 0]


def _bin(k: int, bins: int, row: Floats) -> dict[str, float]:
    n, confidence, hits = (float(v) for v in row)
    low, high = wilson(hits / n, n)
    return asdict(CalibrationBin(k / bins, (k + 1) / bins, int(n), confidence / n, hits / n, low, high))


def _summed(number: Indices, parts: Floats, bins: int) -> Floats:
    sums = np.zeros((bins, 3))
    np.add.at(sums, number, parts)
    return sums
