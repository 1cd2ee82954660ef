"""Dawid and Skene's model (1979, doi 10.2307/2346806): the true class of each item is hidden, and every annotator has
their own chances of saying each label given that class.

Answers are taken to be independent given the class, which is wrong where items are hard for everybody. The likelihood
has several maxima: the fit starts from vote shares, which is recorded, and restarts tell where a more likely one is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.counts import Floats
from labeling.agreement.table import MISSING, Codes, ReadTable

TOLERANCE = 1e-10
MOST_ROUNDS = 5_000
RESTARTS = 20
# Restarts stop early; only the likeliest of them is run to TOLERANCE.
ROUGH = 1e-6
MARGIN = 1e-4
# The logarithm of a chance of zero: far below any other, and finite, so that nothing times it is nothing.
LOG_ZERO = -1e6
NEEDED_READERS, FEWEST_SHARED = 3, 30


@dataclass(frozen=True, slots=True)
class Fit:
    """A maximum of the likelihood. `confusion[a, k, l]`: chance that annotator a says label l where the class is k,
    NaN where nothing tells; `posterior[i, k]`: probability of class k for item i, NaN for items without reads."""

    log_likelihood: float
    prevalence: Floats
    confusion: Floats
    posterior: Floats
    rounds: int
    converged: bool


@dataclass(frozen=True, slots=True)
class Consensus:
    """The fit from vote shares and what restarts found beyond it; `reason` says why there is none, or what limits it.

    `would_change`: (item, label now, label under the more likely maximum). Nothing is replaced: which of the two
    describes the readers is for people to say.
    """

    fit: Fit | None
    best_log_likelihood: float | None = None
    would_change: tuple[tuple[str, str, str], ...] = ()
    reason: str = ""
    start: str = "vote shares"


@dataclass(frozen=True, slots=True)
class Votes:
    """Items pooled by what was said of them: `votes` (patterns, annotators x labels), sparse; how often each pattern
    was seen, and the pattern of each item (-1 for items without reads)."""

    votes: Any
    frequencies: Floats
    pattern: NDArray[np.intp]
    n_annotators: int
    n_labels: int

    @property
    def shares(self) -> Floats:
        """Share of the votes per pattern and label."""
        counts = np.asarray(self.votes @ np.tile(np.eye(self.n_labels), (self.n_annotators, 1)))
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def consensus(table: ReadTable, restarts: int = RESTARTS, seed: int = 0, smoothing: float = 0.0) -> Consensus:
    """Dawid-Skene for a table of reads, all reads counted, also repeated ones.

    `smoothing` is added to every cell of the annotators' confusion counts; it changes answers, so it is 0 by default.
    """
    reason = _why_not(table)
    if reason:
        return Consensus(None, reason=reason)
    votes = pooled(table)
    fit = _fit(votes, votes.shares, TOLERANCE, smoothing)
    best = _best_of_restarts(votes, len(table.labels), restarts, seed, smoothing)
    if best is None or best.log_likelihood <= fit.log_likelihood + MARGIN:
        return Consensus(fit, fit.log_likelihood, reason=_caution(table))
    return Consensus(fit, best.log_likelihood, _changes(table, fit, best), _caution(table))


def latent_classes(table: ReadTable, n_classes: int, restarts: int = RESTARTS, seed: int = 0) -> Fit:
    """The likeliest of some random starts with any number of hidden classes, which need not be the labels."""
    votes = pooled(table)
    best = _best_of_restarts(votes, n_classes, restarts, seed, 0.0)
    if best is None:
        raise ValueError("latent classes need at least one start and one read")
    return best


def _why_not(table: ReadTable) -> str:
    readers = int((table.codes >= 0).any(axis=0).sum()) if table.codes.size else 0
    if readers < NEEDED_READERS:
        return f"not identifiable: {readers} annotators, {NEEDED_READERS} are needed"
    if not ((table.codes >= 0).sum(axis=1) >= 2).any():
        return "no crop was read by two"
    return "" if len(table.labels) > 1 else "only one label was used"


def _caution(table: ReadTable) -> str:
    """Who shares so few items with others that their row of the confusion is hardly known."""
    read = table.codes >= 0
    shared = read[read.sum(axis=1) >= 2].sum(axis=0)
    few = [f"{name} ({n})" for name, n in zip(table.annotators, shared) if n < FEWEST_SHARED]
    return f"fewer than {FEWEST_SHARED} items shared with others: {', '.join(few)}" if few else ""


def pooled(table: ReadTable) -> Votes:
    """Items of which the same annotators said the same, counted once; those read again stay on their own."""
    from scipy.sparse import csr_array  # here, as web processes start without SciPy

    n_items, n_annotators = table.codes.shape
    n_labels = max(len(table.labels), 1)
    own = np.zeros((n_items, 1), dtype=np.int64)
    own[table.again.items, 0] = table.again.items + 1
    read = (table.codes >= 0).any(axis=1) | (own[:, 0] > 0)
    rows = np.flatnonzero(read)
    keys = np.concatenate([table.codes[rows], own[rows]], axis=1).astype(np.int32)
    _, first, back, frequencies = np.unique(keys, axis=0, return_index=True, return_inverse=True, return_counts=True)
    pattern = np.full(n_items, MISSING, dtype=np.intp)
    pattern[rows] = back.ravel()
    items, annotators = np.nonzero(table.codes[rows[first]] >= 0)
    columns = annotators * n_labels + table.codes[rows[first]][items, annotators]
    items = np.concatenate([items, pattern[table.again.items]])
    columns = np.concatenate([columns, table.again.annotators * n_labels + table.again.codes])
    shape = (len(first), n_annotators * n_labels)
    votes = csr_array((np.ones(len(items)), (items, columns)), shape=shape)
    return Votes(votes, frequencies.astype(float), pattern, n_annotators, n_labels)


def _fit(votes: Votes, posterior: Floats, tolerance: float, smoothing: float) -> Fit:
    """Expectation maximisation from a posterior per pattern, until the log-likelihood stands still."""
    transposed = votes.votes.T.tocsr()
    likelihood, before, rounds = -np.inf, np.nan, 0
    while rounds < MOST_ROUNDS and not abs(likelihood - before) <= tolerance * max(1.0, abs(likelihood) / 1000):
        prevalence, confusion = _maximised(votes, transposed, posterior, smoothing)
        before = likelihood
        posterior, likelihood = expected(votes, prevalence, confusion)
        rounds += 1
    full = np.full((len(votes.pattern), len(prevalence)), np.nan)
    full[votes.pattern >= 0] = posterior[votes.pattern[votes.pattern >= 0]]
    return Fit(likelihood, prevalence, confusion, full, rounds, rounds < MOST_ROUNDS)


def _maximised(votes: Votes, transposed: Any, posterior: Floats, smoothing: float) -> tuple[Floats, Floats]:
    """Prevalence and confusion that fit a posterior best."""
    prevalence, counts = told_counts(votes, transposed, posterior)
    counts = counts + smoothing
    total = counts.sum(axis=2, keepdims=True)
    return prevalence, np.divide(counts, total, out=np.full_like(counts, np.nan), where=total > 0)


def told_counts(votes: Votes, transposed: Any, posterior: Floats) -> tuple[Floats, Floats]:
    """Share of each class, and expected counts (annotators, classes, labels) of what was said of items of a class."""
    weighted = posterior * votes.frequencies[:, None]
    prevalence = weighted.sum(axis=0) / votes.frequencies.sum()
    counts = np.asarray(transposed @ weighted).reshape(votes.n_annotators, votes.n_labels, -1).swapaxes(1, 2)
    return prevalence, counts


def expected(votes: Votes, prevalence: Floats, confusion: Floats) -> tuple[Floats, float]:
    """Posterior of each pattern, and the log-likelihood of all reads, summed in the logarithm."""
    logs = _logarithm(np.nan_to_num(confusion)).swapaxes(1, 2).reshape(-1, len(prevalence))
    joint = np.asarray(votes.votes @ logs) + _logarithm(prevalence)
    highest = joint.max(axis=1, keepdims=True)
    shares = np.exp(joint - highest)
    total = shares.sum(axis=1, keepdims=True)
    likelihood = float(votes.frequencies @ (highest + np.log(total))[:, 0])
    return shares / total, likelihood


def _logarithm(chances: Floats) -> Floats:
    return np.log(chances, out=np.full_like(chances, LOG_ZERO), where=chances > 0)


def _best_of_restarts(votes: Votes, n_classes: int, restarts: int, seed: int, smoothing: float) -> Fit | None:
    rng = np.random.default_rng(seed)
    best: Fit | None = None
    start: Floats | None = None
    for _ in range(restarts if len(votes.frequencies) else 0):
        posterior = rng.dirichlet(np.ones(n_classes), len(votes.frequencies))
        if n_classes == votes.n_labels:
            # Half votes, half chance: on the data of 1979 this finds the best known maximum eight times as often.
            posterior = (posterior + votes.shares) / 2
        found = _fit(votes, posterior, ROUGH, smoothing)
        if best is None or found.log_likelihood > best.log_likelihood:
            best, start = found, posterior
    return None if start is None else _fit(votes, start, TOLERANCE, smoothing)


def _changes(table: ReadTable, fit: Fit, other: Fit) -> tuple[tuple[str, str, str], ...]:
    """Items whose likeliest label differs, the other fit's classes matched to labels first."""
    from scipy.optimize import linear_sum_assignment  # here, as web processes start without SciPy

    read = np.flatnonzero(np.isfinite(fit.posterior[:, 0]))
    _, matched = linear_sum_assignment(-(fit.posterior[read].T @ other.posterior[read]))
    now = fit.posterior[read].argmax(axis=1)
    then = other.posterior[read][:, matched].argmax(axis=1)
    return tuple((table.items[i], table.labels[a], table.labels[b]) for i, a, b in zip(read, now, then) if a != b)


def labels_of(fit: Fit) -> Codes:
    """Likeliest class of each item, -1 for items without reads."""
    read = np.isfinite(fit.posterior[:, 0])
    return np.where(read, np.nan_to_num(fit.posterior).argmax(axis=1), MISSING).astype(np.int64)
