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
class Drawn:
    """Curves (draws, points) with seeds and clusters drawn, and with the clusters alone."""

    both: Array
    clusters: Array

    def __sub__(self, other: "Drawn") -> "Drawn":
        """The difference of two arms in the same draws."""
        return Drawn(self.both - other.both, self.clusters - other.clusters)


@dataclass(frozen=True, slots=True)
class Spread:
    """How far draws must be moved towards their centre (scale, 0 to 1), and their degrees of freedom."""

    scale: float
    freedom: float

    def corrected(self, value: Array | float, draws: Array) -> Array:
        """The draws with the variance that the figure has."""
        return np.asarray(value + self.scale * (draws - value))


@dataclass(frozen=True, slots=True)
class Resample:
    """Weights of the same draws for every arm, which keeps them paired: seeds (draws, S), clusters (draws, C)."""

    seeds: Array
    clusters: Array

    def curves(self, tally: Tally) -> Drawn:
        """Curves of an arm in every draw."""
        blocks = list(self._blocks(tally))
        both = [np.einsum("ds,dsp->dp", seeds, curve) for seeds, curve in blocks]
        return Drawn(np.concatenate(both), np.concatenate([curve.mean(axis=1) for _, curve in blocks]))

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


def spread(per_seed: Array, both: Array, clusters: Array, units: int) -> Spread:
    """Scale and degrees of freedom for the draws of a figure that varies with seeds and with held-out units.

    per_seed (S,): the figure of each seed alone; both and clusters (draws,): with seeds and units drawn, and with the
    units alone. Drawing both counts the noise of one seed on one unit three times instead of once
    (10.1214/07-AOAS122); what seeds and units vary by alone tells how much that is. Degrees of freedom by
    Satterthwaite (10.2307/3002019); infinite for a figure that does not vary.
    """
    seeds = len(per_seed)
    total, by_seed, by_unit = float(both.var()), float(per_seed.var()) / seeds, float(clusters.var())
    if total <= 0:
        return Spread(1.0, float("inf"))
    variance = min(max(2 * (by_seed + by_unit) - total, by_seed, by_unit), total)
    share = min(by_seed / variance, 1.0)
    lost = share**2 / max(seeds - 1, 1) + (1 - share) ** 2 / max(units - 1, 1)
    return Spread(float(np.sqrt(variance / total)), 1 / lost)
