"""The random stream as a test set: which crops are right or wrong by a head that never saw their fields.

Only crops of the stream are tested, because only they were drawn whatever a model thought. A crop that is tested is
never trained on, and neither is any crop of its group (its field).
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.intervals import Estimate
from training.learning.head import HeadSettings, balanced_weights, fit_weights
from training.learning.metrics import wilson
from training.learning.unit_intervals import Scope, unit_estimate

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

FEWEST_PER_CLASS = 5
FEWEST_UNITS = 5


@dataclass(frozen=True, slots=True)
class StreamData:
    """The answered crops of a study in the order of answering.

    phi (n, d + 1): regressors as `head.design` makes them. targets (n, K): what a crop teaches, shares summing to 1,
    rows of zeros where it names no class. in_stream (n,): drawn by the random stream. truth (n, K): what is right
    for a tested crop, as shares; zeros elsewhere. weight (n,): inverse of the probability of being drawn, above 0.
    experiment, group (n,): numbers of the experiment and of the field. stream_trains: whether the study's own head
    learns from the stream.
    """

    phi: Array
    targets: Array
    in_stream: Mask
    truth: Array
    weight: Array
    experiment: Index
    group: Index
    stream_trains: bool = True

    def __post_init__(self) -> None:
        if not np.isfinite(self.phi).all():
            raise ValueError("embeddings hold NaN or infinite values; encode the crops again")
        if not np.isfinite(self.weight).all() or (self.weight <= 0).any():
            raise ValueError("weights of stream crops must be finite and above 0")

    @property
    def tested(self) -> Mask:
        """Crops (n,) of the stream that are right or wrong by."""
        return np.asarray(self.in_stream & (self.truth.sum(axis=1) > 0))

    @property
    def teaches(self) -> Mask:
        """Crops (n,) that name a class."""
        return np.asarray(self.targets.sum(axis=1) > 0)

    @property
    def judged_classes(self) -> Mask:
        """Classes (K,) with enough tested crops to speak of their recall."""
        return np.asarray(self.truth[self.tested].sum(axis=0) >= FEWEST_PER_CLASS)

    def unweighted(self) -> "StreamData":
        """The same with every tested crop counting alike."""
        return replace(self, weight=np.ones(len(self.weight)))


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """How heads are fitted and compared: folds, pairs of draws of training sets, seed."""

    head: HeadSettings = field(default_factory=lambda: HeadSettings(tolerance=1e-4))
    folds: int = 5
    draws: int = 12
    seed: int = 0


def folds_of(data: StreamData, plan: StreamPlan) -> Index:
    """Fold number (n,) of every crop; crops of a group share one, groups without a tested crop have -1.

    With fewer groups than folds every crop is its own group.
    """
    groups = np.unique(data.group[data.tested])
    label = data.group if len(groups) >= plan.folds else np.arange(len(data.group))
    names, counts = np.unique(label[data.tested], return_counts=True)
    order = np.random.default_rng([plan.seed, 1]).permutation(len(names))
    order = order[np.argsort(-counts[order], kind="stable")]
    filled, fold_of = np.zeros(plan.folds), {}
    for place in order:
        fold = int(np.argmin(filled))
        filled[fold] += counts[place]
        fold_of[int(names[place])] = fold
    return np.array([fold_of.get(int(name), -1) for name in label], dtype=np.int64)


def fitted(data: StreamData, training: Index, plan: StreamPlan, targets: Array | None = None) -> Array:
    """Head weights (d + 1, K) from the training crops; `targets` (n, K) replaces those of the data."""
    taught = (data.targets if targets is None else targets)[training]
    weight = np.ones(len(training))
    if plan.head.balanced:
        weight = balanced_weights(taught, weight)
    return fit_weights(data.phi[training], taught, weight, plan.head, None)


def hits(data: StreamData, weights: Array, test: Index) -> Array:
    """Truth (test, K) of tested crops in the class that the head names, 0 in all others.

    Temperature and variance divide all logits of a crop alike: they change no hit.
    """
    named = np.argmax(data.phi[test] @ weights, axis=1)
    return np.asarray(data.truth[test] * (named[:, None] == np.arange(data.truth.shape[1])))


def cross_fitted(data: StreamData, order: Index, size: int | None, plan: StreamPlan, fold: Index) -> Array:
    """Hits (n, K) of every tested crop by the head from the first `size` crops of `order` outside its fold."""
    found = np.zeros_like(data.truth)
    for number in range(plan.folds):
        test = np.flatnonzero(data.tested & (fold == number))
        if len(test):
            found[test] = hits(data, fitted(data, order[fold[order] != number][:size], plan), test)
    return found


def available(order: Index, fold: Index, plan: StreamPlan) -> int:
    """Fewest crops of `order` that are left to train on when a fold is tested."""
    return min(int((fold[order] != number).sum()) for number in range(plan.folds))


def per_unit(data: StreamData, found: Array, unit: Index) -> Array:
    """Weighted sums (units, K, 2) of hits and of truth over the tested crops of each unit."""
    at = data.tested
    _, place = np.unique(unit[at], return_inverse=True)
    stacked = np.stack([found[at], data.truth[at]], axis=2) * data.weight[at, None, None]
    parts = np.zeros((int(place.max(initial=-1)) + 1, *stacked.shape[1:]))
    np.add.at(parts, place, stacked)
    return parts[:, data.judged_classes]


def mean_recall(sums: Array) -> Array:
    """Balanced accuracy (...) in [0, 1] from sums (..., K, 2) of hits and truth; absent classes are left out."""
    right, total = sums[..., 0], sums[..., 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.where(total > 1e-12, right / total, np.nan)
    known = np.isfinite(recall)
    count = known.sum(axis=-1)
    return np.asarray(np.where(count > 0, np.where(known, recall, 0).sum(axis=-1) / np.maximum(count, 1), np.nan))


def units_of(data: StreamData) -> tuple[Index, str]:
    """What intervals resample: experiments from five on, else crops; and its name."""
    if len(np.unique(data.experiment[data.tested])) >= FEWEST_UNITS:
        return data.experiment, "experiment"
    return np.arange(len(data.experiment), dtype=np.int64), "crop"


def balanced_accuracy(data: StreamData, found: Array, seed: int = 0) -> Estimate:
    """Balanced accuracy in [0, 1] over the classes that can be judged, with its 95 % interval and n tested crops."""
    unit, level = units_of(data)
    scope = Scope(int(data.tested.sum()), level, seed=seed)
    return unit_estimate(per_unit(data, found, unit), mean_recall, scope)


def accuracy(data: StreamData, found: Array, seed: int = 0) -> Estimate:
    """Share of crops that are named rightly, in [0, 1], with its 95 % interval and n tested crops."""
    unit, level = units_of(data)
    parts = per_unit(data, found, unit).sum(axis=1)
    scope = Scope(int(data.tested.sum()), level, seed=seed)
    return unit_estimate(parts, lambda sums: sums[..., 0] / sums[..., 1], scope)


def accuracy_by_experiment(data: StreamData, found: Array) -> dict[int, Estimate]:
    """Share of tested crops that are named rightly, for each experiment, with Wilson's 95 % interval and n."""
    right, at = found.sum(axis=1), data.tested
    figures = {}
    for number in np.unique(data.experiment[at]):
        rows = at & (data.experiment == number)
        share, n = float(right[rows].mean()), int(rows.sum())
        figures[int(number)] = Estimate(share, *wilson(share, n), n)
    return figures


def present_hits(data: StreamData, plan: StreamPlan) -> Array:
    """Hits (n, K) of the study's head as it is now, cross-fitted over the stream."""
    return cross_fitted(data, training_order(data), None, plan, folds_of(data, plan))


def training_order(data: StreamData) -> Index:
    """Crops that the study's head learns from, in the order of answering."""
    return np.flatnonzero(data.teaches & (~data.in_stream | data.stream_trains))
