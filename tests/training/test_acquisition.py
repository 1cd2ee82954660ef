"""Acquisition scores: higher means ask first, equal to plain formulas, refused when not finite."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.learning.acquisition import clusters, herding, scores
from training.learning.coldstart import unit_rows


def distributions(n: int, classes: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), n).astype(np.float32)


@given(st.integers(1, 30), st.integers(2, 12), st.integers(0, 99))
def test_margin_and_entropy_equal_the_formulas(n, classes, seed):
    p = distributions(n, classes, seed)
    ordered = np.sort(p, axis=1)
    np.testing.assert_allclose(scores.margin(p), 1 - ordered[:, -1] + ordered[:, -2], atol=1e-6)
    np.testing.assert_allclose(scores.entropy(p), [-sum(v * np.log(v) for v in row if v > 0) for row in p], atol=1e-5)


@pytest.mark.parametrize("score", [scores.margin, scores.entropy])
def test_the_even_distribution_is_asked_before_a_certain_one(score):
    even, sure = score(np.array([[0.25] * 4, [0.97, 0.01, 0.01, 0.01]]))
    assert even > sure


def test_bald_rises_with_variance_and_is_nothing_without_it():
    raw = np.tile([1.0, 0.0, -1.0], (4, 1))
    values = scores.bald(raw, np.array([0.0, 0.1, 1.0, 10.0]), seed=0)
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert (np.diff(values) > 0).all()


def test_bald_approaches_the_mutual_information_of_many_draws():
    raw, variance = np.array([[0.5, 0.0]]), np.array([4.0])
    exact = scores.bald(raw, variance, seed=1, draws=200_000)
    assert scores.bald(raw, variance, seed=2, draws=20_000) == pytest.approx(exact, rel=0.05)


def test_random_is_a_permutation_that_repeats_for_its_seed():
    first = scores.random(50, 3)
    np.testing.assert_array_equal(first, scores.random(50, 3))
    np.testing.assert_allclose(np.sort(first), np.arange(1, 51) / 50, rtol=1e-6)
    assert (first != scores.random(50, 4)).any()


def test_the_bonus_is_the_root_of_the_imbalance_and_at_most_five():
    p = np.eye(4, dtype=np.float32)
    bonus = scores.rare_class_bonus(p, np.array([100.0, 25.0, 1.0, 0.0]))
    np.testing.assert_allclose(bonus, [1, 2, 5, 5])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused_with_the_crop(bad):
    with pytest.raises(ValueError, match="first at crop 1"):
        scores.checked(np.array([0.5, bad, 0.1]))


def test_utility_refuses_a_variance_that_is_not_finite():
    with pytest.raises(ValueError, match="not finite"):
        scores.utility(distributions(2, 3, 0), np.array([1.0, np.nan]), np.ones(3))


def herd(
    n: int = 40, candidates: int = 25, seed: int = 0, gamma: float = 2.0
) -> tuple[herding.Herd, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = unit_rows(rng.normal(size=(n, 4)))
    place = herding.Neighbourhood(rows, gamma, np.zeros(n, np.float32))
    worth = rng.random(n).astype(np.float32)
    distance = ((rows[:candidates, None] - rows) ** 2).sum(axis=2)
    weights = np.stack([worth / worth.max(), np.ones(n)])
    kernels = herding.KernelRows().hold(place, np.arange(candidates), lambda crops: rows[crops])
    return herding.Herd(place, kernels, worth), weights, np.exp(-gamma * distance)


def test_kernel_rows_have_the_same_bits_however_they_came_to_be_held():
    rng = np.random.default_rng(5)
    rows = unit_rows(rng.normal(size=(300, 32)))
    place = herding.Neighbourhood(rows, 2.0, np.zeros(300, np.float32))
    worth = rng.random(300).astype(np.float32)
    kept = herding.KernelRows()
    for count in (100, 70, 140, 90):
        crops = np.sort(rng.choice(300, count, replace=False))
        kept.hold(place, crops, lambda some: rows[some])
        anew = herding.KernelRows().hold(place, crops, lambda some: rows[some])
        assert np.array_equal(kept.rows[kept.slot], anew.rows[anew.slot])
        assert np.array_equal(herding.Herd(place, kept, worth).gains, herding.Herd(place, anew, worth).gains)


def test_kernel_rows_of_another_width_or_another_pool_are_made_anew():
    rows = unit_rows(np.random.default_rng(6).normal(size=(50, 8)))
    kept, crops = herding.KernelRows(), np.arange(20)
    for place in (
        herding.Neighbourhood(rows, 2.0, np.zeros(50, np.float32)),
        herding.Neighbourhood(rows, 3.0, np.zeros(50, np.float32)),
        herding.Neighbourhood(rows[::-1].copy(), 3.0, np.zeros(50, np.float32)),
    ):
        kept.hold(place, crops, lambda some, own=place.reference: own[some])
        distance = ((place.reference[:20, None] - place.reference) ** 2).sum(axis=2)
        assert np.allclose(kept.rows[kept.slot], np.exp(-place.gamma * distance), atol=1e-5)


@pytest.mark.parametrize("currency", [0, 1])
@pytest.mark.parametrize("seed", range(5))
def test_lazy_greedy_picks_what_plain_greedy_picks(currency, seed):
    quick, weights, kernel = herd(seed=seed)
    covered, plain = np.zeros(kernel.shape[1]), []
    for _ in range(10):
        gains = np.maximum(kernel - covered, 0) @ weights[currency]
        gains[plain] = -1
        plain.append(int(np.argmax(gains)))
        covered = np.maximum(covered, kernel[plain[-1]])
    assert [quick.take(currency) for _ in range(10)] == plain


def test_a_herd_gives_each_candidate_once_and_then_none():
    quick, _, _ = herd(candidates=6)
    quick.cover(3)
    taken = [quick.take(index % 2) for index in range(5)]
    assert sorted(taken) == [0, 1, 2, 4, 5]
    assert quick.take(0) is None
    assert quick.take(1, exact=False) is None


def test_near_duplicates_among_the_answers_cannot_shrink_the_neighbourhoods():
    rows = unit_rows(np.array([[1.0, 0], [1, 1e-6], [0, 1]]))
    assert herding.kernel_width(rows) == pytest.approx(herding.GAMMA_LIMIT, rel=1e-5)
    assert herding.kernel_width(rows[:1]) == 1
    assert herding.kernel_width(unit_rows(np.array([[1.0, 0], [0, 1]]))) == pytest.approx(0.5)


def test_typiclust_asks_first_in_the_largest_cluster_without_an_answer():
    member = np.array([0, 0, 0, 1, 1, 2])
    place = np.array([2, 0, 1, 1, 0, 0])
    open_mask = np.ones(8, dtype=bool)
    grouping = clusters.Clustering(np.arange(1, 7), member, place, np.array([1, 0, 0]))
    values = grouping.scores(open_mask)
    assert list(np.argsort(-values, kind="stable")[:3]) == [5, 6, 2]
    assert values[0] == values[7] == 0


def test_a_closed_crop_passes_its_turn_to_the_next_typical_one():
    grouping = clusters.Clustering(np.arange(3), np.zeros(3, int), np.array([0, 1, 2]), np.array([0]))
    values = grouping.scores(np.array([False, True, True]))
    assert np.argmax(values) == 1


def test_the_most_typical_crop_lies_in_the_middle_of_its_cluster():
    angle = np.linspace(-1, 1, 101) ** 3
    rows = unit_rows(np.column_stack([np.cos(angle), np.sin(angle)]))
    place = clusters.typical_places(rows, np.zeros(101, int))
    assert np.abs(angle[place < 10]).max() < 0.1 < np.abs(angle[place > 95]).min()
