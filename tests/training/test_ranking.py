"""The ranking is a function of the set of answers, honest about why each crop is asked."""

import numpy as np
import pytest

from training.learning import pool as pools
from training.learning.acquisition.strategies import STRATEGIES
from training.learning.head import Head, fit_head, probabilities, standardise, variance
from training.learning.ranking import Answers, PoolRanker, RankingSettings

N, D, K = 400, 80, 4
SMALL = {"reference_size": 200, "candidates": 80}
rng = np.random.default_rng(0)
CENTRES = rng.normal(size=(K, D))
LABELS = rng.choice(K, N, p=[0.6, 0.25, 0.1, 0.05])
POOL = (CENTRES[LABELS] * 0.5 + rng.normal(size=(N, D))).astype(np.float32)
EXPERIMENT = np.arange(N) % 3
OPEN = np.ones(N, dtype=bool)


def make(strategy: str = "uherding", **changes: object) -> PoolRanker:
    return PoolRanker(POOL, EXPERIMENT, RankingSettings(strategy, **{**SMALL, **changes}))


def answered(crops: list[int] | np.ndarray) -> Answers:
    index = np.array(crops, dtype=np.int64)
    return Answers(index, np.eye(K)[LABELS[index]].reshape(-1, K), np.ones(len(index)))


SOME = np.random.default_rng(1).permutation(N)[:60]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_any_path_to_the_same_answers_gives_the_same_ranking(strategy):
    fresh = make(strategy).rank(answered(np.sort(SOME)), OPEN, np.array([7]))
    walked = make(strategy)
    for n in (0, 1, 2, 30, 45, 20):
        walked.rank(answered(SOME[::-1][:n]), OPEN, SOME[:3])
    again = walked.rank(answered(SOME), OPEN, np.array([7]))
    np.testing.assert_array_equal(fresh.order, again.order)
    assert (fresh.digest, fresh.why) == (again.digest, again.why)
    np.testing.assert_allclose(fresh.scores, again.scores, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("n", [0, 1, 60])
def test_the_queue_holds_each_open_crop_once_and_nothing_else(strategy, n):
    mask = OPEN.copy()
    mask[::2] = False
    covered = np.array([1, 3, 5])
    ranking = make(strategy).rank(answered(SOME[:n]), mask, covered)
    expected = set(np.flatnonzero(mask)) - set(covered) - set(SOME[:n])
    assert sorted(ranking.order) == sorted(expected)
    assert (np.diff(ranking.queue_score) < 0).all()
    assert np.isfinite(ranking.scores).all()


def test_an_answer_changes_the_digest_and_so_does_a_lease():
    ranker = make()
    digests = {ranker.rank(answered(SOME[:n]), OPEN, c).digest for n, c in [(5, None), (6, None), (5, np.array([9]))]}
    assert len(digests) == 3


def test_the_pool_variance_after_updates_is_that_of_the_head():
    ranker = make()
    for n in (1, 2, 10, 40, 39, 12):
        ranker.rank(answered(SOME[:n]), OPEN)
        found = ranker.variance
    crops = np.sort(SOME[:12])
    head = head_after(crops)
    np.testing.assert_allclose(found, variance(head, POOL), rtol=1e-5)


def head_after(crops: np.ndarray) -> Head:
    return fit_head(POOL[crops], np.eye(K)[LABELS[crops]], standardisation=standardise(POOL))


def test_probabilities_of_the_ranking_are_those_of_the_head():
    found = make().rank(answered(SOME), OPEN).probabilities
    np.testing.assert_allclose(found, probabilities(head_after(np.sort(SOME)), POOL), atol=1e-3)


def test_a_study_starts_with_the_cold_start_and_random_checks():
    ranking = make().rank(answered([]), OPEN)
    assert set(ranking.why[:20]) == {"cold start", "random check"}
    assert ranking.probabilities is None
    assert set(EXPERIMENT[ranking.order[:20]]) == {0, 1, 2}
    assert set(make("random").rank(answered([]), OPEN).why) == {"random check"}


def test_what_is_asked_one_by_one_keeps_the_shares():
    ranker, asked, why = make(coverage_share=0.2, random_share=0.1), [], []
    for _ in range(120):
        ranking = ranker.rank(answered(asked), OPEN)
        asked.append(int(ranking.order[0]))
        why.append(ranking.why[0])
    assert len(set(asked)) == 120
    assert why.count("random check") == pytest.approx(12, abs=1)
    assert why[30:].count("coverage") == pytest.approx(18, abs=2)


def test_labels_that_were_imported_replace_the_cold_start():
    assert "cold start" in make().rank(answered(SOME[:21]), OPEN).why
    assert "cold start" not in make().rank(answered(SOME[:30]), OPEN).why


def test_random_checks_carry_the_probability_of_their_draw():
    ranking = make().rank(answered(SOME), OPEN)
    random = np.array(ranking.why) == "random check"
    assert np.isnan(ranking.probability[~random]).all()
    first = int(np.flatnonzero(random)[0])
    left = np.delete(np.arange(N), np.append(SOME, ranking.order[:first]))
    in_experiment = np.count_nonzero(EXPERIMENT[left] == EXPERIMENT[ranking.order[first]])
    assert ranking.probability[first] == pytest.approx(1 / (3 * in_experiment), rel=0.1)


def test_random_checks_serve_the_experiments_in_turn():
    experiment = np.where(np.arange(N) < 10, 1, 0)
    ranker = PoolRanker(POOL, experiment, RankingSettings(random_share=1, coverage_share=0, **SMALL))
    first = ranker.rank(answered([]), OPEN).order[:20]
    assert experiment[first].sum() == 10


def test_a_random_check_waits_for_its_turn_unchanged_by_new_answers():
    ranker = make(coverage_share=0, random_share=0.5)
    before = ranker.rank(answered(SOME[:30]), OPEN)
    random = [c for c, why in zip(before.order, before.why) if why == "random check"]
    after = ranker.rank(answered(SOME[:31]), OPEN)
    later = [c for c, why in zip(after.order, after.why) if why == "random check"]
    assert len(set(random[:10]) & set(later[:12])) >= 8


def test_a_leased_crop_keeps_others_from_its_neighbourhood():
    twins = np.concatenate([POOL, POOL + 1e-4])
    ranker = PoolRanker(twins, np.zeros(2 * N, int), RankingSettings(coverage_share=0, random_share=0))
    top = int(ranker.rank(answered(SOME), np.ones(2 * N, dtype=bool)).order[0])
    after = ranker.rank(answered(SOME), np.ones(2 * N, dtype=bool), np.array([top]))
    assert (top + N) % (2 * N) not in after.order[:20]


def test_not_sure_gives_no_class_but_counts_as_asked():
    ranker = make()
    without, unsure = (ranker.rank(answered(SOME), OPEN, c) for c in (None, np.array([11, 12])))
    np.testing.assert_array_equal(without.probabilities, unsure.probabilities)
    assert not {11, 12} & set(unsure.order)


def test_uncertain_crops_of_a_rare_class_come_before_well_known_ones():
    ranking = make(coverage_share=0, random_share=0).rank(answered(SOME), OPEN)
    top = ranking.order[:80]
    assert np.mean(LABELS[top] >= 2) > 1.5 * np.mean(LABELS >= 2)


def test_the_reason_names_the_variance_where_labels_are_far():
    far = POOL.copy()
    far[300:] += 4 * np.random.default_rng(2).normal(size=(100, D)).astype(np.float32)
    ranker = PoolRanker(far, EXPERIMENT, RankingSettings(coverage_share=0, random_share=0, **SMALL))
    ranking = ranker.rank(answered(np.arange(60)), OPEN)
    sparse = np.array(ranking.why) == "little labelled near here"
    assert sparse[ranking.order >= 300].mean() > 0.6 > 0.45 > sparse[ranking.order < 300].mean()


def test_a_memory_map_gives_the_ranking_of_the_array(tmp_path):
    np.save(tmp_path / "pool.npy", POOL)
    mapped = PoolRanker(np.load(tmp_path / "pool.npy", mmap_mode="r"), EXPERIMENT, RankingSettings(**SMALL))
    found, expected = mapped.rank(answered(SOME), OPEN), make().rank(answered(SOME), OPEN)
    np.testing.assert_array_equal(found.order, expected.order)
    assert found.digest == expected.digest


@pytest.mark.parametrize("n", [1, 2, 5, 21])
def test_tiny_pools_are_ranked(n):
    ranker = PoolRanker(POOL[:n], np.zeros(n, int))
    assert len(ranker.rank(answered([0]), np.ones(n, dtype=bool)).order) == n - 1
    assert len(ranker.rank(answered(np.arange(n)), np.ones(n, dtype=bool)).order) == 0


def test_mistaken_input_is_refused_by_name():
    with pytest.raises(ValueError, match="unknown strategy 'badge'"):
        RankingSettings("badge")
    with pytest.raises(ValueError, match="at most 1 together"):
        RankingSettings(coverage_share=0.6, random_share=0.6)
    with pytest.raises(ValueError, match="NaN or infinite"):
        PoolRanker(np.full((3, 2), np.nan), np.zeros(3, int))
    with pytest.raises(ValueError, match="experiment numbers"):
        PoolRanker(POOL, EXPERIMENT[:5])
    with pytest.raises(ValueError, match="answered twice"):
        make().rank(answered([3, 3]), OPEN)
    with pytest.raises(ValueError, match="outside the pool"):
        make().rank(answered([1]), OPEN, np.array([N]))


class Shards:
    """Rows of two arrays behind one index: the least that the ranker asks of embeddings."""

    def __init__(self, rows: np.ndarray, cut: int) -> None:
        self._parts = rows[:cut], rows[cut:]
        self.shape, self.dtype = rows.shape, rows.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: slice | np.ndarray) -> np.ndarray:
        index = np.arange(len(self))[key]
        cut = len(self._parts[0])
        rows = [self._parts[int(i >= cut)][i - cut * int(i >= cut)] for i in index]
        return np.array(rows, dtype=np.float32).reshape(len(index), D)


def test_rows_in_several_files_give_the_ranking_of_one_array():
    sharded = PoolRanker(Shards(POOL, 137), EXPERIMENT, RankingSettings(**SMALL))
    found, expected = sharded.rank(answered(SOME), OPEN), make().rank(answered(SOME), OPEN)
    np.testing.assert_array_equal(found.order, expected.order)
    assert found.digest == expected.digest


def test_crops_whose_embedding_is_not_finite_are_named():
    broken = POOL.copy()
    broken[[7, 99], 3] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"of 2 crops hold NaN or infinite values \(rows 7, 99\); encode them again"):
        PoolRanker(broken, EXPERIMENT)


def test_three_hundred_classes_of_which_few_are_answered_are_ranked():
    crops = SOME[:30]
    targets = np.eye(300)[LABELS[crops] * 70]
    ranking = make().rank(Answers(crops, targets, np.ones(30)), OPEN)
    assert ranking.probabilities.shape == (N, 300)
    np.testing.assert_allclose(ranking.probabilities.sum(axis=1), 1, rtol=1e-4)
    unanswered = np.setdiff1d(np.arange(300), LABELS[crops] * 70)
    np.testing.assert_allclose(np.ptp(ranking.probabilities[:, unanswered], axis=1), 0, atol=1e-6)


@pytest.mark.parametrize("classes", [1, 2, 9])
def test_a_pool_of_three_crops_with_any_number_of_classes_is_ranked(classes):
    ranker = PoolRanker(POOL[:3], np.zeros(3, int))
    given = Answers(np.array([1]), np.eye(classes)[[0]], np.ones(1))
    ranking = ranker.rank(given, np.ones(3, dtype=bool), np.array([2]))
    assert list(ranking.order) == [0]
    assert list(ranker.diverse_batch(given, np.ones(3, dtype=bool))) in ([0, 2], [2, 0])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_equal_crops_and_constant_columns_are_ranked(strategy):
    pool = np.repeat(np.array([[0.0, 5.0, 1e6]] * 2 + [[1.0, 5.0, 1e6]], np.float32), 30, axis=0)
    ranker = PoolRanker(pool, np.zeros(90, int), RankingSettings(strategy, **SMALL))
    given = Answers(np.arange(50, 75), np.eye(2)[(np.arange(50, 75) >= 60).astype(int)], np.ones(25))
    ranking = ranker.rank(given, np.ones(90, dtype=bool))
    assert np.isfinite(ranking.scores).all()
    assert len(set(ranking.order)) == 65


def test_an_open_mask_of_another_length_is_refused():
    with pytest.raises(ValueError, match="one entry for each crop"):
        make().rank(answered([1]), OPEN[:-1])


def test_probabilities_too_large_for_memory_lie_in_a_file(monkeypatch):
    expected = make().rank(answered(SOME), OPEN)
    monkeypatch.setattr(pools, "IN_MEMORY", 1)
    found = make().rank(answered(SOME), OPEN)
    assert isinstance(found.probabilities.base, np.memmap)
    np.testing.assert_array_equal(found.order, expected.order)
