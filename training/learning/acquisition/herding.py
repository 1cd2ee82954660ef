"""Herding: pick the crops whose neighbourhoods are worth most and not yet covered by a person's answer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]

# Without a cap one pair of near-duplicates among the answers would shrink every neighbourhood to a point.
GAMMA_LIMIT = 1 / 0.3**2
DISTANCE_SAMPLE = 1024
BLOCK = 64


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


class Herd:
    """Greedy maximisation of covered worth over candidates; two currencies share one kernel.

    Currency 0 weighs each reference crop by its utility (uncertainty herding), currency 1 counts all the same
    (MaxHerding, 10.48550/arXiv.2407.12212). The gains only shrink when crops are taken, so a stale gain is an upper
    bound and few candidates are looked at again (lazy greedy, 10.1007/BFb0006528).
    """

    def __init__(self, place: Neighbourhood, candidates: Features, utility: NDArray[np.float32]) -> None:
        peak = float(utility.max(initial=0)) or 1.0
        self._weights = np.stack([utility / peak, np.ones_like(utility)], axis=1) / np.float32(len(utility))
        self._covered = place.covered.copy()
        self._kernel = np.empty((len(candidates), len(place.reference)), dtype=np.float32)
        self.gains = np.zeros((2, len(candidates)), dtype=np.float32)
        for start in range(0, len(candidates), BLOCK):
            rows = slice(start, start + BLOCK)
            self._kernel[rows] = kernel(candidates[rows] @ place.reference.T, place.gamma)
            self.gains[:, rows] = self._worth(self._kernel[rows]).T
        self._bounds = self.gains.copy()

    def _worth(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Worth (n, 2) in both currencies of covering what the kernel rows cover beyond the present."""
        excess = rows - self._covered
        np.maximum(excess, 0, out=excess)
        return np.asarray(excess @ self._weights)

    def take(self, currency: int, exact: bool = True) -> int | None:
        """Candidate with the largest gain, now covered; None when all are taken.

        With `exact` off the gains of the last exact pick are used: enough for the tail of a long queue.
        """
        bounds = self._bounds[currency]
        if not len(bounds):
            return None
        best = int(np.argmax(bounds))
        while exact and np.isfinite(bounds[best]):
            self._bounds[:, best] = self._worth(self._kernel[best : best + 1])[0]
            again = int(np.argmax(bounds))
            if bounds[again] <= bounds[best]:
                break
            best = again
        if not np.isfinite(bounds[best]):
            return None
        self.cover(best, exact)
        return best

    def cover(self, candidate: int, exact: bool = True) -> None:
        """Count a candidate as asked: it is not taken again and its neighbourhood is worth less."""
        self._bounds[:, candidate] = -np.inf
        if exact:
            np.maximum(self._covered, self._kernel[candidate], out=self._covered)
