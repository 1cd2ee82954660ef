"""Refits the head to a pool's answers after each one: from nothing where that is quick, else from the last fit."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from training.learning.logistic import Array, Basis, HeadSettings, basis_of, columns_of, fit_weights
from training.learning.rows import Index

# Answers times classes up to which a fit from nothing takes a few milliseconds, and gives the same bytes always.
FROM_NOTHING = 4000
# A basis of other answers saves a fit of many rows most of its time; with many classes the products dominate.
ROWS_PER_COLUMN = 40
# Answers, as a share of those a basis was made for, by which their number may change before it is made anew.
STALE = 0.1


class Refit:
    """The head's weights as a function of the set of answers; remembers regressors and the last fit of the pool.

    The optimum is unique, so where a fit starts changes the weights within their tolerance only.
    """

    def __init__(self, regressors: Callable[[Index], Array], settings: HeadSettings) -> None:
        self._regressors = regressors
        self._settings = settings
        self._crops: Index = np.empty(0, dtype=np.int64)
        self._phi: Array = regressors(self._crops)
        self._last: Array | None = None
        self._basis: tuple[Basis, int, int] | None = None

    def _hold(self, crops: Index) -> Array:
        """Regressors (n, d + 1) of these crops, in the order of self._crops; only new ones are read from the pool."""
        kept = np.isin(self._crops, crops, assume_unique=True)
        if not kept.all():
            self._phi = self._phi[: len(kept)][kept]
            self._crops = self._crops[kept]
        new, count = np.setdiff1d(crops, self._crops, assume_unique=True), len(self._crops)
        if count + len(new) > len(self._phi):
            room = np.empty((count + len(new) + count // 8, self._phi.shape[1]))
            room[:count] = self._phi[:count]
            self._phi = room
        self._phi[count : count + len(new)] = self._regressors(new)
        self._crops = np.append(self._crops, new)
        return self._phi[: len(self._crops)]

    def fit(self, crops: Index, targets: Array, weight: Array, ridge: float) -> Array:
        """Weights (d + 1, K) of the head for targets (n, K) and weights (n,) of sorted crops (n,)."""
        phi = self._hold(crops)
        settings = replace(self._settings, ridge=ridge)
        if targets.size <= FROM_NOTHING:
            return fit_weights(phi[np.argsort(self._crops)], targets, weight, settings)
        place = np.searchsorted(crops, self._crops)
        targets, weight = targets[place], weight[place]
        start = None if self._last is None or self._last.shape[1] != targets.shape[1] else self._last
        found = fit_weights(phi, targets, weight, settings, start, self._shared_basis(phi, targets, weight, settings))
        self._last = found
        return found

    def _shared_basis(self, phi: Array, targets: Array, weight: Array, settings: HeadSettings) -> Basis | None:
        """A basis made for about as many answers; None where the fit's own is as quick."""
        columns = len(columns_of(targets, weight).multiplicity)
        if len(phi) < max(ROWS_PER_COLUMN * columns, phi.shape[1]):
            return None
        if self._basis is None or self._basis[1] != columns or abs(len(phi) / self._basis[2] - 1) > STALE:
            self._basis = basis_of(phi, weight, settings, columns), columns, len(phi)
        return self._basis[0]
