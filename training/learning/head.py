"""The fast head: multinomial logistic regression on standardised embeddings, with a Gaussian variance per crop.

It is refitted to all answers after each one, so its weights are a function of the set of answers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from training.learning.logistic import Array, HeadSettings, fit_weights, penalties
from training.learning.rows import CHUNK, Rows, chunks

__all__ = ["Array", "Head", "HeadSettings", "Standardisation", "fit_head", "fit_weights", "penalties", "standardise"]

# pi / 8: the mean-field probit correction of a Gaussian logit (10.1162/neco.1992.4.5.720).
PROBIT = np.pi / 8
SAMPLE = 16_384


@dataclass(frozen=True, slots=True)
class Standardisation:
    """Mean and standard deviation of each embedding column over the pool; constant columns have scale 1."""

    mean: Array
    scale: Array


@dataclass(frozen=True, slots=True)
class Head:
    """A fitted head. weights: (d + 1, K), last row the bias; covariance: (d + 1, d + 1) of one class's weights."""

    weights: Array
    mean: Array
    scale: Array
    covariance: Array
    temperature: float
    classes: int


def standardise(rows: Rows, chunk: int = CHUNK) -> Standardisation:
    """Column means and standard deviations of rows (n, d), read in chunks so that a memory map stays one."""
    n, d = rows.shape
    if n == 0:
        return Standardisation(np.zeros(d), np.ones(d))
    origin = np.asarray(rows[: min(n, SAMPLE)], dtype=np.float64).mean(axis=0)
    total, squares = np.zeros(d), np.zeros(d)
    for _, block in chunks(rows, chunk):
        centred = block - origin
        total += centred.sum(axis=0)
        squares += np.einsum("ij,ij->j", centred, centred)
    shift = total / n
    scale = np.sqrt(np.maximum(squares / n - shift**2, 0))
    constant = scale <= 1e-9 * (np.abs(origin) + 1e-9)
    return Standardisation(origin + shift, np.where(constant, 1.0, scale))


def design(rows: NDArray[np.floating], mean: Array, scale: Array) -> Array:
    """Rows (n, d) as regressors (n, d + 1): standardised, divided by sqrt(d), and a constant 1 for the bias.

    Dividing by sqrt(d) makes a typical row one unit long, so one ridge serves encoders of any dimension.
    """
    z = (np.asarray(rows, dtype=np.float64) - mean) / (scale * np.sqrt(len(mean)))
    return np.concatenate([z, np.ones((len(z), 1))], axis=1)


def balanced_weights(targets: Array, weight: Array) -> Array:
    """Weight per row so that every answered class counts the same in total; the sum stays that of `weight`."""
    mass = weight @ targets
    present = mass > 0
    share = weight.sum() / max(np.count_nonzero(present), 1)
    per_class = np.where(present, share / np.where(present, mass, 1), 0)
    return np.asarray(weight * (targets @ per_class))


def posterior_covariance(phi: Array, settings: HeadSettings) -> Array:
    """Covariance (d + 1, d + 1) of the weights of one class: inverse of prior precision plus sum of phi phi^T."""
    precision = phi.T @ phi
    precision[np.diag_indices_from(precision)] += penalties(phi.shape[1] - 1, settings)
    covariance = cho_solve(cho_factor(precision), np.eye(len(precision)))
    return np.asarray((covariance + covariance.T) / 2)


def _checked(targets: NDArray[np.floating], n: int, sample_weight: Array | None) -> tuple[Array, Array]:
    """Targets as distributions (n, K) and weights (n,), or ValueError saying what is wrong with them."""
    soft = np.asarray(targets, dtype=np.float64)
    if soft.ndim != 2 or len(soft) != n or soft.shape[1] < 1:
        raise ValueError(f"targets have shape {soft.shape}; expected ({n}, number of classes)")
    if not np.isfinite(soft).all() or (soft < 0).any() or not np.allclose(soft.sum(axis=1), 1, atol=1e-6):
        raise ValueError("targets must be distributions over the classes: not negative, each row summing to 1")
    weight = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n,) or not np.isfinite(weight).all() or (weight < 0).any():
        raise ValueError(f"sample weights must be {n} finite numbers of at least 0")
    return soft, weight


def fit_head(
    X: NDArray[np.floating],
    targets: NDArray[np.floating],
    sample_weight: Array | None = None,
    settings: HeadSettings | None = None,
    start: Head | None = None,
    standardisation: Standardisation | None = None,
) -> Head:
    """The head fitted to embeddings X (n, d) and targets (n, K), one-hot or shares of votes.

    `standardisation` comes from the whole pool (default: from X). Without any answer the head says "uniform"; with
    one class only, that class grows likelier with every answer but never certain. Raises ValueError for input that
    is not finite.
    """
    settings = settings or HeadSettings()
    soft, weight = _checked(targets, len(X), sample_weight)
    if not np.isfinite(X).all():
        raise ValueError("embeddings hold NaN or infinite values; encode the crops again")
    norm = standardisation or standardise(X)
    phi = design(X, norm.mean, norm.scale)
    used = balanced_weights(soft, weight) if settings.balanced else weight
    weights = fit_weights(phi, soft, used, settings, None if start is None else start.weights)
    covariance = posterior_covariance(phi[weight > 0], settings)
    temperature = cross_validated_temperature(phi, soft, used, settings) if settings.calibrate else 1.0
    return Head(weights, norm.mean, norm.scale, covariance, temperature, soft.shape[1])


def logits(head: Head, X: NDArray[np.floating]) -> Array:
    """Logits (n, K) of embeddings (n, d), before temperature and variance."""
    return np.asarray(design(X, head.mean, head.scale) @ head.weights)


def variance(head: Head, X: NDArray[np.floating]) -> Array:
    """Variance of a logit (n,): large where few similar crops have been answered."""
    phi = design(X, head.mean, head.scale)
    return np.asarray(np.maximum(np.vecdot(phi @ head.covariance, phi), 0))


def probit_probabilities(raw: NDArray[np.floating], spread: NDArray[np.floating], temperature: float) -> Array:
    """Probabilities (n, K) of Gaussian logits with means (n, K) and variances (n,), mean-field probit."""
    return np.asarray(softmax(raw / (temperature * np.sqrt(1 + PROBIT * spread))[:, None], axis=1))


def probabilities(head: Head, X: NDArray[np.floating]) -> Array:
    """Class probabilities (n, K) of embeddings (n, d), softened by the variance and the temperature."""
    return probit_probabilities(logits(head, X), variance(head, X), head.temperature)


def fit_temperature(raw: Array, targets: Array, weight: Array | None = None) -> float:
    """Temperature in [0.05, 20] that minimises the cross entropy of logits (n, K) (10.48550/arXiv.1706.04599)."""
    mass = targets if weight is None else targets * weight[:, None]

    def cost(log_t: float) -> float:
        return float(-np.sum(mass * log_softmax(raw / np.exp(log_t), axis=1)))

    found = minimize_scalar(cost, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return float(np.exp(found.x))


def cross_validated_temperature(phi: Array, targets: Array, weight: Array, settings: HeadSettings) -> float:
    """Temperature from logits predicted in five-fold cross-validation; 1 with fewer than ten rows.

    Rows are dealt to folds in the order of their first regressor: the order of answers leaves no trace.
    """
    if len(phi) < 10:
        return 1.0
    fold = np.empty(len(phi), dtype=int)
    fold[np.lexsort((phi[:, 1 % phi.shape[1]], phi[:, 0]))] = np.arange(len(phi)) % 5
    raw = np.empty_like(targets)
    for k in range(5):
        kept = fold != k
        raw[~kept] = phi[~kept] @ fit_weights(phi[kept], targets[kept], weight[kept], settings, None)
    return fit_temperature(raw, targets, weight)
