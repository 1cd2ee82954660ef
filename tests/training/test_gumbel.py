"""Draws in proportion to a score: with logged probabilities, again for the seed, the order of scores when cold."""

import numpy as np
import pytest

from training.learning.gumbel import GumbelDraws
from training.learning.ranking import Answers, PoolRanker, RankingSettings

SCORES = np.array([4, 3, 2, 1, 0, 8], dtype=np.float32)
OPEN = np.array([True, True, True, True, True, False])


def drawn(seed: int, count: int = 4, temperature: float = 1.0) -> list[tuple[int, float]]:
    draws, found = GumbelDraws(SCORES, OPEN, temperature, (seed,), 10), []
    for _ in range(count):
        crop = draws.next()
        assert crop is not None
        draws.take(crop[0])
        found.append(crop)
    return found


def test_each_draw_has_its_score_over_those_left():
    for seed in range(50):
        left = 10.0
        for crop, probability in drawn(seed):
            assert probability == pytest.approx(SCORES[crop] / left, rel=1e-5)
            left -= SCORES[crop]


def test_crops_are_drawn_as_often_as_their_probability_says():
    first = np.bincount([drawn(seed, 1)[0][0] for seed in range(4000)], minlength=6) / 4000
    np.testing.assert_allclose(first, np.array([4, 3, 2, 1, 0, 0]) / 10, atol=0.03)
    pairs = [drawn(seed, 2) for seed in range(4000)]
    after = [b for (a, _), (b, _) in pairs if a == 0]
    np.testing.assert_allclose(
        np.bincount(after, minlength=4)[:4] / len(after), np.array([0, 3, 2, 1]) / 6, atol=0.05
    )


def test_nothing_worth_nothing_is_drawn_and_then_there_is_no_draw():
    draws = GumbelDraws(SCORES, OPEN, 1.0, (0,), 10)
    for crop in (0, 1, 2, 3):
        draws.take(crop)
    assert draws.next() is None
    assert GumbelDraws(np.zeros(3, np.float32), np.ones(3, bool), 1.0, (0,), 3).next() is None


@pytest.mark.parametrize("length", [1, 10])
def test_weights_too_small_for_a_number_still_have_their_probability(length):
    scores, opened = np.array([1, 1e-4, 1e-4, 1e-5], dtype=np.float32), np.ones(4, dtype=bool)
    draws = GumbelDraws(scores, opened, 0.005, (0,), length)
    assert draws.next() == (0, 1.0)
    draws.take(0)
    if length > 1:
        crop, probability = draws.next()
        draws.take(crop)
        assert probability == pytest.approx(0.5) and draws.next() == (3 - crop, pytest.approx(1.0))


@pytest.mark.parametrize("temperature", [0.01, 1.0, 100.0])
def test_low_temperatures_follow_the_scores_and_high_ones_do_not(temperature):
    same = np.mean([[crop for crop, _ in drawn(seed, 4, temperature)] == [0, 1, 2, 3] for seed in range(200)])
    assert (same == 1) if temperature == 0.01 else (same < 0.5)


def test_what_others_take_raises_the_probability_of_the_rest():
    draws = GumbelDraws(SCORES, OPEN, 1.0, (0,), 1)
    crop, before = draws.next()
    other = next(c for c in (0, 1, 2, 3) if c != crop)
    draws.take(other)
    assert draws.next() == (crop, pytest.approx(before * 10 / (10 - SCORES[other]), rel=1e-5))


@pytest.mark.parametrize("strategy", ["uherding", "margin", "bald"])
def test_a_queue_of_draws_logs_a_probability_and_repeats_for_its_seed(strategy):
    rng = np.random.default_rng(0)
    pool = rng.normal(size=(200, 6)).astype(np.float32)
    said = Answers(np.arange(40), np.eye(2)[(pool[:40, 0] > 0).astype(int)], np.ones(40))

    def queue(temperature: float, seed: int = 0):
        settings = RankingSettings(strategy, 0, 0, seed=seed, gumbel_temperature=temperature)
        return PoolRanker(pool, np.zeros(200, int), settings).rank(said, np.ones(200, dtype=bool))

    first, again, plain, other = queue(1.0), queue(1.0), queue(0.0), queue(1.0, 7)
    np.testing.assert_array_equal(first.order, again.order)
    np.testing.assert_array_equal(first.probability, again.probability)
    assert list(first.order) != list(plain.order)
    assert list(first.order) != list(other.order)
    positive = first.scores[first.order] > 0
    assert np.isfinite(first.probability[positive]).all()
    assert ((first.probability[positive] > 0) & (first.probability[positive] <= 1 + 1e-9)).all()
    assert np.isnan(plain.probability).all()
    left = np.setdiff1d(np.arange(200), np.arange(40))
    assert first.probability[0] == pytest.approx(first.scores[first.order[0]] / first.scores[left].sum(), rel=1e-4)


def test_a_negative_temperature_or_score_is_refused():
    with pytest.raises(ValueError, match="gumbel_temperature"):
        RankingSettings(gumbel_temperature=-1)
    with pytest.raises(ValueError, match="at least 0"):
        GumbelDraws(-SCORES, OPEN, 1.0, (0,), 3)
