"""Intervals over seeds and held-out units at once: a two-way cluster bootstrap of balanced accuracy curves."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DRAWS = 2000
BLOCK = 100


@dataclass(frozen=True)
class Tally:
    """Right answers of one arm: hits (seeds, points, clusters, K) of totals (clusters, K) tested crops."""

    hits: Array
    totals: Array

    @cached_property
    def by_seed(self) -> Array:
        """Balanced accuracy (seeds, points) of each seed over everything that was tested, 0 to 1."""
        return balanced(self.hits.sum(axis=2), self.totals.sum(axis=0))

    @cached_property
    def curve(self) -> Array:
        """Mean balanced accuracy over seeds (points,)."""
        return np.asarray(self.by_seed.mean(axis=0))

    @property
    def recall(self) -> Array:
        """Mean recall over seeds at each point (points, K); NaN for a class that is not tested."""
        total = self.totals.sum(axis=0)
        shares = self.hits.sum(axis=2).mean(axis=0) / np.where(total > 0, total, np.nan)
        return np.asarray(shares)


@dataclass(frozen=True, slots=True)
class Resample:
    """Weights of the same draws for every arm, which keeps them paired: seeds (draws, S), clusters (draws, C)."""

    seeds: Array
    clusters: Array

    def curves(self, tally: Tally) -> Array:
        """Curves (draws, points) of an arm in every draw."""
        return np.concatenate([np.einsum("ds,dsp->dp", seeds, curve) for seeds, curve in self._blocks(tally)])

    def final_recall(self, tally: Tally) -> Array:
        """Recall (draws, K) of an arm at its last point in every draw; NaN where a class is not drawn."""
        hits = np.einsum("ds,sck,dc->dk", self.seeds, tally.hits[:, -1], self.clusters, optimize=True)
        totals = self.clusters @ tally.totals
        return np.asarray(hits / np.where(totals > 0, totals, np.nan))

    def _blocks(self, tally: Tally) -> Iterator[tuple[Array, Array]]:
        """Weights of the seeds (block, S) with balanced accuracy (block, S, points), some draws at a time."""
        seeds, points, clusters, classes = tally.hits.shape
        flat = tally.hits.transpose(2, 0, 1, 3).reshape(clusters, -1)
        own = self.seeds if seeds > 1 else np.ones((len(self.seeds), 1))
        for start in range(0, len(self.clusters), BLOCK):
            rows = self.clusters[start : start + BLOCK]
            hits = (rows @ flat).reshape(len(rows), seeds, points, classes)
            yield own[start : start + BLOCK], balanced(hits, (rows @ tally.totals)[:, None, None, :])


def balanced(hits: Array, totals: Array) -> Array:
    """Balanced accuracy (...,): mean share of hits (..., K) of totals (..., K) over the classes that were tested."""
    tested = totals > 0
    shares = hits / np.where(tested, totals, 1)
    return np.asarray(shares.sum(axis=-1) / np.maximum(tested.sum(axis=-1), 1))


def resample(seeds: int, clusters: int, seed: int = 0, draws: int = DRAWS) -> Resample:
    """Draws of seeds and of held-out clusters with replacement, one independent of the other (10.1214/07-AOAS122)."""
    rng = np.random.default_rng(seed)
    by_seed = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds
    by_cluster = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=draws).astype(np.float64)
    return Resample(by_seed, by_cluster)


def freedom(per_seed: Array, draws: Array, units: int) -> float:
    """Degrees of freedom of a figure that varies with seeds and with held-out units (10.2307/3002019).

    per_seed (S,): the figure of each seed alone, whose spread is the seeds' part of the variance of `draws` (draws,);
    the rest is that of the units. Infinite for a figure that does not vary.
    """
    total, seeds = float(draws.var()), len(per_seed)
    if total <= 0:
        return float("inf")
    share = min(float(per_seed.var()) / seeds / total, 1.0)
    lost = share**2 / max(seeds - 1, 1) + (1 - share) ** 2 / max(units - 1, 1)
    return 1 / lost
