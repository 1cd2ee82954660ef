"""Scores of single crops: random, margin, entropy, BALD and the utility behind uncertainty herding.

Every function returns one number per crop of the pool; higher means "ask a person first".
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, softmax

Scores = NDArray[np.float32]
Probabilities = NDArray[np.floating]

BONUS_LIMIT = 5.0


def checked(scores: NDArray[np.floating]) -> Scores:
    """The scores as float32; raises ValueError when one is NaN or infinite, since it would rank at random."""
    values = np.asarray(scores, dtype=np.float32)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ValueError(f"{len(bad)} scores are not finite, the first at crop {bad[0]}; encode the crops again")
    return values


def top_two(probabilities: Probabilities) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Largest and second largest probability of each row (n,); the second is 0 with one class."""
    first = np.array(probabilities[:, 0])
    second = np.zeros_like(first)
    for column in probabilities.T[1:]:
        np.maximum(second, np.minimum(first, column), out=second)
        np.maximum(first, column, out=first)
    return first, second


def random(count: int, seed: int) -> Scores:
    """Scores in (0, 1] that put the crops in an order drawn once for the seed."""
    order = np.random.default_rng(seed).permutation(count)
    return checked((order + 1) / max(count, 1))


def margin(probabilities: Probabilities) -> Scores:
    """One minus the lead of the likeliest class, in [0, 1] (10.1007/3-540-44816-0_31)."""
    first, second = top_two(probabilities)
    return checked(1 - (first - second))


def entropy(probabilities: Probabilities) -> Scores:
    """Shannon entropy in nats, in [0, log K] (10.1002/j.1538-7305.1948.tb01338.x)."""
    return checked(entr(probabilities).sum(axis=1))


def bald(logits: NDArray[np.floating], variance: NDArray[np.floating], seed: int, draws: int = 32) -> Scores:
    """Mutual information in nats between the class and the head's weights, at least 0 (10.48550/arXiv.1112.5745).

    logits (n, K) and variance (n,) of the Laplace posterior; all crops share the same draws, so equal crops score
    the same. Costs n * K * draws: meant for a shortlist.
    """
    noise = np.random.default_rng(seed).standard_normal((draws, 1, logits.shape[1]))
    p = softmax(logits + np.sqrt(variance)[:, None] * noise, axis=2)
    information = entr(p.mean(axis=0)).sum(axis=1) - entr(p).sum(axis=2).mean(axis=0)
    return checked(np.maximum(information, 0))


def rare_class_bonus(probabilities: Probabilities, class_mass: NDArray[np.floating]) -> Scores:
    """Factor in [1, 5]: root of how often the commonest class was answered per answer of the predicted class."""
    most = max(float(class_mass.max(initial=0)), 1.0)
    per_class = np.sqrt(most / np.maximum(class_mass, most / BONUS_LIMIT**2))
    best = np.array(probabilities[:, 0])
    bonus = np.full(len(best), per_class[0])
    for column, value in zip(probabilities.T[1:], per_class[1:]):
        better = column > best
        bonus[better] = value
        np.maximum(best, column, out=best)
    return checked(bonus)


def utility(probabilities: Probabilities, variance: NDArray[np.floating], class_mass: NDArray[np.floating]) -> Scores:
    """Margin times Laplace variance times rare-class bonus, at least 0: what an answer is worth where it is given.

    Margin alone loses to random on imbalanced cells; the variance makes the difference.
    """
    return checked(margin(probabilities) * variance * rare_class_bonus(probabilities, class_mass))
