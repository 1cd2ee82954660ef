"""Herding: pick the crops whose neighbourhoods are worth most and not yet covered by a person's answer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
Index = NDArray[np.int64]

# Without a cap one pair of near-duplicates among the answers would shrink every neighbourhood to a point.
GAMMA_LIMIT = 1 / 0.3**2
DISTANCE_SAMPLE = 1024
# Kernel rows are computed so many at once, always: a row has the same bits whatever else is computed with it.
BLOCK = 64
# Gains of so many rows at once, so that they stay in the second-level cache.
GAIN_BLOCK = 16


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What the pool looks like to herding: unit rows of reference crops and how well each is covered already."""

    reference: Features
    gamma: float
    covered: NDArray[np.float32]


def kernel_width(features: Features) -> float:
    """Gamma = 1 / (smallest squared distance between answered crops), in [1/4, 1/0.3^2]; unit rows (n, q).

    Follows Uncertainty Herding (10.48550/arXiv.2412.20644). Of many answers an even sample is compared.
    """
    if len(features) < 2:
        return 1.0
    rows = features[:: -(-len(features) // DISTANCE_SAMPLE)].astype(np.float64)
    cosine = rows @ rows.T
    np.fill_diagonal(cosine, -1)
    nearest = max(2 - 2 * float(cosine.max()), 1e-12)
    # Rounding hides the last bits, which depend on how many rows were multiplied at once.
    return round(min(max(1 / nearest, 0.25), GAMMA_LIMIT), 6)


def kernel(cosine: NDArray[np.float32], gamma: float) -> NDArray[np.float32]:
    """Gaussian kernel of unit vectors, exp(-gamma * distance^2), computed in place."""
    cosine -= 1
    cosine *= np.float32(2 * gamma)
    return np.exp(cosine, out=cosine)


class KernelRows:
    """Kernel rows (S, R) of candidates, kept from one ranking to the next: most candidates stay the same.

    `slot` (n,) is the row of each candidate that `hold` was called with last. One object may serve several pools in
    turn: it keeps the rows of the one that was ranked last.
    """

    def __init__(self) -> None:
        self.rows: Features = np.empty((0, 0), dtype=np.float32)
        self.slot: Index = np.empty(0, dtype=np.int64)
        self._crops: Index = np.empty(0, dtype=np.int64)
        self._made_for: tuple[Features | None, float] = (None, 0.0)

    def hold(self, place: Neighbourhood, crops: Index, features: Callable[[Index], Features]) -> "KernelRows":
        """The rows of these crops (n,), each once; `features` gives unit rows (m, q) of those that are new."""
        self._make_room(place, len(crops))
        kept = np.isin(self._crops, crops)
        self._crops[~kept] = -1
        new = np.setdiff1d(crops, self._crops, assume_unique=True)
        free = np.flatnonzero(~kept)[: len(new)]
        self._fill(place, free, features(new))
        self._crops[free] = new
        order = np.argsort(self._crops, kind="stable")
        self.slot = order[np.searchsorted(self._crops[order], crops)]
        return self

    def _make_room(self, place: Neighbourhood, count: int) -> None:
        """Nothing is kept where the reference crops or the width of the kernel are others."""
        reference, gamma = self._made_for
        size = (-(-count // BLOCK) * BLOCK, len(place.reference))
        if self.rows.shape[0] < size[0] or self.rows.shape[1] != size[1]:
            self.rows = np.zeros(size, dtype=np.float32)
            reference = None
        if reference is not place.reference or gamma != place.gamma:
            self._crops = np.full(len(self.rows), -1, dtype=np.int64)
            self._made_for = (place.reference, place.gamma)

    def _fill(self, place: Neighbourhood, slots: Index, features: Features) -> None:
        block = np.zeros((BLOCK, place.reference.shape[1]), dtype=np.float32)
        for start in range(0, len(slots), BLOCK):
            own = slots[start : start + BLOCK]
            block[: len(own)] = features[start : start + BLOCK]
            self.rows[own] = kernel(block @ place.reference.T, place.gamma)[: len(own)]


class Herd:
    """Greedy maximisation of covered worth over candidates; two currencies share one kernel.

    Currency 0 weighs each reference crop by its utility (uncertainty herding), currency 1 counts all the same
    (MaxHerding, 10.48550/arXiv.2407.12212). The gains only shrink when crops are taken, so a stale gain is an upper
    bound and few candidates are looked at again (lazy greedy, 10.1007/BFb0006528). `kernels` are in use until another
    herd is made from them.
    """

    def __init__(self, place: Neighbourhood, kernels: KernelRows, utility: NDArray[np.float32]) -> None:
        peak = float(utility.max(initial=0)) or 1.0
        self._weights = np.stack([utility / peak, np.ones_like(utility)], axis=1) / np.float32(len(utility))
        self._covered = place.covered.copy()
        self._rows, self._slot = kernels.rows, kernels.slot
        self.gains = self._all_gains()[:, self._slot]
        self._bounds = self.gains.copy()
        self._tails: dict[int, Iterator[int]] = {}

    def _all_gains(self) -> NDArray[np.float32]:
        gains = np.empty((2, len(self._rows)), dtype=np.float32)
        for start in range(0, len(self._rows), GAIN_BLOCK):
            part = slice(start, start + GAIN_BLOCK)
            gains[:, part] = self._worth(self._rows[part]).T
        return gains

    def _worth(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Worth (n, 2) in both currencies of covering what the kernel rows cover beyond the present."""
        excess = rows - self._covered
        np.maximum(excess, 0, out=excess)
        return np.asarray(excess @ self._weights)

    def take(self, currency: int, exact: bool = True) -> int | None:
        """Candidate with the largest gain, now covered; None when all are taken.

        With `exact` off the gains of the last exact pick are used: enough for the tail of a long queue.
        """
        best = self._best(currency) if exact else self._next(currency)
        if best is not None:
            self.cover(best, exact)
        return best

    def _best(self, currency: int) -> int | None:
        bounds = self._bounds[currency]
        if not len(bounds):
            return None
        best = int(np.argmax(bounds))
        while np.isfinite(bounds[best]):
            slot = self._slot[best]
            self._bounds[:, best] = self._worth(self._rows[slot : slot + 1])[0]
            again = int(np.argmax(bounds))
            if bounds[again] <= bounds[best]:
                return best
            best = again
        return None

    def _next(self, currency: int) -> int | None:
        """The largest of the last gains; they were sorted once, since nothing but taking changes them."""
        bounds = self._bounds[currency]
        if currency not in self._tails:
            self._tails[currency] = iter(np.argsort(-bounds, kind="stable").tolist())
        return next((place for place in self._tails[currency] if bounds[place] > -np.inf), None)

    def cover(self, candidate: int, exact: bool = True) -> None:
        """Count a candidate as asked: it is not taken again and its neighbourhood is worth less."""
        self._bounds[:, candidate] = -np.inf
        if exact:
            self._tails.clear()
            np.maximum(self._covered, self._rows[self._slot[candidate]], out=self._covered)
