"""What a strategy may look at, and helpers that several strategies share."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.learning.acquisition.clusters import Clustering
from training.learning.acquisition.herding import Herd
from training.learning.acquisition.scores import Scores

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PoolView:
    """The model's view of every crop and the herd of candidates.

    probabilities (N, K), variance (N,), utility (N,), open_mask (N,); logits: of some crops, (n, K); candidates: crop
    of each column of the herd; clusters: how the reference crops group and which groups hold an answer.
    """

    probabilities: NDArray[np.float32]
    logits: Callable[[Index], NDArray[np.float64]]
    variance: NDArray[np.float32]
    utility: Scores
    open_mask: NDArray[np.bool_]
    candidates: Index
    herd: Herd
    clusters: Callable[[], Clustering]
    seed: int


def top_open(values: NDArray[np.floating], open_mask: NDArray[np.bool_], count: int) -> Index:
    """Crops of the `count` highest scores among the open ones, best first, ties by the lower number."""
    open_crops = np.flatnonzero(open_mask)
    own = values[open_crops]
    if len(own) > count > 0:
        limit = np.partition(own, len(own) - count)[len(own) - count]
        open_crops, own = open_crops[own >= limit], own[own >= limit]
    return open_crops[np.argsort(-own, kind="stable")][: max(count, 0)]
