"""The model of Hovy, Berg-Kirkpatrick, Vaswani and Hovy (2013, MACE, aclanthology.org/N13-1132), fitted by EM.

An annotator looks at the item and names its class, with a chance that is their competence, or else says what they
say whatever the item shows, each label with its own chance. That is Dawid and Skene's model with one number for the
annotator's skill in place of a whole table, so that it needs fewer reads. Two departures: how common each class is
is estimated with the rest, and the limits come from leaving out parts of the items in turn.
"""

from dataclasses import dataclass, replace

import numpy as np

from labeling.agreement.counts import Floats
from labeling.agreement.dawid_skene import Votes, expected, pooled, told_counts
from labeling.agreement.intervals import LEVEL, Estimate
from labeling.agreement.table import ReadTable

TOLERANCE, MOST_ROUNDS = 1e-6, 500
# Added to the expected counts, so that nobody is taken for infallible and no label for impossible.
SMOOTHING = 0.1
PARTS = 20


@dataclass(frozen=True, slots=True)
class Competences:
    """`competence[a]` in (0, 1): chance that annotator a looks; `habit[a, l]`: chance that a says label l where not.

    `prevalence[k]` of each class; `posterior[i, k]`: probability of class k for item i, NaN for items without reads.
    """

    competence: Floats
    habit: Floats
    prevalence: Floats
    posterior: Floats
    log_likelihood: float
    rounds: int


def competences(table: ReadTable) -> Competences:
    """The fit from vote shares, over all reads of the table; it needs two labels and a read."""
    votes = pooled(table)
    found = _fit(votes, votes.shares)
    full = np.full((len(votes.pattern), len(found.prevalence)), np.nan)
    full[votes.pattern >= 0] = found.posterior[votes.pattern[votes.pattern >= 0]]
    return replace(found, posterior=full)


def competence_intervals(table: ReadTable) -> list[Estimate]:
    """The competence of each annotator with its interval; n is items.

    A jackknife over twenty parts of the items with Student's t, on the scale of log odds.
    """
    from scipy.special import expit, logit, stdtrit  # here, as web processes start without SciPy

    votes, n = pooled(table), (table.codes >= 0).sum(axis=0)
    whole = _fit(votes, votes.shares)
    read = np.flatnonzero(votes.pattern >= 0)
    parts = np.random.default_rng(0).permutation(len(read)) % PARTS
    without = []
    for part in range(PARTS):
        gone = np.bincount(votes.pattern[read[parts == part]], minlength=len(votes.frequencies))
        # The fit of the whole is close: its posterior is a good start.
        without.append(_fit(replace(votes, frequencies=votes.frequencies - gone), whole.posterior).competence)
    odds, spread = logit(whole.competence), logit(np.stack(without))
    error = np.sqrt((PARTS - 1) / PARTS * ((spread - spread.mean(axis=0)) ** 2).sum(axis=0))
    reach = float(stdtrit(PARTS - 1, (1 + LEVEL) / 2)) * error
    limits = zip(whole.competence, expit(odds - reach), expit(odds + reach), n)
    return [Estimate(float(value), float(low), float(high), int(items)) for value, low, high, items in limits]


def _fit(votes: Votes, posterior: Floats) -> Competences:
    transposed = votes.votes.T.tocsr()
    looks = np.full(votes.n_annotators, 0.5)
    habit = np.full((votes.n_annotators, votes.n_labels), 1.0 / votes.n_labels)
    likelihood, before, rounds = -np.inf, np.nan, 0
    while rounds < MOST_ROUNDS and not abs(likelihood - before) <= TOLERANCE * max(1.0, abs(likelihood) / 1000):
        prevalence, counts = told_counts(votes, transposed, posterior)
        looks, habit = _maximised(counts, looks, habit)
        before = likelihood
        posterior, likelihood = expected(votes, prevalence, _chances(looks, habit))
        rounds += 1
    return Competences(looks, habit, prevalence, posterior, likelihood, rounds)


def _maximised(counts: Floats, looks: Floats, habit: Floats) -> tuple[Floats, Floats]:
    """Competence and habit that fit expected counts (annotators, classes, labels), given those before."""
    right = np.diagonal(counts, axis1=1, axis2=2)
    by_looking = right * looks[:, None] / (looks[:, None] + (1 - looks[:, None]) * habit)
    by_habit = counts.sum(axis=1) - by_looking
    looked, not_looked = by_looking.sum(axis=1) + SMOOTHING, by_habit.sum(axis=1) + SMOOTHING
    said = by_habit + SMOOTHING
    return looked / (looked + not_looked), said / said.sum(axis=1, keepdims=True)


def _chances(looks: Floats, habit: Floats) -> Floats:
    """Chance (annotators, classes, labels) that an annotator says a label of an item of a class."""
    size = habit.shape[1]
    blind = np.broadcast_to(habit[:, None, :], (len(looks), size, size))
    return np.asarray(looks[:, None, None] * np.eye(size) + (1 - looks[:, None, None]) * blind)
