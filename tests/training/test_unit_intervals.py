import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import ttest_1samp

from training.learning.unit_intervals import Scope, describe, unit_estimate


def share(sums: np.ndarray) -> np.ndarray:
    return sums[:, 0] / sums[:, 1]


def experiments(n_units: int, rng: np.random.Generator, crops: int = 200) -> np.ndarray:
    """Hits and crops per experiment; accuracy varies between experiments with sd 0.6 on the logit scale."""
    chance = expit(1.5 + 0.6 * rng.standard_normal(n_units))
    return np.stack([rng.binomial(crops, chance), np.full(n_units, crops)], axis=1).astype(float)


def test_with_equal_units_the_jackknife_is_the_t_interval_of_their_means():
    parts = experiments(6, np.random.default_rng(0))
    estimate = unit_estimate(parts, share, Scope(1200))
    expected = ttest_1samp(share(parts), 0.0).confidence_interval(0.95)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("n_units", [5, 8, 12, 24])
def test_the_interval_covers_the_truth_for_new_experiments(n_units):
    rng = np.random.default_rng(n_units)
    truth = expit(1.5 + 0.6 * rng.standard_normal(200_000)).mean()
    found = [unit_estimate(experiments(n_units, rng), share, Scope(200 * n_units)) for _ in range(300)]
    assert 0.88 <= np.mean([e.low <= truth <= e.high for e in found]) <= 0.99


def test_one_unit_has_a_value_without_an_interval_and_a_reason():
    estimate = unit_estimate(np.array([[3.0, 4.0]]), share, Scope(4))
    assert (estimate.value, estimate.low, estimate.high) == (0.75, None, None)
    assert "only one experiment" in estimate.reason


def test_the_interval_stays_in_the_range_of_the_figure():
    estimate = unit_estimate(np.array([[99.0, 100], [60, 100], [98, 100]]), share, Scope(300))
    assert 0.0 <= estimate.low < estimate.value < estimate.high <= 1.0


def test_equal_units_fall_back_to_an_interval_over_crops():
    estimate = unit_estimate(np.array([[10.0, 10], [10, 10]]), share, Scope(20))
    assert estimate.value == estimate.high == 1.0
    assert 0.8 < estimate.low < 0.9 and "over crops" in estimate.reason


def test_the_report_says_how_intervals_were_made():
    assert "jackknife" in describe(5, "experiment")
    assert "bootstrap" in describe(20, "experiment")
    assert "too narrow for a new experiment" in describe(500, "crop")
    assert "only one" in describe(1, "experiment")
