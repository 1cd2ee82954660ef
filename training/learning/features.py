"""The space in which crops are compared: leading principal components of standardised embeddings, one unit long."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from training.learning.coldstart import unit_rows
from training.learning.head import Standardisation, design, standardise
from training.learning.rows import CHUNK, Rows, checked_rows

FEATURES = 64
PCA_SAMPLE = 20_000


@dataclass(frozen=True, slots=True)
class FeatureSpace:
    """How an embedding becomes a unit feature: `norm` of the pool, then `projection` (d, q)."""

    norm: Standardisation
    projection: NDArray[np.float32]

    def of(self, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
        """Unit features (n, q) of embeddings (n, d)."""
        folded = (self.projection / self.norm.scale[:, None]).astype(np.float32)
        return unit_rows((np.asarray(embeddings) - self.norm.mean.astype(np.float32)).astype(np.float32) @ folded)


def feature_space(embeddings: Rows, norm: Standardisation | None = None, seed: int = 0) -> FeatureSpace:
    """The feature space of a pool (n, d): at most FEATURES directions of largest variance, all of them if d is small.

    The directions come from an even random sample drawn with the seed; the same pool and seed give the same space.
    """
    checked_rows(embeddings)
    norm = norm or standardise(embeddings)
    d = embeddings.shape[1]
    if d <= FEATURES:
        return FeatureSpace(norm, np.eye(d, dtype=np.float32))
    order = np.random.default_rng(seed).permutation(len(embeddings))[:PCA_SAMPLE]
    moments = np.zeros((d, d))
    picked = np.sort(order)
    for start in range(0, len(picked), CHUNK):
        z = design(embeddings[picked[start : start + CHUNK]], norm.mean, norm.scale)[:, :-1]
        moments += z.T @ z
    _, vectors = eigh(moments, subset_by_index=(d - FEATURES, d - 1))
    return FeatureSpace(norm, np.ascontiguousarray(vectors, dtype=np.float32))
