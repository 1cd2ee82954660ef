"""What a ranker keeps between rankings: coverage of the reference crops, clusterings and cold starts."""

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.digest import array_digest
from training.learning.acquisition.clusters import (
    Clustering,
    cluster_count,
    group_reference,
    nearest_cluster,
)
from training.learning.acquisition.herding import (
    DISTANCE_SAMPLE,
    Herd,
    KernelRows,
    Neighbourhood,
    kernel,
    kernel_width,
)
from training.learning.acquisition.scores import Scores
from training.learning.acquisition.view import top_open
from training.learning.coldstart import cold_start, cold_start_size, sample_size
from training.learning.pool import Pool
from training.learning.rows import Rows

Index = NDArray[np.int64]

DIGEST_ROWS = 4096
EXPLORED_SHARE = 0.25
COSINE_BLOCK = 256


def sampled_digest(embeddings: Rows) -> str:
    """Digest of the shape and of at most DIGEST_ROWS evenly spaced rows; a file's own digest is better."""
    step = max(-(-len(embeddings) // DIGEST_ROWS), 1)
    rows = embeddings[np.arange(0, len(embeddings), step)]
    return f"{embeddings.shape[0]}x{embeddings.shape[1]}-{array_digest(np.ascontiguousarray(rows))}"


class Coverage:
    """How well reference crops, a random sample of the pool, are covered by crops that were asked."""

    def __init__(self, pool: Pool, size: int, seed: int, kernels: KernelRows | None = None) -> None:
        self._pool = pool
        self._seed = seed
        self._kernels = kernels or KernelRows()
        self._order = np.random.default_rng([seed, 1]).permutation(len(pool))
        self._crops: Index = np.sort(self._order[:size])
        self._reference = pool.features(self._crops)
        self._wide = self._reference.astype(np.float64)
        self._answered: Index = np.empty(0, dtype=np.int64)
        self._closest = np.full(len(self._crops), -1.0)
        self._groups: dict[int, tuple[Index, Index]] = {}

    def _closest_to(self, crops: Index) -> NDArray[np.float64]:
        """Largest cosine (R,) of each reference crop to any of these crops; -1 without any."""
        closest = np.full(len(self._crops), -1.0)
        for start in range(0, len(crops), COSINE_BLOCK):
            rows = self._pool.features(crops[start : start + COSINE_BLOCK]).astype(np.float64)
            np.maximum(closest, (self._wide @ rows.T).max(axis=1), out=closest)
        return closest

    def covered(self, answered: Index, asked: Index, gamma: float) -> NDArray[np.float32]:
        """Kernel (R,) of each reference crop to the nearest crop that was asked; 0 before the first.

        Answered crops are remembered, since a maximum does not depend on the order; leases come and go.
        """
        if len(np.setdiff1d(self._answered, answered, assume_unique=True)):
            self._answered, self._closest = np.empty(0, dtype=np.int64), np.full(len(self._crops), -1.0)
        added = np.setdiff1d(answered, self._answered, assume_unique=True)
        self._closest = np.maximum(self._closest, self._closest_to(added))
        self._answered = answered
        if len(asked) == 0:
            return np.zeros(len(self._crops), dtype=np.float32)
        others = np.setdiff1d(asked, answered, assume_unique=True)
        closest = np.maximum(self._closest, self._closest_to(others)).astype(np.float32)
        return kernel(closest, gamma)

    def candidates(self, worth: Scores, open_mask: NDArray[np.bool_], size: int) -> Index:
        """Open crops to herd among: the most useful ones and a random quarter, sorted."""
        explored = self._order[open_mask[self._order]][: int(size * EXPLORED_SHARE)]
        best = top_open(worth, open_mask, size - len(explored))
        return np.union1d(best, explored).astype(np.int64)

    def herd(self, candidates: Index, worth: Scores, answered: Index, asked: Index) -> Herd:
        """The herd of these candidates, with everything that was asked counted as covered."""
        gamma = kernel_width(self._pool.features(answered[:: max(-(-len(answered) // DISTANCE_SAMPLE), 1)]))
        place = Neighbourhood(self._reference, gamma, self.covered(answered, asked, gamma))
        return Herd(place, self._kernels.hold(place, candidates, self._pool.features), worth[self._crops])

    def clusters(self, asked: Index) -> Clustering:
        """Clustering of the reference crops, finer the more crops were asked, with the number asked in each."""
        count = min(cluster_count(len(asked)), len(self._crops))
        if count not in self._groups:
            self._groups[count] = group_reference(self._reference, count, self._seed)
        member, place = self._groups[count]
        near = nearest_cluster(self._pool.features(asked), self._reference, member)
        return Clustering(self._crops, member, place, np.bincount(near, minlength=count))


class ColdStart:
    """The crops asked first, by number of classes; they depend on the pool and the seed alone."""

    def __init__(self, pool: Pool, experiment: Index, seed: int) -> None:
        self._pool = pool
        self._experiment = experiment
        self._seed = seed
        self._found: dict[int, list[int]] = {}

    def crops(self, classes: int) -> list[int]:
        """Crops near the centres of clusters, at least one per experiment of the sample."""
        if classes not in self._found:
            rng = np.random.default_rng([self._seed, 2])
            count = cold_start_size(classes)
            sample = np.sort(rng.permutation(len(self._pool))[: sample_size(count)])
            chosen = cold_start(self._pool.features(sample), self._experiment[sample], count, self._seed)
            self._found[classes] = [int(crop) for crop in sample[chosen]]
        return self._found[classes]
