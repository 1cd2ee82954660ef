import numpy as np
import pytest

from labeling.agreement.coefficients import krippendorff_alpha
from labeling.agreement.intervals import alpha_interval, percent_interval
from labeling.agreement.table import from_codes, from_long


def simulated(n: int, seed: int, accuracy: float = 0.85) -> np.ndarray:
    """Three annotators, two classes, a fifth of the reads missing."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, (n, 1))
    codes = np.where(rng.random((n, 3)) < accuracy, truth, 1 - truth)
    return np.where(rng.random((n, 3)) < 0.2, -1, codes)


def table_of(codes: np.ndarray):
    return from_codes(codes, "ab")


def test_the_interval_is_the_bootstrap_over_items():
    codes = simulated(80, 0)
    codes = codes[(codes >= 0).sum(axis=1) > 1]
    rng = np.random.default_rng(1)
    slow = [krippendorff_alpha(codes[rng.integers(0, len(codes), len(codes))]) for _ in range(1000)]
    fast = alpha_interval(table_of(codes))
    assert fast.value == pytest.approx(krippendorff_alpha(codes))
    assert (fast.low, fast.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])), abs=0.03)


def test_the_interval_covers_the_truth_about_95_times_in_100():
    truth = krippendorff_alpha(simulated(400_000, 99))
    found = [alpha_interval(table_of(simulated(60, seed)), draws=500) for seed in range(200)]
    assert 0.90 <= np.mean([e.low <= truth <= e.high for e in found]) <= 0.99


def test_the_same_seed_gives_the_same_interval():
    table = table_of(simulated(50, 3))
    assert alpha_interval(table, seed=4) == alpha_interval(table, seed=4)
    assert alpha_interval(table, seed=4) != alpha_interval(table, seed=5)


def test_full_agreement_on_a_few_items_does_not_claim_certainty():
    few, many = (alpha_interval(table_of(np.tile([[0, 0], [1, 1]], (k, 1)))) for k in (10, 200))
    assert few.value == few.high == many.value == 1.0
    assert few.low < 0.8 < many.low < 1.0


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([("i", "ann", "x"), ("j", "bob", "y")], "no item has reads from two"),
        ([("i", "ann", "x"), ("j", "ann", "y")], "two annotators; 1 gave reads"),
        ([("i", "ann", "x"), ("i", "bob", "x")], "only one label"),
        ([], "two annotators; 0 gave reads"),
    ],
)
def test_a_figure_that_cannot_be_computed_is_none_with_a_reason(rows, reason):
    estimate = alpha_interval(from_long(rows))
    assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
    assert reason in estimate.reason


def test_one_shared_item_has_a_value_but_no_interval():
    estimate = alpha_interval(from_long([("i", "ann", "x"), ("i", "bob", "y")]))
    assert estimate.value == 0.0
    assert estimate.low is None and "one shared item" in estimate.reason


def test_below_thirty_shared_items_the_reason_says_too_few():
    assert "too few: 20 shared" in alpha_interval(table_of(np.tile([[0, 1], [1, 1]], (10, 1)))).reason
    assert alpha_interval(table_of(np.tile([[0, 1], [1, 1]], (15, 1)))).reason == ""


def test_a_class_that_is_hardly_ever_used_is_warned_about():
    codes = np.zeros((100, 2), int)
    codes[:3] = [[1, 1], [0, 1], [1, 1]]
    assert "only 5 reads differ" in alpha_interval(table_of(codes)).reason


def test_percent_agreement_of_agreeing_items_allows_for_what_was_not_seen():
    estimate = percent_interval(table_of(np.tile([[0, 0], [1, 1]], (20, 1))))
    assert estimate.value == 1.0
    assert estimate.low == pytest.approx(0.025 ** (1 / 40))
