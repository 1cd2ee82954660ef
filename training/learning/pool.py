"""The pool's side of the fast loop: one pass over all crops gives their variances and probabilities."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.special import expit

from training.learning.features import feature_space
from training.learning.head import (
    PROBIT,
    Array,
    HeadSettings,
    design,
    penalties,
    posterior_covariance,
    standardise,
)
from training.learning.rows import CHUNK, Index, Rows, checked_rows, chunks, refuse_not_finite

# Above this many new crops at once a full recomputation is cheaper than updates.
LARGEST_UPDATE = 64
# Numbers in a pool from which a second thread is worth its start.
LARGE_POOL = 1 << 24
# Probabilities of more numbers than this go to a temporary file: 300 classes of a large pool are gigabytes.
IN_MEMORY = 1 << 25

Step = Callable[[slice, NDArray[np.floating]], None]


@dataclass(frozen=True, slots=True)
class Readout:
    """What the head says of any crop: weights (d + 1, K), temperature, and weights (d + 1,) of the not-sure head."""

    weights: Array
    temperature: float = 1.0
    not_sure: Array | None = None


@dataclass(frozen=True, slots=True)
class Predictions:
    """What is known of every crop, float32: probabilities (N, K) stored class by class, variance (N,) of a logit, and
    the probability (N,) that a person would be not sure, if there is a head for it."""

    probabilities: NDArray[np.float32]
    variance: NDArray[np.float32]
    not_sure: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class _Change:
    """Rows folded so that the squares of chunk @ folded + offset are to be taken from the variance, times `sign`."""

    folded: Array
    offset: Array
    sign: int


class Pool:
    """Embeddings (N, d) of a study, an array, a memory map or several, never copied as a whole.

    threads: how many share a pass; the numbers are the same for any. Default: 2 for a large pool.
    """

    def __init__(self, embeddings: Rows, settings: HeadSettings, seed: int, threads: int | None = None) -> None:
        checked_rows(embeddings)
        self.embeddings = embeddings
        self.settings = settings
        large = len(embeddings) * embeddings.shape[1] >= LARGE_POOL
        self._threads = threads or (2 if large else 1)
        self.norm = standardise(embeddings)
        if not np.isfinite(self.norm.scale).all():
            refuse_not_finite(embeddings)
        self.space = feature_space(embeddings, self.norm, seed)
        self._divisor = self.norm.scale * np.sqrt(embeddings.shape[1])
        self._answered: Index = np.empty(0, dtype=np.int64)
        self._covariance = posterior_covariance(np.empty((0, len(self._divisor) + 1)), settings)
        self._variance = np.empty(len(embeddings))
        self._pass(self._prior)

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def variance(self) -> Array:
        """Laplace variance (N,) of a logit of every crop after the last pass, double precision."""
        return self._variance

    def regressors(self, crops: Index) -> Array:
        """Regressors (n, d + 1) of some crops, as the head sees them."""
        return design(self.embeddings[crops], self.norm.mean, self.norm.scale)

    def features(self, crops: Index) -> NDArray[np.float32]:
        """Unit rows (n, q) for distances between crops: leading principal components of the embedding."""
        return self.space.of(self.embeddings[crops])

    def logits(self, weights: Array, crops: Index) -> Array:
        """Logits (n, K) of some crops from head weights (d + 1, K), before temperature and variance."""
        return self.regressors(crops) @ weights

    def _pass(self, step: Step) -> None:
        """Call `step` with every chunk once; chunks are the same for any number of threads."""

        def share(bounds: tuple[int, int]) -> None:
            for rows, chunk in chunks(self.embeddings, CHUNK, *bounds):
                step(rows, chunk)

        if self._threads == 1:
            share((0, len(self)))
            return
        block = -(-len(self) // (self._threads * CHUNK)) * CHUNK
        starts = range(0, len(self), block)
        with ThreadPoolExecutor(self._threads) as workers:
            list(workers.map(share, [(start, min(start + block, len(self))) for start in starts]))

    def _fold(self, weights: Array) -> tuple[Array, Array]:
        """Weights (d, k) and offsets (k,) that act on raw embeddings, so that no chunk has to be standardised."""
        folded = weights[:-1] / self._divisor[:, None]
        return folded, weights[-1] - self.norm.mean @ folded

    def _prior(self, rows: slice, chunk: NDArray[np.floating]) -> None:
        """The variance before any answer."""
        phi = design(chunk, self.norm.mean, self.norm.scale)
        self._variance[rows] = (phi * phi) @ (1 / penalties(len(self._divisor), self.settings))

    def _anew(self, rows: slice, chunk: NDArray[np.floating]) -> None:
        """The variance from the covariance."""
        phi = design(chunk, self.norm.mean, self.norm.scale)
        self._variance[rows] = np.vecdot(phi @ self._covariance, phi)

    def _changed(self, crops: Index, sign: int) -> _Change:
        """Exact change of the covariance when crops are answered (sign 1) or withdrawn (sign -1).

        The Woodbury identity for a few rows at once (10.1137/1031049).
        """
        phi = self.regressors(crops)
        spread = self._covariance @ phi.T
        inner = np.eye(len(crops)) + sign * (phi @ spread)
        gain = solve_triangular(cholesky(inner), spread.T, trans="T").T
        self._covariance -= sign * (gain @ gain.T)
        return _Change(*self._fold(gain), sign)

    def _changes(self, answered: Index) -> list[_Change]:
        """What turns the variance into that of these answered crops; recomputes it at once after large changes."""
        added = np.setdiff1d(answered, self._answered, assume_unique=True)
        withdrawn = np.setdiff1d(self._answered, answered, assume_unique=True)
        self._answered = answered
        if len(added) + len(withdrawn) > LARGEST_UPDATE:
            self._covariance = posterior_covariance(self.regressors(answered), self.settings)
            self._pass(self._anew)
            return []
        # Adding first keeps the withdrawal well conditioned.
        return [self._changed(crops, sign) for crops, sign in ((added, 1), (withdrawn, -1)) if len(crops)]

    def rescore(self, answered: Index, readout: Readout) -> Predictions:
        """Everything about every crop in one pass, given the sorted crops answered with a class.

        The variance is kept in double precision from call to call and changed by what was added or withdrawn;
        rounding to single precision hides the order in which that happened. Should a pass fail, the next starts from
        nothing.
        """
        try:
            return self._rescored(self._changes(answered), readout)
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        """Back to the state before any answer."""
        self._answered = np.empty(0, dtype=np.int64)
        self._covariance = posterior_covariance(np.empty((0, len(self._divisor) + 1)), self.settings)
        self._pass(self._prior)

    def _rescored(self, changes: Sequence[_Change], readout: Readout) -> Predictions:
        """One pass that applies the changes and predicts."""
        classes = readout.weights.shape[1]
        heads = [readout.weights / readout.temperature]
        heads += [] if readout.not_sure is None else [readout.not_sure[:, None]]
        folded, offset = (part.astype(np.float32) for part in self._fold(np.hstack(heads)))
        spread = np.empty(len(self), dtype=np.float32)
        unsure = None if readout.not_sure is None else np.empty(len(self), dtype=np.float32)
        p = _room(classes, len(self))

        def step(rows: slice, chunk: NDArray[np.floating]) -> None:
            for change in changes:
                along = chunk.astype(np.float64) @ change.folded + change.offset
                self._variance[rows] -= change.sign * np.vecdot(along, along)
            spread[rows] = np.maximum(self._variance[rows], 0)
            reach = np.asarray(chunk, dtype=np.float32) @ folded + offset
            if unsure is not None:
                unsure[rows] = expit(reach[:, classes])
            block = np.ascontiguousarray(reach[:, :classes].T)
            block *= 1 / np.sqrt(1 + np.float32(PROBIT) * spread[rows])
            block -= block.max(axis=0)
            np.exp(block, out=block)
            block /= block.sum(axis=0)
            p[:, rows] = block

        self._pass(step)
        return Predictions(p.T, spread, unsure)


def _room(classes: int, crops: int) -> NDArray[np.float32]:
    """Space (classes, crops) for probabilities: in memory, or in a nameless file when that would be too much."""
    if classes * crops <= IN_MEMORY:
        return np.empty((classes, crops), dtype=np.float32)
    return np.memmap(TemporaryFile(), dtype=np.float32, mode="w+", shape=(classes, crops))
