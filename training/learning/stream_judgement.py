"""Verdicts that the random stream allows: does the queue help, and do soft labels from "not sure" answers help.

A verdict is one of HELPS, WORSE, SAME (no difference seen) and OPEN (cannot be judged yet).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from labeling.agreement.intervals import Estimate
from training.learning.stream import (
    Array,
    Index,
    StreamData,
    StreamPlan,
    available,
    cross_fitted,
    fitted,
    folds_of,
    hits,
    mean_recall,
    per_unit,
    training_order,
    units_of,
)
from training.learning.unit_intervals import Scope, jackknife_error, unit_estimate

HELPS, WORSE, SAME, OPEN = "helps", "worse", "same", "open"
# Half the width of an interval at which "no difference seen" means something: 5 points.
TARGET_HALF_WIDTH = 0.05
FEWEST_TESTED = 40
FEWEST_UNSURE = 10
# Before any variance is seen: two heads that differ on a fifth of the crops.
ASSUMED_VARIANCE = 0.2
PLANNED = math.ceil(ASSUMED_VARIANCE * (1.96 / TARGET_HALF_WIDTH) ** 2 / 10) * 10


@dataclass(frozen=True, slots=True)
class Comparison:
    """Heads from `size` answers each. queue, stream: balanced accuracy in [0, 1]; difference: queue minus stream."""

    size: int
    queue: float
    stream: float
    difference: Estimate


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with what it rests on.

    rows: one comparison per size of training set, the largest last; that one decides. needed: number of tested
    stream crops at which the interval reaches 5 points to either side, if coming crops vary as these do; None where
    it has, or where no number of checks would do. reason: why there is no row.
    """

    verdict: str
    rows: tuple[Comparison, ...]
    needed: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """Heads with and without soft labels. difference: with minus without, in [-1, 1]; unsure: crops that it rests on;
    needed and reason as in Judgement."""

    verdict: str
    without: float | None
    with_soft: float | None
    difference: Estimate
    unsure: int
    needed: int | None
    reason: str = ""


def needed_crops(n: int, half_width: float, target: float = TARGET_HALF_WIDTH) -> int:
    """Number of crops, rounded up to tens, at which a half-width seen with n crops shrinks to the target."""
    return max(n, math.ceil(n * (half_width / target) ** 2 / 10) * 10)


def verdict_of(difference: Estimate) -> tuple[str, int | None]:
    """Verdict on a difference with its interval, and how many stream crops it takes where it is OPEN."""
    low, high = difference.low, difference.high
    if low is None or high is None:
        return OPEN, PLANNED
    if low > 0 or high < 0:
        return (HELPS if low > 0 else WORSE), None
    half = (high - low) / 2
    return (SAME, None) if half <= TARGET_HALF_WIDTH else (OPEN, needed_crops(difference.n, half))


def judge_queue(data: StreamData, plan: StreamPlan | None = None) -> Judgement:
    """Whether answers of the queue teach more than as many answers of the stream; judged on stream crops only.

    Training sets of equal size are drawn again and again from either kind of answer. At most half of what there is
    goes into one draw, so that the spread between draws tells what other answers would have given.
    """
    plan = plan or StreamPlan()
    n, fold = int(data.tested.sum()), folds_of(data, plan)
    queue = np.flatnonzero(data.teaches & ~data.in_stream)
    stream = np.flatnonzero(data.teaches & data.in_stream)
    if data.judged_classes.sum() < 2 or n < FEWEST_TESTED:
        return Judgement(OPEN, (), PLANNED, f"fewer than {FEWEST_TESTED} settled random checks of two classes")
    left = (available(queue, fold, plan), available(stream, fold, plan))
    fewest, largest = max(10, 2 * data.truth.shape[1]), min(left) // 2
    if largest < fewest:
        short = "answers of the queue" if left[0] < left[1] else "settled random checks"
        return Judgement(OPEN, (), PLANNED if left[1] <= left[0] else None, f"too few {short} to train on")
    sizes = sorted({largest, max(fewest, largest // 2), max(fewest, largest // 4)})
    rows = tuple(_compare(data, (queue, stream), size, plan) for size in sizes)
    verdict, needed = verdict_of(rows[-1].difference)
    return Judgement(verdict, rows, needed)


def _compare(data: StreamData, arms: tuple[Index, Index], size: int, plan: StreamPlan) -> Comparison:
    """Heads from `size` crops of either arm, drawn plan.draws times."""
    drawn = [_draws(data, arm, size, plan) for arm in arms]
    unit, _ = units_of(data)
    parts = np.concatenate([per_unit(data, drawn[0].mean, unit), per_unit(data, drawn[1].mean, unit)[..., :1]], -1)
    value = float(_difference(parts.sum(axis=0)))
    tested = jackknife_error(parts, _difference) ** 2
    half = _half_width(((tested, len(parts) - 1), *((arm.spread, 2 * plan.draws - 1) for arm in drawn)))
    difference = Estimate(value, max(-1.0, value - half), min(1.0, value + half), int(data.tested.sum()))
    return Comparison(size, _pooled(data, drawn[0].mean), _pooled(data, drawn[1].mean), difference)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """mean (n, K): hits averaged over draws; spread: variance of their balanced accuracy, had other crops been
    answered."""

    mean: Array
    spread: float


def _draws(data: StreamData, arm: Index, size: int, plan: StreamPlan) -> _Drawn:
    """Heads from `size` crops of an arm, drawn in pairs that share no crop.

    Two such heads differ by what each crop adds on its own (`linear`) and vary together by how crops act together
    (`joint`); draws from the same crops hide f / (1 - f) and f^2 / (1 - f^2) of these, f being the share of the
    crops that a draw takes (Hoeffding's decomposition, 10.1214/aoms/1177730196).
    """
    fold, (unit, _) = folds_of(data, plan), units_of(data)
    rng = np.random.default_rng([plan.seed, 2, int(data.in_stream[arm[0]])])
    total, parts = np.zeros_like(data.truth), []
    for _ in range(plan.draws):
        order = rng.permutation(arm)
        pair = [cross_fitted(data, crops, size, plan, fold) for crops in (order, order[::-1])]
        total += pair[0] + pair[1]
        parts.append([_contributions(data, found, unit) for found in pair])
    figures = np.array(parts)
    share = _contributions(data, data.truth, unit)
    linear = _common_variance(figures[:, 0] - figures[:, 1], share) / 4
    joint = _common_variance(figures.mean(axis=1), share)
    f = size / available(arm, fold, plan)
    if 2 * size > available(arm, fold, plan):
        raise ValueError(f"{size} crops twice are more than the {available(arm, fold, plan)} that there are")
    spread = linear * f / (1 - f) + joint * f**2 / (1 - f**2) + (linear + joint) / (2 * plan.draws)
    return _Drawn(total / (2 * plan.draws), spread)


def _contributions(data: StreamData, found: Array, unit: Index) -> Array:
    """What each unit adds (units,) to the balanced accuracy of the hits; of the truth itself it adds up to 1."""
    sums = per_unit(data, found, unit)
    return np.asarray((sums[..., 0] / sums[..., 1].sum(axis=0)).mean(axis=1))


def _common_variance(draws: Array, share: Array) -> float:
    """Variance over draws (draws, units) that all units have in common, at least 0.

    What a unit has of its own (which of its crops this training set happens to get right) is in the spread between
    units already, and would be counted twice (10.1214/07-AOAS122).
    """
    common = np.var(draws.sum(axis=1), ddof=1) - np.var(draws, axis=0, ddof=1).sum()
    return max(0.0, float(common / max(1 - (share**2).sum(), 1e-9)))


def _half_width(parts: tuple[tuple[float, int], ...]) -> float:
    """Half of a 95 % interval from (variance, degrees of freedom) of independent parts (Welch, 10.2307/3002019)."""
    variance = sum(part for part, _ in parts)
    if variance <= 0:
        return 0.0
    freedom = variance**2 / sum(part**2 / degrees for part, degrees in parts)
    return float(stdtrit(freedom, 0.975)) * math.sqrt(variance)


def judge_soft_labels(data: StreamData, doubt: Array, plan: StreamPlan | None = None) -> SoftLabels:
    """Whether it helps to teach "not sure" as half a vote for each of the two likeliest classes.

    doubt (n,): share of a crop's votes that are "not sure", in [0, 1]. The interval is over stream crops, for these
    very answers: it says which of two heads is better, not what other "not sure" answers would do.
    """
    plan = plan or StreamPlan()
    taught = (doubt > 0) & (~data.in_stream | data.stream_trains)
    n, count = int(data.tested.sum()), int(taught.sum())
    nothing = Estimate(None, None, None, n, "not computed")
    if n < FEWEST_TESTED or data.judged_classes.sum() < 2:
        reason = f"fewer than {FEWEST_TESTED} settled random checks of two classes"
        return SoftLabels(OPEN, None, None, nothing, count, PLANNED, reason)
    if count < FEWEST_UNSURE:
        return SoftLabels(OPEN, None, None, nothing, count, None, f'fewer than {FEWEST_UNSURE} crops are "not sure"')
    without = cross_fitted(data, training_order(data), None, plan, folds_of(data, plan))
    with_soft = _soft_hits(data, np.where(taught, doubt, 0.0), plan)
    unit, level = units_of(data)
    parts = np.concatenate([per_unit(data, with_soft, unit), per_unit(data, without, unit)[..., :1]], axis=-1)
    difference = unit_estimate(parts, _difference, Scope(n, level, -1.0, 1.0, is_share=False))
    if difference.low == difference.high and difference.value is not None:
        # No crop changed sides: three in n may still do so (rule of three, 10.1001/jama.1983.03330370053031).
        difference = Estimate(difference.value, difference.value - 3 / n, difference.value + 3 / n, n)
    verdict, needed = verdict_of(difference)
    return SoftLabels(verdict, _pooled(data, without), _pooled(data, with_soft), difference, count, needed)


def top_two(logits: Array) -> Array:
    """Soft labels (n, K): one half each for the two classes with the highest logits (n, K)."""
    best = np.argsort(-logits, axis=1, kind="stable")[:, :2]
    soft = np.zeros_like(logits)
    np.put_along_axis(soft, best, 1 / best.shape[1], axis=1)
    return soft


def _soft_hits(data: StreamData, doubt: Array, plan: StreamPlan) -> Array:
    """Hits (n, K) of the heads that also learn from doubts, whose classes the heads without them name."""
    fold, order, found = folds_of(data, plan), training_order(data), np.zeros_like(data.truth)
    for number in range(plan.folds):
        test = np.flatnonzero(data.tested & (fold == number))
        kept = order[fold[order] != number]
        unsure = np.flatnonzero((doubt > 0) & (fold != number))
        share = doubt[unsure, None]
        targets = data.targets.copy()
        targets[unsure] *= 1 - share
        targets[unsure] += share * top_two(data.phi[unsure] @ fitted(data, kept, plan))
        found[test] = hits(data, fitted(data, np.union1d(kept, unsure), plan, targets), test)
    return found


def _pooled(data: StreamData, found: Array) -> float:
    return float(mean_recall(per_unit(data, found, np.zeros(len(found), dtype=np.int64)).sum(axis=0)))


def _difference(sums: Array) -> Array:
    """Balanced accuracy of the first hits less that of the second, from sums (..., K, 3): hits, truth, hits."""
    return np.asarray(mean_recall(sums[..., :2]) - mean_recall(sums[..., [2, 1]]))
