"""The acquisition strategies by name: each scores the whole pool, higher means "ask a person first"."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.learning.acquisition import scores
from training.learning.acquisition.clusters import Clustering
from training.learning.acquisition.herding import Herd
from training.learning.acquisition.scores import Scores

BALD_SHORTLIST = 5000


@dataclass(frozen=True, slots=True)
class PoolView:
    """What a strategy may look at: the model's view of every crop and the herd of candidates.

    probabilities (N, K), logits (N, K), variance (N,), utility (N,), open_mask (N,); candidates: crop of each
    column of the herd; clusters: how the reference crops group and which groups hold an answer.
    """

    probabilities: NDArray[np.float32]
    logits: NDArray[np.float32]
    variance: NDArray[np.floating]
    utility: Scores
    open_mask: NDArray[np.bool_]
    candidates: NDArray[np.int64]
    herd: Herd
    clusters: Callable[[], Clustering]
    seed: int


def random(view: PoolView) -> Scores:
    """Scores in (0, 1]: an order drawn once for the seed; the arm every other strategy has to beat."""
    return scores.random(len(view.open_mask), view.seed)


def margin(view: PoolView) -> Scores:
    """One minus the lead of the likeliest class (10.1007/3-540-44816-0_31)."""
    return scores.margin(view.probabilities)


def entropy(view: PoolView) -> Scores:
    """Entropy of the class probabilities, in nats (10.1002/j.1538-7305.1948.tb01338.x)."""
    return scores.entropy(view.probabilities)


def bald(view: PoolView) -> Scores:
    """Mutual information of class and weights on a shortlist by utility, 0 elsewhere (10.48550/arXiv.1112.5745)."""
    chosen = top_open(view.utility, view.open_mask, BALD_SHORTLIST)
    values = np.zeros(len(view.utility), dtype=np.float32)
    values[chosen] = scores.bald(view.logits[chosen], view.variance[chosen], view.seed)
    return values


def typiclust(view: PoolView) -> Scores:
    """The most typical crop of the largest cluster without an answer first, in [0, 1] (10.48550/arXiv.2202.02794)."""
    return scores.checked(view.clusters().scores(view.open_mask))


def maxherding(view: PoolView) -> Scores:
    """Gain in covered pool for the candidates, 0 elsewhere (10.48550/arXiv.2407.12212)."""
    values = np.zeros(len(view.utility), dtype=np.float32)
    values[view.candidates] = view.herd.gains[1]
    return scores.checked(values)


def uherding(view: PoolView) -> Scores:
    """Gain in covered utility, candidates above all other crops (10.48550/arXiv.2412.20644).

    Candidates score 1 + gain / largest gain, in [1, 2]; the other crops their utility over the largest, below 1.
    """
    peak = float(view.utility.max(initial=0)) or 1.0
    values = view.utility / np.float32(peak * 1.000001)
    gains = view.herd.gains[0]
    values[view.candidates] = 1 + gains / np.float32(float(gains.max(initial=0)) or 1.0)
    return scores.checked(values)


STRATEGIES: dict[str, Callable[[PoolView], Scores]] = {
    strategy.__name__: strategy for strategy in (random, margin, entropy, bald, typiclust, maxherding, uherding)
}
HERDING_CURRENCY = {"uherding": 0, "maxherding": 1}


def top_open(values: Scores, open_mask: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """Crops of the `count` highest scores among the open ones, best first, ties by the lower number."""
    open_crops = np.flatnonzero(open_mask)
    own = values[open_crops]
    if len(own) > count:
        limit = np.partition(own, len(own) - count)[len(own) - count]
        open_crops, own = open_crops[own >= limit], own[own >= limit]
    return open_crops[np.argsort(-own, kind="stable")][:count]
