"""Ridge and temperature by held-out experiments: a function of the set of answers, defaults while there are few."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.learning.logistic import HeadSettings
from training.learning.ranking import Answers, PoolRanker, RankingSettings
from training.learning.tuning import FEWEST, GRID, SAMPLE, folds_of, sample_of, tune


def answered(n: int, noise: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 30))
    labels = (rows[:, :3] + noise * rng.gumbel(size=(n, 3))).argmax(axis=1)
    return np.column_stack([rows / np.sqrt(30), np.ones(n)]), np.eye(3)[labels]


@given(st.sets(st.integers(0, 10**6), min_size=1, max_size=400), st.randoms(), st.integers(0, 5))
def test_the_sample_depends_on_the_set_of_crops_only(crops, random, seed):
    sorted_crops = np.array(sorted(crops))
    shuffled = list(crops)
    random.shuffle(shuffled)
    picked = sorted_crops[sample_of(sorted_crops, seed)]
    assert set(picked) == set(np.array(shuffled)[sample_of(np.array(shuffled), seed)])
    assert len(picked) == min(len(crops), SAMPLE)


def test_one_answer_more_changes_a_large_sample_rarely():
    crops = np.random.default_rng(0).permutation(10**6)[:4000]
    changes = sum(
        set(crops[:n][sample_of(crops[:n], 0)]) != set(crops[: n + 1][sample_of(crops[: n + 1], 0)])
        for n in range(2000, 2400)
    )
    assert changes < 400 * 2.5 * SAMPLE / 2000


def test_whole_experiments_are_held_out_where_two_hold_two_classes():
    labels, experiment = np.array([0, 1, 0, 1, 0, 0]), np.array([7, 7, 9, 9, 9, 11])
    fold, held_out = folds_of(labels, experiment)
    assert held_out == "experiments"
    assert all(len(set(fold[experiment == k])) == 1 for k in (7, 9, 11))
    assert len(set(fold)) == 3


def test_within_one_experiment_answers_are_dealt_class_by_class():
    labels = np.repeat([0, 1], (40, 10))
    fold, held_out = folds_of(labels, np.zeros(50, int))
    assert held_out == "folds"
    assert {np.count_nonzero((fold == k) & (labels == 1)) for k in range(5)} == {2}


def test_noisy_answers_ask_for_a_stronger_ridge_or_a_higher_temperature():
    settings = HeadSettings(balanced=False)
    clear, noisy = (tune(*answered(120, noise), np.ones(120), np.arange(120) % 4, settings) for noise in (0.02, 5.0))
    assert noisy.ridge * noisy.temperature > clear.ridge * clear.temperature
    assert clear.held_out == noisy.held_out == "experiments"
    assert clear.ridge in [settings.ridge * factor for factor in GRID]


def test_defaults_stand_for_few_answers_and_for_one_class():
    settings = HeadSettings()
    phi, targets = answered(FEWEST - 1, 1.0)
    assert tune(phi, targets, np.ones(len(phi)), np.zeros(len(phi), int), settings).held_out == "nothing"
    phi, _ = answered(80, 1.0)
    one = np.eye(3)[np.zeros(80, int)]
    assert tune(phi, one, np.ones(80), np.zeros(80, int), settings).temperature == 1


@pytest.mark.parametrize("tuned", [False, True])
def test_the_ranking_says_what_the_head_was_fitted_with(tuned):
    rng = np.random.default_rng(1)
    pool = rng.normal(size=(300, 8)).astype(np.float32)
    labels = (pool[:, :2] + rng.gumbel(size=(300, 2))).argmax(axis=1)
    crops = rng.permutation(300)[:100]
    said = Answers(crops, np.eye(2)[labels[crops]], np.ones(100))
    ranker = PoolRanker(pool, np.arange(300) % 3, RankingSettings(tuned=tuned))
    ranking = ranker.rank(said, np.ones(300, dtype=bool))
    assert ranking.held_out == ("experiments" if tuned else "nothing")
    assert (ranking.temperature != 1) == tuned


@pytest.mark.parametrize("spread", [1.0, 3.0, 10.0])
def test_answers_that_are_all_foreseen_leave_every_open_crop_a_score(spread):
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 900, p=[0.7, 0.2, 0.1])
    pool = (spread * np.eye(3)[labels] @ rng.normal(size=(3, 24)) + rng.normal(size=(900, 24))).astype(np.float32)
    crops = rng.permutation(900)[:100]
    said = Answers(crops, np.eye(3)[labels[crops]], np.ones(100))
    ranking = PoolRanker(pool, np.arange(900) % 3, RankingSettings(tuned=True)).rank(said, np.ones(900, dtype=bool))
    assert ranking.held_out == "experiments" and ranking.temperature > 0.2
    assert (ranking.scores > 0).all()


def test_what_is_tuned_follows_the_weights_of_the_answers_too():
    rng = np.random.default_rng(2)
    pool = rng.normal(size=(300, 8)).astype(np.float32)
    targets = np.eye(2)[(pool[:, 0] + rng.gumbel(size=300) > 0).astype(int)][:100]
    settings = RankingSettings(tuned=True, head=HeadSettings(balanced=False))
    ranker, fresh = (PoolRanker(pool, np.arange(300) % 3, settings) for _ in range(2))
    crops, opened = np.arange(100), np.ones(300, dtype=bool)
    weighted = Answers(crops, targets, np.where(pool[:100, 0] > 0, 5.0, 0.1))
    before = ranker.rank(Answers(crops, targets, np.ones(100)), opened)
    found, wanted = ranker.rank(weighted, opened), fresh.rank(weighted, opened)
    assert found.temperature == wanted.temperature != before.temperature
