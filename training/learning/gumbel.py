"""Draws in proportion to a score without putting back, by Gumbel-top-k, with the probability of each draw."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from training.learning.acquisition.scores import Scores
from training.learning.acquisition.view import top_open

Index = NDArray[np.int64]


class GumbelDraws:
    """Open crops in an order drawn with weights score ** (1 / temperature) (10.48550/arXiv.1903.06059).

    Adding Gumbel noise to log weights and sorting is the same as drawing one crop after the other, each with its
    weight over the weights of all open crops not taken yet. That conditional probability of the next draw is what is
    logged; the marginal probability of being in the first k is another number. Temperature 1 draws in proportion to
    the score; towards 0 the draws become the order of the scores, towards infinity a random order. A crop that scores
    0 is never drawn. Only the first `length` draws are kept.
    """

    def __init__(
        self,
        scores: Scores,
        open_mask: NDArray[np.bool_],
        temperature: float,
        seed: tuple[int, ...],
        length: int,
    ) -> None:
        if scores.min(initial=0) < 0:
            raise ValueError("draws in proportion to a score need scores of at least 0")
        with np.errstate(divide="ignore"):
            weight = np.log(scores.astype(np.float64))
        weight /= temperature
        noisy = weight + np.random.default_rng(seed).gumbel(size=len(weight))
        self._drawn = top_open(noisy, open_mask & np.isfinite(noisy), length)
        self._log = weight[self._drawn]
        self._place = {int(crop): place for place, crop in enumerate(self._drawn)}
        self._alive = np.ones(len(self._drawn), dtype=bool)
        left = open_mask & np.isfinite(weight)
        left[self._drawn] = False
        # The rest has a unit of its own: beside the best draw it may be nothing, and beside the last one everything.
        self._unit = float(weight.max(where=left, initial=-np.inf)) if left.any() else 0.0
        self._of_rest = np.where(left, np.exp(np.minimum(weight - self._unit, 0)), 0)
        self._rest = float(self._of_rest.sum())

    def take(self, crop: int) -> None:
        """Count a crop as taken, whoever asked for it."""
        place = self._place.get(crop)
        if place is None:
            self._rest = max(self._rest - float(self._of_rest[crop]), 0.0)
            self._of_rest[crop] = 0.0
        else:
            self._alive[place] = False

    def next(self) -> tuple[int, float] | None:
        """The next crop and the probability of this draw given those taken; None when no draw is left."""
        if not self._alive.any():
            return None
        place = int(np.argmax(self._alive))
        # By logarithms: at a low temperature the weights of what is left may all be too small for a number.
        total = logsumexp(self._log[self._alive])
        if self._rest > 0:
            total = np.logaddexp(total, np.log(self._rest) + self._unit)
        return int(self._drawn[place]), float(np.exp(self._log[place] - total))
