"""Reads become rows of the pool: each row once, copies with their original, doubts as the study says."""

from dataclasses import replace

import numpy as np
import pytest

from training.learning.shards import ShardedRows
from training.services.labels import Standing
from training.worker.learned_from import Learned, Rules, learned_from, softened
from training.worker.pool import RankingPool

CROPS = 8


@pytest.fixture
def pool() -> RankingPool:
    """Crops 10 to 17; crop 30 is a copy of crop 12."""
    return RankingPool(
        crop_ids=np.arange(10, 10 + CROPS),
        features=ShardedRows([np.zeros((CROPS, 2), np.float32)]),
        experiment_index=np.zeros(CROPS, np.int64),
        copies=np.array([30]),
        shown_as=np.array([12]),
        order=np.arange(CROPS),
        encoder="",
        digest="",
    )


def standing(*rows: tuple[int, tuple[int, int], int, int]) -> Standing:
    """From (crop, votes, not sure, bad) of each crop."""
    rows = tuple(sorted(rows))
    votes = np.array([row[1] for row in rows], dtype=np.float64).reshape(-1, 2)
    unsure, bad = (np.array([row[at] for row in rows], dtype=np.int64) for at in (2, 3))
    return Standing(
        crop_ids=np.array([row[0] for row in rows], dtype=np.int64),
        votes=votes,
        reads=votes.sum(axis=1).astype(np.int64) + unsure + bad,
        not_sure=unsure,
        bad=bad,
        in_stream=np.array([row[0] == 17 for row in rows], dtype=bool),
        ambiguous=unsure > 1,
        further_read=np.zeros(len(rows), np.int8),
    )


def learned(pool: RankingPool, *rows: tuple[int, tuple[int, int], int, int], stream: bool = True) -> Learned:
    return learned_from(pool, standing(*rows), (), Rules(stream=stream, not_sure=True))


def test_votes_for_a_copy_are_votes_for_its_original(pool: RankingPool) -> None:
    found = learned(pool, (12, (1, 0), 0, 0), (30, (0, 1), 0, 0))
    assert (found.rows.tolist(), found.votes.tolist()) == ([2], [[1, 1]])
    assert found.answers.targets.tolist() == [[0.5, 0.5]]


def test_what_was_read_is_closed_and_counts_as_covered_where_it_teaches_nothing(pool: RankingPool) -> None:
    found = learned_from(
        pool, standing((10, (1, 0), 0, 0), (11, (0, 0), 1, 0), (13, (0, 0), 0, 1), (99, (1, 0), 0, 0)), (16, 98),
        Rules(stream=True, not_sure=False),
    )  # fmt: skip
    assert found.rows.tolist() == [0] and found.covered.tolist() == [1, 3, 6]
    assert np.flatnonzero(~found.open_mask).tolist() == [0, 1, 3]


def test_the_stream_teaches_only_where_the_study_says_so(pool: RankingPool) -> None:
    rows = ((10, (1, 0), 0, 0), (17, (1, 0), 0, 0))
    assert learned(pool, *rows).rows.tolist() == [0, 7]
    without = learned(pool, *rows, stream=False)
    assert without.rows.tolist() == [0] and without.covered.tolist() == [7]


def test_the_rate_of_not_sure_counts_reads_about_the_class_and_no_bad_crops(pool: RankingPool) -> None:
    reads = learned(pool, (10, (1, 0), 1, 0), (11, (0, 0), 0, 2), (12, (0, 0), 1, 0), (30, (2, 0), 0, 1)).reads
    assert reads.crop_index.tolist() == [0, 2]
    assert reads.share.tolist() == [1 / 2, 1 / 3] and reads.weight.tolist() == [2, 3]


def test_a_doubt_is_half_a_vote_for_each_of_the_two_likeliest_classes(pool: RankingPool) -> None:
    found = learned(pool, (10, (1, 0), 1, 0), (11, (1, 0), 2, 0), (13, (0, 0), 1, 1))
    assert found.hesitant.tolist() == [0, 1] and found.doubts.tolist() == [1, 2]
    soft = softened(found, np.array([[0.3, 0.7], [0.6, 0.4]], np.float32))
    # The vote for a class that a frozen crop holds teaches nothing.
    assert (soft.rows.tolist(), soft.votes.tolist()) == ([0, 1], [[1.5, 0.5], [1, 1]])
    assert soft.covered.tolist() == [3]


def test_of_three_classes_the_least_likely_gets_nothing(pool: RankingPool) -> None:
    found = learned(pool, (10, (0, 0), 1, 0))
    soft = softened(replace(found, votes=np.empty((0, 3))), np.array([[0.5, 0.1, 0.4]], np.float32))
    assert soft.votes.tolist() == [[0.5, 0, 0.5]]
