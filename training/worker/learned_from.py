"""What a ranking learns from: the answers of a study as rows of its pool, each row once."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.learning.not_sure import NotSureReads
from training.learning.ranking import Answers, PoolRanker, Ranking
from training.services.labels import Standing
from training.worker.pool import Ids, RankingPool

Votes = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Learned:
    """What the reads of a study say about its pool.

    `rows` (n,), rising, are crops with `votes` (n, classes) for a class, and `reads` are for the rate of "not sure".
    `hesitant` (m,) are crops that somebody could not tell, `doubts` (m,) how many could not. `open_mask` (pool,)
    marks crops that nobody has read; `covered` are those that were read without a class, or that are held.
    """

    rows: Ids
    votes: Votes
    reads: NotSureReads
    hesitant: Ids
    doubts: Votes
    open_mask: NDArray[np.bool_]
    covered: Ids

    @property
    def answers(self) -> Answers:
        """Shares of votes; every crop weighs the same."""
        return Answers(self.rows, self.votes / self.votes.sum(axis=1, keepdims=True), np.ones(len(self.rows)))


@dataclass(frozen=True, slots=True)
class Rules:
    """Whether answers of the random stream teach, and whether "not sure" does, as half a vote for each of two
    classes."""

    stream: bool
    not_sure: bool


def learned_from(pool: RankingPool, standing: Standing, held: tuple[int, ...], rules: Rules) -> Learned:
    """The standing answers as a ranking wants them; crops that are held count as covered."""
    places = pool.rows_of(standing.crop_ids)
    inside = places >= 0
    teaches = standing.labelled() & inside
    unsure = (standing.not_sure > 0) & (standing.bad == 0) & inside
    if not rules.stream:
        teaches, unsure = teaches & ~standing.in_stream, unsure & ~standing.in_stream
    rows, votes = summed(places[teaches], standing.votes[teaches])
    hesitant, doubts = summed(places[unsure], standing.not_sure[unsure, None].astype(np.float64))
    spoken_for = pool.rows_of(held)
    others = np.setdiff1d(places[inside], rows)
    open_mask = np.ones(len(pool.crop_ids), dtype=bool)
    open_mask[places[inside]] = False
    covered = np.union1d(others, spoken_for[spoken_for >= 0])
    reads = _reads(places, inside, standing)
    return Learned(rows, votes, reads, hesitant, doubts[:, 0], open_mask, covered)


def summed(places: Ids, values: Votes) -> tuple[Ids, Votes]:
    """Rows of the pool, rising, and the sums of their values (n, k): reads of copies are reads of one crop."""
    rows, inverse = np.unique(places, return_inverse=True)
    total = np.zeros((len(rows), values.shape[1]))
    np.add.at(total, inverse, values)
    return rows, total


def _reads(places: Ids, inside: NDArray[np.bool_], standing: Standing) -> NotSureReads:
    """Reads that are about the class: those of bad crops say nothing about it."""
    told = standing.reads - standing.bad
    kept = inside & (told > 0)
    rows, sums = summed(places[kept], np.column_stack([standing.not_sure, told])[kept].astype(np.float64))
    return NotSureReads(rows, sums[:, 0] / sums[:, 1], sums[:, 1])


def ranking_of(ranker: PoolRanker, learned: Learned, rules: Rules) -> Ranking:
    """The ranking. Where "not sure" teaches, the classes between which a crop hesitates come from a first ranking."""
    ranking = ranker.rank(learned.answers, learned.open_mask, learned.covered, learned.reads)
    if not rules.not_sure or not len(learned.hesitant) or ranking.probabilities is None:
        return ranking
    soft = softened(learned, ranking.probabilities[learned.hesitant])
    return ranker.rank(soft.answers, soft.open_mask, soft.covered, soft.reads)


def softened(learned: Learned, probabilities: NDArray[np.float32]) -> Learned:
    """The same with each "not sure" as half a vote for each of the two likeliest classes (m, classes) of its crop."""
    soft = np.zeros(probabilities.shape)
    first_two = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    np.put_along_axis(soft, first_two, learned.doubts[:, None] / 2, axis=1)
    rows, votes = summed(np.concatenate([learned.rows, learned.hesitant]), np.concatenate([learned.votes, soft]))
    return replace(learned, rows=rows, votes=votes, covered=np.setdiff1d(learned.covered, rows))
