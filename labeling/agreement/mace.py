"""Who answers from the item and who guesses: the model MACE (Hovy et al. 2013, "Learning whom to trust with MACE").

Each read either knows the class of its item, with a chance that is the annotator's competence, or is drawn from the
annotator's own habit of labels whatever the item is. It has fewer numbers to learn than Dawid and Skene's model, so
it stands with few reads per annotator, and it names those who guess.
"""

from dataclasses import dataclass

import numpy as np

from labeling.agreement.counts import Floats
from labeling.agreement.table import MISSING, ReadTable, without_label

TOLERANCE = 1e-9
MOST_ROUNDS = 1_000
RESTARTS = 10
# A tenth of a read for each label of each habit keeps an annotator with few reads from being called certain.
SMOOTHING = 0.1
FEWEST_READERS = 2
TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Mace:
    """A fit: `competence[a]` in [0, 1] is the share of annotator a's reads that come from the item, `habit[a, l]` the
    chance of label l where they guess; `posterior[i, k]` the probability of class k, NaN for items without reads;
    `reason` says why there is none. `log_likelihood` is that of the reads, without what smoothing adds.
    """

    competence: Floats
    habit: Floats
    posterior: Floats
    log_likelihood: float | None
    rounds: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Reads:
    """Every read, repeated ones too: its item, annotator and label."""

    items: np.ndarray[tuple[int], np.dtype[np.int64]]
    annotators: np.ndarray[tuple[int], np.dtype[np.int64]]
    labels: np.ndarray[tuple[int], np.dtype[np.int64]]
    n_items: int
    n_annotators: int
    n_labels: int


def mace(table: ReadTable, restarts: int = RESTARTS, seed: int = 0, smoothing: float = SMOOTHING) -> Mace:
    """The likeliest of `restarts` fits, the first from even chances. "Not sure" is no class and is left out."""
    sure = without_label(table, table.not_sure)
    reads = _reads(sure)
    reason = _why_not(sure, reads)
    if reason:
        nothing = np.zeros((0, 0))
        return Mace(np.zeros(0), nothing, nothing, None, reason=reason)
    rng = np.random.default_rng(seed)
    fits = [
        _fit(reads, rng.uniform(0.3, 0.7, reads.n_annotators) if turn else None, smoothing)
        for turn in range(restarts)
    ]
    return max(fits, key=lambda fit: fit.log_likelihood or -np.inf)


def _why_not(table: ReadTable, reads: _Reads) -> str:
    annotators = len(np.unique(reads.annotators))
    if annotators < FEWEST_READERS:
        return f"a consensus needs {FEWEST_READERS} annotators; {annotators} gave reads"
    if not ((table.codes >= 0).sum(axis=1) >= 2).any():
        return "no item has reads from two annotators"
    return "" if reads.n_labels > 1 else "only one label was used"


def _reads(table: ReadTable) -> _Reads:
    items, annotators = np.nonzero(table.codes != MISSING)
    again = table.again
    return _Reads(
        np.concatenate([items, again.items]),
        np.concatenate([annotators, again.annotators]),
        np.concatenate([table.codes[items, annotators], again.codes]),
        len(table.items),
        len(table.annotators),
        len(table.labels),
    )


def _fit(reads: _Reads, competence: Floats | None, smoothing: float) -> Mace:
    """Expectation maximisation until the log-likelihood stands still."""
    competence = np.full(reads.n_annotators, 0.5) if competence is None else competence
    habit = np.full((reads.n_annotators, reads.n_labels), 1.0 / reads.n_labels)
    likelihood, before, rounds = -np.inf, np.nan, 0
    posterior = np.zeros((0, 0))
    while rounds < MOST_ROUNDS and not abs(likelihood - before) <= TOLERANCE * max(1.0, abs(likelihood)):
        before = likelihood
        posterior, knew, likelihood = _expected(reads, competence, habit)
        competence, habit = _maximised(reads, knew, smoothing)
        rounds += 1
    read = np.bincount(reads.items, minlength=reads.n_items) > 0
    return Mace(competence, habit, np.where(read[:, None], posterior, np.nan), likelihood, rounds)


def _expected(reads: _Reads, competence: Floats, habit: Floats) -> tuple[Floats, Floats, float]:
    """Posterior of each item, the chance that each read knew its item, and the log-likelihood."""
    own, guessed = competence[reads.annotators], habit[reads.annotators, reads.labels]
    by_guess = (1.0 - own) * guessed
    # A read speaks for its own label by knowing or guessing, for every other label by guessing alone.
    missed, hit = np.log(np.maximum(by_guess, TINY)), np.log(np.maximum(own + by_guess, TINY))
    base = np.bincount(reads.items, missed, minlength=reads.n_items)
    cells = reads.items * reads.n_labels + reads.labels
    gained = np.bincount(cells, hit - missed, minlength=reads.n_items * reads.n_labels)
    joint = base[:, None] + gained.reshape(reads.n_items, reads.n_labels)
    highest = joint.max(axis=1, keepdims=True)
    shares = np.exp(joint - highest)
    total = shares.sum(axis=1, keepdims=True)
    posterior = shares / total
    read = np.bincount(reads.items, minlength=reads.n_items) > 0
    likelihood = float((highest + np.log(total / reads.n_labels))[read].sum())
    knew = posterior[reads.items, reads.labels] * own / np.maximum(own + by_guess, TINY)
    return posterior, knew, likelihood


def _maximised(reads: _Reads, knew: Floats, smoothing: float) -> tuple[Floats, Floats]:
    """Competence and habit that fit best what the reads are thought to have known."""
    known = np.bincount(reads.annotators, knew, minlength=reads.n_annotators)
    given = np.bincount(reads.annotators, minlength=reads.n_annotators)
    cells = reads.annotators * reads.n_labels + reads.labels
    guesses = np.bincount(cells, 1.0 - knew, minlength=reads.n_annotators * reads.n_labels)
    counts = guesses.reshape(reads.n_annotators, reads.n_labels) + smoothing
    habit: Floats = np.asarray(counts / np.maximum(counts.sum(axis=1, keepdims=True), TINY))
    competence: Floats = np.asarray((known + smoothing) / np.maximum(given + 2 * smoothing, TINY))
    return competence, habit
