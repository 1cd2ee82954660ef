"""How likely a person is to answer "not sure": a second logistic head on the same embeddings.

It predicts a cost; no score is multiplied by it, because that lost to doing nothing wherever it was tried.
"""

from dataclasses import dataclass

import numpy as np

from training.learning.logistic import Array, HeadSettings, fit_weights
from training.learning.rows import Index

# Crops of either kind below which a rate would be a guess.
FEWEST = 5
# An intercept that is all but free makes the mean prediction on the crops read equal their share.
SETTINGS = HeadSettings(ridge=0.5, bias_ridge=1e-6, balanced=False)


@dataclass(frozen=True, slots=True)
class NotSureReads:
    """Every crop that was read: crop_index (n,), each once; share (n,) of its reads that were "not sure", in [0, 1];
    weight (n,), the number of its reads."""

    crop_index: Index
    share: Array
    weight: Array

    def ordered(self) -> "NotSureReads":
        """The same reads by rising crop index, after a check; ValueError says what is wrong with them."""
        index = np.asarray(self.crop_index, dtype=np.int64)
        share, weight = (np.asarray(part, dtype=np.float64) for part in (self.share, self.weight))
        if not len(index) == len(share) == len(weight) or len(np.unique(index)) != len(index):
            raise ValueError("reads need one share and one weight per crop, and each crop once")
        if not (np.isfinite(weight).all() and ((share >= 0) & (share <= 1)).all() and (weight >= 0).all()):
            raise ValueError("shares of not-sure reads lie in 0 to 1, and weights are at least 0")
        order = np.argsort(index, kind="stable")
        return NotSureReads(index[order], share[order], weight[order])

    @property
    def enough(self) -> bool:
        """Whether crops of both kinds were read often enough to tell them apart."""
        unsure = np.count_nonzero((self.share >= 0.5) & (self.weight > 0))
        sure = np.count_nonzero((self.share < 0.5) & (self.weight > 0))
        return bool(min(unsure, sure) >= FEWEST)


def fit_not_sure(phi: Array, reads: NotSureReads) -> Array | None:
    """Weights (d + 1,) whose sigmoid is the probability of "not sure"; None with too few crops of either kind.

    phi (n, d + 1): regressors of the crops read, in their order.
    """
    if not reads.enough:
        return None
    targets = np.column_stack([reads.share, 1 - reads.share])
    weights = fit_weights(phi, targets, reads.weight, SETTINGS)
    return np.asarray(weights[:, 0] - weights[:, 1])
