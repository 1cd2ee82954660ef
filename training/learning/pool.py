"""The pool's side of the fast loop: logits, exact variances and features of every crop, chunk by chunk."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, eigh, solve_triangular

from training.learning.coldstart import unit_rows
from training.learning.head import (
    PROBIT,
    Array,
    HeadSettings,
    Standardisation,
    design,
    penalties,
    posterior_covariance,
    standardise,
)

CHUNK = 2048
FEATURES = 64
PCA_SAMPLE = 20_000
# Above this many new crops at once a full recomputation is cheaper than updates.
LARGEST_UPDATE = 64

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Logits and probabilities (N, K) of the pool, float32, stored class by class."""

    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]


class Pool:
    """Embeddings (N, d) of a study, an array or a memory map, never copied as a whole."""

    def __init__(self, embeddings: NDArray[np.floating], settings: HeadSettings, seed: int) -> None:
        if embeddings.ndim != 2 or embeddings.shape[1] < 1:
            raise ValueError(f"embeddings have shape {embeddings.shape}; expected (crops, dimension)")
        self.embeddings = embeddings
        self.settings = settings
        self.norm: Standardisation = standardise(embeddings)
        if not np.isfinite(self.norm.mean).all():
            raise ValueError("embeddings hold NaN or infinite values; encode the crops again")
        self._divisor = self.norm.scale * np.sqrt(embeddings.shape[1])
        self._projection = self._fit_projection(seed)
        self._answered: Index = np.empty(0, dtype=np.int64)
        self._covariance, self._variance = self._from_scratch(self._answered)

    def __len__(self) -> int:
        return len(self.embeddings)

    def _chunks(self) -> Iterator[tuple[slice, NDArray[np.floating]]]:
        for start in range(0, len(self), CHUNK):
            rows = slice(start, min(start + CHUNK, len(self)))
            yield rows, self.embeddings[rows]

    def _fit_projection(self, seed: int) -> NDArray[np.float32]:
        """Directions (d, at most FEATURES) of largest variance of standardised crops; the identity if d is small."""
        d = self.embeddings.shape[1]
        if d <= FEATURES:
            return np.eye(d, dtype=np.float32)
        order = np.random.default_rng(seed).permutation(len(self))[:PCA_SAMPLE]
        rows = self.regressors(np.sort(order))[:, :-1]
        _, vectors = eigh(rows.T @ rows, subset_by_index=(d - FEATURES, d - 1))
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def regressors(self, crops: Index) -> Array:
        """Regressors (n, d + 1) of some crops, as the head sees them."""
        return design(self.embeddings[crops], self.norm.mean, self.norm.scale)

    def features(self, crops: Index) -> NDArray[np.float32]:
        """Unit rows (n, q) for distances between crops: leading principal components of the embedding."""
        return unit_rows(self.regressors(crops)[:, :-1].astype(np.float32) @ self._projection)

    def _fold(self, weights: Array) -> tuple[Array, Array]:
        """Weights (d, k) and offsets (k,) that act on raw embeddings, so that no chunk has to be standardised."""
        folded = weights[:-1] / self._divisor[:, None]
        return folded, weights[-1] - self.norm.mean @ folded

    def _from_scratch(self, answered: Index) -> tuple[Array, Array]:
        """Covariance of the weights and variance (N,) of the pool after these crops were answered."""
        covariance = posterior_covariance(self.regressors(answered), self.settings)
        variance = np.empty(len(self))
        if len(answered) == 0:
            penalty = penalties(len(self._divisor), self.settings)
            for rows, chunk in self._chunks():
                phi = design(chunk, self.norm.mean, self.norm.scale)
                variance[rows] = (phi * phi) @ (1 / penalty)
            return covariance, variance
        for rows, chunk in self._chunks():
            phi = design(chunk, self.norm.mean, self.norm.scale)
            variance[rows] = np.vecdot(phi @ covariance, phi)
        return covariance, variance

    def _update(self, crops: Index, sign: int) -> None:
        """Exact change of covariance and variance when crops are answered (sign 1) or withdrawn (sign -1).

        The Woodbury identity for a few rows at once; one pass over the embeddings (10.1137/1031049).
        """
        phi = self.regressors(crops)
        spread = self._covariance @ phi.T
        inner = np.eye(len(crops)) + sign * (phi @ spread)
        gain = solve_triangular(cholesky(inner), spread.T, trans="T").T
        folded, offset = self._fold(gain)
        for rows, chunk in self._chunks():
            along = chunk.astype(np.float64) @ folded + offset
            self._variance[rows] -= sign * np.vecdot(along, along)
        self._covariance -= sign * (gain @ gain.T)

    def variance(self, answered: Index) -> NDArray[np.float32]:
        """Laplace variance (N,) of a logit of every crop, given the sorted crops answered with a class.

        Kept in double precision from call to call and changed by what was added or withdrawn; rounding to single
        precision hides the order in which that happened.
        """
        added = np.setdiff1d(answered, self._answered, assume_unique=True)
        withdrawn = np.setdiff1d(self._answered, answered, assume_unique=True)
        if len(added) + len(withdrawn) > LARGEST_UPDATE:
            self._covariance, self._variance = self._from_scratch(answered)
        else:
            # Adding first keeps the withdrawal well conditioned.
            for crops, sign in ((added, 1), (withdrawn, -1)):
                if len(crops):
                    self._update(crops, sign)
        self._answered = answered
        return np.maximum(self._variance, 0).astype(np.float32)

    def predict(self, weights: Array, variance: NDArray[np.float32]) -> Predictions:
        """Predictions for every crop from head weights (d + 1, K), softened by the variance (mean-field probit)."""
        folded, offset = (part.astype(np.float32) for part in self._fold(weights))
        shape = (weights.shape[1], len(self))
        raw, p = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=np.float32)
        soften = 1 / np.sqrt(1 + np.float32(PROBIT) * variance)
        for rows, chunk in self._chunks():
            block = folded.T @ np.asarray(chunk, dtype=np.float32).T
            block += offset[:, None]
            raw[:, rows] = block
            block *= soften[rows]
            block -= block.max(axis=0)
            np.exp(block, out=block)
            p[:, rows] = block / block.sum(axis=0)
        return Predictions(raw.T, p.T)
