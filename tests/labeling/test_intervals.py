import numpy as np
import pytest
from scipy.stats import bootstrap

from benchmarks.agreement_coverage import REGIMES, coverage
from labeling.agreement import figures
from labeling.agreement.bootstrap import bca_limits, drawn, percentile_limits
from labeling.agreement.coefficients import krippendorff_alpha
from labeling.agreement.counts import label_counts
from labeling.agreement.intervals import alpha_interval, interval, percent_interval, sample_of, standard_error
from labeling.agreement.summary import summarise
from labeling.agreement.table import from_codes, from_long


def simulated(n: int, seed: int, accuracy: float = 0.85) -> np.ndarray:
    """Three annotators, two classes, a fifth of the reads missing."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, (n, 1))
    codes = np.where(rng.random((n, 3)) < accuracy, truth, 1 - truth)
    return np.where(rng.random((n, 3)) < 0.2, -1, codes)


def table_of(codes: np.ndarray):
    return from_codes(codes, "ab")


def test_the_draws_are_the_bootstrap_over_items():
    codes = simulated(320, 0)
    codes = codes[(codes >= 0).sum(axis=1) > 1]
    rng = np.random.default_rng(1)
    slow = [krippendorff_alpha(codes[rng.integers(0, len(codes), len(codes))]) for _ in range(1000)]
    sample = sample_of(table_of(codes))
    fast = drawn(figures.alpha(sample.patterns), sample.frequencies)
    assert percentile_limits(fast) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])), abs=0.03)
    # Both ways of drawing give the same distribution: this one keeps every item a pattern of its own.
    apart = drawn(figures.alpha(label_counts(codes)), np.ones(len(codes)))
    assert percentile_limits(apart) == pytest.approx(percentile_limits(fast), abs=0.03)


def test_the_standard_error_is_the_jackknife_over_items():
    codes = simulated(40, 5)
    codes = codes[(codes >= 0).sum(axis=1) > 1]
    without = np.array([krippendorff_alpha(np.delete(codes, i, axis=0)) for i in range(len(codes))])
    slow = np.sqrt((len(codes) - 1) / len(codes) * ((without - krippendorff_alpha(codes)) ** 2).sum())
    sample = sample_of(table_of(codes))
    assert standard_error(figures.alpha(sample.patterns), sample.frequencies) == pytest.approx(slow)


def test_the_interval_covers_the_truth_about_95_times_in_100():
    truth = krippendorff_alpha(simulated(400_000, 99))
    found = [alpha_interval(table_of(simulated(60, seed))) for seed in range(400)]
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in found]) <= 0.975


@pytest.mark.parametrize("regime", [REGIMES[place] for place in (0, 2, 5, 6, 12, 14, 15, 17)], ids=lambda r: r.name)
def test_intervals_cover_where_they_carry_no_caution(regime):
    found = coverage(regime, 500, 60, ["shipped"])
    assert found.flagged < 50
    # 500 data sets have a standard error of 1: docs/agreement.md has the table from more of them.
    assert 92.5 <= found.covered["shipped"] <= 98


@pytest.mark.parametrize("regime", [REGIMES[place] for place in (9, 10, 11)], ids=lambda r: r.name)
def test_where_one_class_is_rare_the_interval_is_flagged(regime):
    assert coverage(regime, 100, 60, ["shipped"]).flagged > 50


def test_draws_repeat_for_their_seed():
    sample = sample_of(table_of(simulated(50, 3)))
    figure = figures.alpha(sample.patterns)
    assert np.array_equal(drawn(figure, sample.frequencies, seed=4), drawn(figure, sample.frequencies, seed=4))
    assert not np.array_equal(drawn(figure, sample.frequencies, seed=4), drawn(figure, sample.frequencies, seed=5))


def test_full_agreement_on_a_few_items_does_not_claim_certainty():
    few, many = (alpha_interval(table_of(np.tile([[0, 0], [1, 1]], (k, 1)))) for k in (10, 200))
    assert few.value == few.high == many.value == 1.0
    assert few.low < 0.8 < many.low < 1.0


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([("i", "ann", "x"), ("j", "bob", "y")], "no crop was read by two"),
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
    assert alpha_interval(table_of(np.tile([[0, 1], [1, 1]], (20, 1)))).reason == ""


def test_a_class_that_is_hardly_ever_used_is_warned_about():
    codes = np.zeros((100, 2), int)
    codes[:3] = [[1, 1], [0, 1], [1, 1]]
    assert "only 3 crops have a read" in alpha_interval(table_of(codes)).reason


def test_percent_agreement_of_agreeing_items_allows_for_what_was_not_seen():
    estimate = percent_interval(table_of(np.tile([[0, 0], [1, 1]], (20, 1))))
    assert estimate.value == 1.0
    assert estimate.low == pytest.approx(0.025 ** (1 / 40))


def test_fewer_than_five_items_read_differently_are_told():
    codes = np.tile([[0, 0], [1, 1]], (100, 1))
    codes[:4, 0] = [1, 0, 1, 0]
    found = alpha_interval(table_of(codes))
    assert "only 4 crops were read differently" in found.reason
    assert found.low < found.value < found.high < 1.0


def test_bca_limits_equal_those_of_scipy():
    shares = np.random.default_rng(3).beta(2, 1, 40)
    figure = figures.Figure(np.column_stack([shares, np.ones(40)]), lambda sums: sums[:, 0] / sums[:, 1])
    ours = bca_limits(figure, np.ones(40), drawn(figure, np.ones(40), 9000))
    theirs = bootstrap((shares,), np.mean, n_resamples=9000, method="BCa", rng=np.random.default_rng(0))
    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.005)


@pytest.mark.parametrize("build", [figures.alpha, figures.fleiss, figures.gwet, figures.brennan_prediger])
def test_every_coefficient_has_an_interval_around_its_value(build):
    sample = sample_of(table_of(simulated(80, 2)))
    found = interval(build(sample.patterns), sample)
    assert found.low < found.value < found.high <= 1.0
    assert found.n == sample.n_shared


def test_the_bootstrap_of_krippendorffs_example_is_as_computed_elsewhere():
    rows = "123321412...", "1233224125.3", ".3332342251.", "12332441251."
    codes = np.array([[-1 if c == "." else int(c) - 1 for c in row] for row in rows]).T
    sample = sample_of(from_codes(codes, "12345"))
    limits = percentile_limits(drawn(figures.alpha(sample.patterns), sample.frequencies, 5000))
    assert limits == pytest.approx((0.422, 1.0), abs=0.02)


def test_no_agreement_at_all_is_not_certain_either_and_limits_stay_possible():
    none = percent_interval(table_of(np.tile([[0, 1], [1, 0]], (20, 1))))
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / 40))
    few = alpha_interval(table_of(np.array([[0, 0], [1, 0], [1, 1]])))
    assert few.low >= -1.0


def test_one_label_on_all_shared_items_and_another_on_single_reads_claims_nothing():
    codes = np.array([[0, 0], [0, 0], [0, 0], [1, -1]])
    found = summarise(from_codes(codes, ("a", "b")))["gwet_ac1"]
    assert (found["value"], found["low"], found["high"]) == (1.0, -1.0, 1.0)
