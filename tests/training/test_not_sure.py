"""The head that predicts how often people will not be sure: a rate, never a part of a score."""

import numpy as np
import pytest

from training.learning.not_sure import FEWEST, NotSureReads, fit_not_sure
from training.learning.ranking import Answers, PoolRanker, RankingSettings

N, D = 3000, 12
rng = np.random.default_rng(0)
POOL = rng.normal(size=(N, D)).astype(np.float32)
RATE = 1 / (1 + np.exp(1.0 - 1.5 * POOL[:, 0]))
SETTINGS = RankingSettings(reference_size=300, candidates=100)
OPEN = np.ones(N, dtype=bool)


def answers(count: int = 60) -> Answers:
    crops = np.arange(count)
    return Answers(crops, np.eye(2)[(POOL[:count, 1] > 0).astype(int)], np.ones(count))


def reads(count: int, seed: int = 1) -> NotSureReads:
    crops = np.arange(N - count, N)
    said = np.random.default_rng(seed).random(count) < RATE[crops]
    return NotSureReads(crops, said.astype(float), np.ones(count))


def test_a_planted_rate_is_recovered_within_sampling_error():
    ranking = PoolRanker(POOL, np.zeros(N, int), SETTINGS).rank(answers(), OPEN, not_sure=reads(1000))
    truth = RATE[ranking.order[:100]].mean()
    assert ranking.expected_not_sure == pytest.approx(truth, abs=3 * np.sqrt(0.25 / 100))
    assert np.corrcoef(ranking.not_sure, RATE)[0, 1] > 0.9
    for low, high in ((0, 0.2), (0.2, 0.4), (0.4, 0.7)):
        said = (ranking.not_sure >= low) & (ranking.not_sure < high)
        assert ranking.not_sure[said].mean() == pytest.approx(RATE[said].mean(), abs=0.07)


def test_the_mean_prediction_on_the_crops_read_is_their_share():
    given = reads(400)
    ranking = PoolRanker(POOL, np.zeros(N, int), SETTINGS).rank(answers(), OPEN, not_sure=given)
    assert ranking.not_sure[given.crop_index].mean() == pytest.approx(given.share.mean(), abs=1e-4)


def test_no_score_and_no_order_depends_on_it():
    without, with_reads = (
        PoolRanker(POOL, np.zeros(N, int), SETTINGS).rank(answers(), OPEN, not_sure=given)
        for given in (None, reads(500))
    )
    np.testing.assert_array_equal(without.scores, with_reads.scores)
    np.testing.assert_array_equal(without.order, with_reads.order)
    assert without.digest != with_reads.digest


@pytest.mark.parametrize(("unsure", "sure", "known"), [(4, 100, False), (100, 4, False), (5, 5, True), (0, 0, False)])
def test_below_five_crops_of_either_kind_nothing_is_said(unsure, sure, known):
    share = np.repeat([1.0, 0.0], (unsure, sure))
    phi = np.column_stack([rng.normal(size=(len(share), 3)), np.ones(len(share))])
    found = fit_not_sure(phi, NotSureReads(np.arange(len(share)), share, np.ones(len(share))))
    assert (found is not None) == known
    assert FEWEST == 5


def test_the_order_of_reads_does_not_matter():
    given = reads(300)
    order = np.random.default_rng(2).permutation(300)
    shuffled = NotSureReads(given.crop_index[order], given.share[order], given.weight[order])
    ranker = PoolRanker(POOL, np.zeros(N, int), SETTINGS)
    first, second = (ranker.rank(answers(), OPEN, not_sure=g) for g in (given, shuffled))
    np.testing.assert_array_equal(first.not_sure, second.not_sure)
    assert first.digest == second.digest


def test_a_study_where_everybody_is_unsure_is_ranked():
    crops = np.arange(40)
    nothing = Answers(np.empty(0, int), np.empty((0, 3)), np.empty(0))
    given = NotSureReads(crops, np.ones(40), np.ones(40))
    ranking = PoolRanker(POOL, np.zeros(N, int), SETTINGS).rank(nothing, OPEN, crops, given)
    assert ranking.not_sure is None
    assert not set(ranking.order) & set(crops)
    assert np.isfinite(ranking.scores).all()


@pytest.mark.parametrize(
    ("crops", "share", "weight"),
    [([1, 1], [0, 1], [1, 1]), ([1, 2], [0, 1.5], [1, 1]), ([1, 2], [0, np.nan], [1, 1]), ([1], [0, 1], [1, 1])],
)
def test_impossible_reads_are_refused(crops, share, weight):
    with pytest.raises(ValueError, match=r"reads need|shares of not-sure"):
        NotSureReads(np.array(crops), np.array(share), np.array(weight, float)).ordered()
