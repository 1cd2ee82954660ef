"""Clusters of reference crops and how typical each crop is of its own, for TypiClust."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.learning.coldstart import spherical_kmeans

NEIGHBOURS = 20
LARGEST = 512


@dataclass(frozen=True, slots=True)
class Clustering:
    """crops (R,): pool index of each reference crop; member (R,): its cluster; place (R,): 0 for the most typical of
    its cluster; covered: number of answered or leased crops per cluster."""

    crops: NDArray[np.int64]
    member: NDArray[np.int64]
    place: NDArray[np.int64]
    covered: NDArray[np.int64]

    def scores(self, open_mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Score (N,) in [0, 1]: clusters with the fewest answers first, then the largest; typical crops first.

        Crops outside the reference score 0.
        """
        size = np.bincount(self.member, minlength=len(self.covered))
        order = np.lexsort((self.place, -size[self.member], self.covered[self.member], self._round(open_mask)))
        values = np.zeros(len(open_mask), dtype=np.float32)
        values[self.crops[order]] = 1 - np.arange(len(order)) / max(len(order), 1)
        return values

    def _round(self, open_mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many open crops of the same cluster are more typical, (R,): one crop per cluster in each round."""
        order = np.lexsort((self.place, ~open_mask[self.crops], self.member))
        sizes = np.bincount(self.member, minlength=len(self.covered))
        starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
        rounds = np.empty(len(order), dtype=np.int64)
        rounds[order] = np.arange(len(order)) - starts
        return rounds


def cluster_count(covered: int) -> int:
    """Number of clusters: the power of two above the number of covered crops, at most LARGEST.

    Powers of two keep a clustering in use over many answers and depend on nothing but their number.
    """
    return min(1 << int(covered).bit_length(), LARGEST)


def typical_places(features: NDArray[np.float32], member: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rank (R,) of each crop in its cluster by closeness to its NEIGHBOURS nearest members, 0 for the closest."""
    place = np.empty(len(member), dtype=np.int64)
    for cluster in np.unique(member):
        rows = np.flatnonzero(member == cluster)
        cosine = features[rows] @ features[rows].T
        near = min(NEIGHBOURS + 1, len(rows))
        typicality = np.sort(cosine, axis=1)[:, -near:].mean(axis=1)
        place[rows[np.argsort(-typicality, kind="stable")]] = np.arange(len(rows))
    return place


def group_reference(
    features: NDArray[np.float32], count: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cluster and place in it of each reference crop, from unit features (R, q)."""
    _, member = spherical_kmeans(features, min(count, len(features)), seed)
    return member, typical_places(features, member)


def nearest_cluster(
    features: NDArray[np.float32], reference: NDArray[np.float32], member: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Cluster of each row (n,): that of its nearest reference crop."""
    if len(features) == 0:
        return np.empty(0, dtype=np.int64)
    return np.asarray(member[np.argmax(features @ reference.T, axis=1)])
