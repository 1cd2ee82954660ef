"""Why the head says what it says of one crop: labelled crops near it, what each contributes, and each channel's part.

Nearest training examples help people at least as much as attribution maps do and cost next to nothing (Nguyen, Kim
and Nguyen, NeurIPS 2021). All of it tells where a score is sensitive, not why a cell looks as it does.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse.linalg import LinearOperator, cg
from scipy.special import softmax

from training.learning.head import (
    Array,
    Head,
    HeadSettings,
    Standardisation,
    balanced_weights,
    design,
    fit_head,
    logits,
    penalties,
    probit_probabilities,
    variance,
)
from training.learning.similar import Index, nearest_first, standardised_distance

PER_CLASS = 5
NEWTON_TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labelled crops: crop_ids (n,), each once; embeddings X (n, d); targets (n, K), shares of votes per class."""

    crop_ids: Index
    X: NDArray[np.floating]
    targets: Array


@dataclass(frozen=True, slots=True)
class ExplainedHead:
    """A head fitted to its optimum, the crops that it learned from, and the weight alpha (n, K) of each in it.

    The head's weights are the sum of alpha times the crops' regressors; `bias_share` is the same per unit of bias.
    """

    head: Head
    labelled: Labelled
    alpha: Array
    bias_share: float


@dataclass(frozen=True, slots=True)
class Contrast:
    """What separates the two likeliest classes, first and second (class numbers), of one crop.

    difference: logit of the first less that of the second, at least 0; contribution (n,): the part of each labelled
    crop, positive where it speaks for the first class; bias: the part that holds for every crop.
    """

    first: int
    second: int
    difference: float
    contribution: Array
    bias: float


def fit_to_explain(labelled: Labelled, norm: Standardisation, settings: HeadSettings | None = None) -> ExplainedHead:
    """The head of these crops, fitted so closely that each crop's part can be named.

    Representer values of a ridge-penalised softmax (10.48550/arXiv.1811.09720): at the optimum the weights are
    sum_i alpha_i phi_i with alpha = weight * (target - probability) / ridge. Raises ValueError as `fit_head` does.
    """
    settings = settings or HeadSettings()
    head = fit_head(labelled.X, labelled.targets, None, settings, None, norm)
    phi = design(labelled.X, norm.mean, norm.scale)
    weight = np.ones(len(phi))
    weight = balanced_weights(labelled.targets, weight) if settings.balanced else weight
    weights = head.weights
    if len(phi):
        weights = weights + _newton_step(phi, labelled.targets, weight, weights, settings)
    exact = Head(weights, head.mean, head.scale, head.covariance, head.temperature, head.classes)
    alpha = weight[:, None] * (labelled.targets - softmax(phi @ weights, axis=1)) / settings.ridge
    return ExplainedHead(exact, labelled, alpha, settings.ridge / settings.bias_ridge)


def _newton_step(phi: Array, targets: Array, weight: Array, weights: Array, settings: HeadSettings) -> Array:
    """Newton's step (d + 1, K) from weights near the optimum, by conjugate gradients under Boehning's bound.

    L-BFGS ends where the loss no longer falls in double precision, which leaves the weights good to five digits.
    """
    p = softmax(phi @ weights, axis=1)
    penalty = penalties(phi.shape[1] - 1, settings)
    bound = (phi * (weight[:, None] / 2)).T @ phi
    bound[np.diag_indices_from(bound)] += penalty
    factor = cho_factor(bound)

    def curve(flat: Array) -> Array:
        step = flat.reshape(weights.shape)
        z = phi @ step
        z = weight[:, None] * (p * z - p * (p * z).sum(axis=1, keepdims=True))
        return np.asarray((phi.T @ z + penalty[:, None] * step).ravel())

    def precondition(flat: Array) -> Array:
        return np.asarray(cho_solve(factor, flat.reshape(weights.shape)).ravel())

    shape = (weights.size, weights.size)
    downhill = phi.T @ (weight[:, None] * (targets - p)) - penalty[:, None] * weights
    operators = [LinearOperator(shape, matvec=apply, dtype=np.float64) for apply in (curve, precondition)]
    found, _ = cg(operators[0], downhill.ravel(), rtol=NEWTON_TOLERANCE, M=operators[1], maxiter=200)
    return np.asarray(found.reshape(weights.shape))


def nearest_labelled(
    explained: ExplainedHead, query: NDArray[np.floating], leave_out: Collection[int] = (), per_class: int = PER_CLASS
) -> tuple[tuple[Index, Array], ...]:
    """For each class the places among the labelled crops of the nearest ones that most readers gave to it, nearest
    first, ties by rising crop id, and their distances to the query (d,); empty for a class without answers.

    A crop whose votes are tied stands under each of the tied classes. `leave_out`: crop ids, such as the query's own.
    Distances as in `similar.standardised_distance`.
    """
    labelled = explained.labelled
    norm = Standardisation(explained.head.mean, explained.head.scale)
    distance = standardised_distance(labelled.X, query, norm)
    targets = labelled.targets
    top = (targets >= targets.max(axis=1, keepdims=True, initial=0) - 1e-9) & (targets > 0)
    top &= ~np.isin(labelled.crop_ids, list(leave_out))[:, None]
    places = [nearest_first(distance, labelled.crop_ids, per_class, column) for column in top.T]
    return tuple((place, distance[place].astype(np.float64)) for place in places)


def contrast(explained: ExplainedHead, query: NDArray[np.floating]) -> Contrast:
    """What each labelled crop adds to the difference between the query's (d,) two likeliest classes.

    The contributions and the bias add up to the difference. Raises ValueError with fewer than two classes.
    """
    head = explained.head
    if head.classes < 2:
        raise ValueError("a contrast needs two classes; this head knows one")
    raw = logits(head, query[None])[0]
    second, first = (int(k) for k in np.argsort(raw, kind="stable")[-2:])
    phi = design(explained.labelled.X, head.mean, head.scale)[:, :-1]
    along = phi @ design(query[None], head.mean, head.scale)[0, :-1]
    alpha = explained.alpha[:, first] - explained.alpha[:, second]
    bias = float(alpha.sum() * explained.bias_share)
    return Contrast(first, second, float(raw[first] - raw[second]), alpha * along, bias)


def background_planes(crop: NDArray[np.generic]) -> NDArray[np.generic]:
    """The crop (channel, height, width) once per channel, (channel, channel, height, width), copy i with channel i
    flat at its background: the median of the two outermost rows and columns, in the type of the crop."""
    copies = np.repeat(crop[None], len(crop), axis=0)
    for channel, plane in enumerate(crop):
        edges = (plane[:2], plane[-2:], plane[2:-2, :2], plane[2:-2, -2:])
        frame = np.sort(np.concatenate([edge.ravel() for edge in edges]))
        copies[channel, channel] = frame[len(frame) // 2]
    return copies


def knock_out(head: Head, query: NDArray[np.floating], without: NDArray[np.floating]) -> tuple[int, float, Array]:
    """The likeliest class of the query (d,), its probability, and that probability without each channel (channels,).

    without (channels, d): embeddings of the crop with one channel taken away each, from `background_planes` or
    `bag_of_channels.without_channel`. A large fall tells that the score is sensitive to the channel, not why. The
    variance stays that of the whole crop: one without a channel lies far from every labelled crop, and would look
    unsure for that alone.
    """
    raw = logits(head, np.concatenate([query[None], without]))
    p = probit_probabilities(raw, np.repeat(variance(head, query[None]), len(raw)), head.temperature)
    first = int(p[0].argmax())
    return first, float(p[0, first]), np.asarray(p[1:, first])
