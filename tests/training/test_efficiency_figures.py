"""The figures of a comparison: areas, labels to a target, regret and intervals, against values known beforehand."""

from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import t as student

from training.learning.efficiency import figures as fig
from training.learning.efficiency.plot import draw, spaced
from training.learning.efficiency.report import make_report
from training.learning.efficiency.resample import Tally, balanced, resample, spread

CURVE = np.array([0.2, 0.5, 0.4])
POINTS = [10, 20, 40]


def test_area_of_a_straight_line_is_its_middle():
    assert fig.area(POINTS, np.array([0.1, 0.2, 0.4])) == pytest.approx(0.25)
    assert fig.log_area(POINTS, np.array([0.1, 0.2, 0.3])) == pytest.approx(0.2)
    assert fig.area([10], np.array([0.3])) == pytest.approx(0.3)


def test_early_answers_count_more_over_the_logarithm():
    early = np.array([0.9, 0.5, 0.5])
    assert fig.log_area(POINTS, early) > fig.area(POINTS, early)


def test_labels_to_target_is_the_first_point_that_reaches_it():
    assert fig.labels_to(POINTS, CURVE, 0.45) == 20
    assert np.isinf(fig.labels_to(POINTS, CURVE, 0.6))
    assert fig.labels_to(POINTS, np.stack([CURVE, CURVE]), np.array([0.1, 0.5])).tolist() == [10, 20]


def test_a_ratio_is_never_without_the_strategy_a_bound_without_random_and_unknown_without_both():
    own, random = np.array([10, np.inf, 20, np.inf]), np.array([20, 20, np.inf, np.inf])
    np.testing.assert_array_equal(fig.ratio(POINTS, own, random), [0.5, np.inf, 0.5, np.nan])


def test_an_interval_that_ends_in_never_says_so():
    draws = np.append(np.full(90, 0.5), np.full(10, np.inf))
    assert fig.interval(0.5, draws, np.inf) == {"value": 0.5, "low": 0.5, "high": None}
    assert fig.interval(np.nan, np.full(100, np.nan), 5) == {"value": None, "low": None, "high": None}


@pytest.mark.parametrize("units", [10, 30])
def test_the_simultaneous_band_covers_whole_curves_as_often_as_promised(units):
    rng = np.random.default_rng(0)
    inside, point_wise = [], []
    for _ in range(300):
        data = rng.normal(size=(units, 15))
        draws = data[rng.integers(units, size=(400, units))].mean(axis=1)
        band = fig.paired_band(data.mean(axis=0), draws, units - 1)
        inside.append(bool(((band.low <= 0) & (band.high >= 0)).all()))
        point_wise.append(bool((np.abs(data.mean(axis=0)) <= 1.96 * draws.std(axis=0)).all()))
    assert np.mean(inside) > 0.9
    assert np.mean(point_wise) < 0.7


def test_regret_is_the_largest_mean_deficit_and_negative_when_always_ahead():
    draws = np.array([0.1, -0.1, 0.0]) + np.random.default_rng(0).normal(size=(500, 1)) * 0.01
    found = fig.regret(fig.paired_band(np.array([0.1, -0.1, 0.0]), draws, np.inf))
    assert found["value"] == pytest.approx(0.1)
    assert found["low"] < 0.1 < found["high"] < 0.14
    ahead = fig.paired_band(np.full(3, -0.1), -0.1 + draws - draws.mean(axis=0), np.inf)
    assert fig.regret(ahead)["high"] < 0


def test_holm_gives_the_values_of_his_method_in_the_order_of_the_input():
    assert fig.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert fig.holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert fig.holm([]) == []


def test_the_signed_rank_test_sees_ten_seeds_on_one_side_and_nothing_in_equal_ones():
    assert fig.signed_rank(np.linspace(0.01, 0.1, 10)) == pytest.approx(2 / 2**10)
    assert fig.signed_rank(np.zeros(10)) == 1


def test_balanced_accuracy_ignores_classes_that_are_not_tested():
    assert balanced(np.array([1.0, 2.0, 0.0]), np.array([2.0, 2.0, 0.0])) == pytest.approx(0.75)


def tally(hits: np.ndarray) -> Tally:
    return Tally(hits, np.ones(hits.shape[2:]) * 10)


def test_arms_that_do_the_same_differ_by_nothing_in_every_draw():
    hits = np.random.default_rng(0).integers(0, 10, size=(4, 3, 6, 2)).astype(float)
    draws = resample(4, 6)
    assert not (draws.curves(tally(hits)) - draws.curves(tally(hits.copy()))).both.any()


def test_with_equal_seeds_the_spread_of_the_draws_is_that_of_the_units():
    per_unit = np.linspace(2, 9, 40)
    hits = np.broadcast_to(per_unit[None, None, :, None], (10, 1, 40, 1))
    drawn = resample(10, 40, draws=4000).curves(tally(hits)).both[:, 0]
    assert drawn.std() == pytest.approx(per_unit.std() / 10 / np.sqrt(40), rel=0.06)


def test_with_equal_units_the_spread_of_the_draws_is_that_of_the_seeds():
    per_seed = np.linspace(2, 9, 10)
    hits = np.broadcast_to(per_seed[:, None, None, None], (10, 1, 40, 1))
    drawn = resample(10, 40, draws=4000).curves(tally(hits)).both[:, 0]
    assert drawn.std() == pytest.approx(per_seed.std() / 10 / np.sqrt(10), rel=0.06)


def test_few_seeds_widen_an_interval_to_that_of_student():
    seeds = np.random.default_rng(0).normal(0.7, 0.05, 6)
    hits = np.broadcast_to(seeds[:, None, None, None] * 10, (6, 1, 50, 1))
    drawn = resample(6, 50, draws=20_000).curves(tally(hits))
    found = spread(tally(hits).by_seed[:, 0], drawn.both[:, 0], drawn.clusters[:, 0], 50)
    ends = fig.interval(seeds.mean(), found.corrected(seeds.mean(), drawn.both[:, 0]), found.freedom)
    half = student.ppf(0.975, 5) * seeds.std(ddof=1) / np.sqrt(6)
    assert found.freedom == pytest.approx(5, rel=0.05)
    assert (ends["high"] - ends["low"]) / 2 == pytest.approx(half, rel=0.15)


def test_degrees_of_freedom_are_those_of_what_varies():
    draws = np.random.default_rng(0).normal(size=2000)
    seeds = np.array([-1.0, -1.0, 1.0, 1.0]) * 2
    assert spread(np.zeros(4), draws, draws, 20).freedom == pytest.approx(19)
    assert spread(seeds, draws, np.zeros(2000), 20).freedom == pytest.approx(3, rel=0.05)
    assert 3 < spread(seeds, draws * 1.4, draws, 20).freedom < 22
    assert np.isinf(spread(np.zeros(4), np.zeros(10), np.zeros(10), 20).freedom)


def test_a_paired_interval_covers_the_truth_as_often_as_promised_and_is_no_wider_than_it_must_be():
    rng = np.random.default_rng(0)
    ends, values = [], []
    for _ in range(150):
        hard, skill = rng.normal(0, 2, 100), rng.normal(0, 0.15, (2, 10, 1))
        arms = [rng.random((10, 100)) < expit(hard + skill[k] + 0.3 * k) for k in range(2)]
        one, two = (Tally(arm[:, None, :, None].astype(float), np.ones((100, 1))) for arm in arms)
        draws = resample(10, 100, draws=300)
        both = draws.curves(two) - draws.curves(one)
        per_seed = (two.by_seed - one.by_seed)[:, 0]
        found = spread(per_seed, both.both[:, 0], both.clusters[:, 0], 100)
        values.append(per_seed.mean())
        ends.append(fig.interval(values[-1], found.corrected(values[-1], both.both[:, 0]), found.freedom))
    inside = [end["low"] <= np.mean(values) <= end["high"] for end in ends]
    width = np.mean([end["high"] - end["low"] for end in ends])
    assert np.mean(inside) > 0.9
    assert width < 1.4 * 2 * 1.96 * np.std(values)


def test_a_widened_width_is_students_and_infinite_freedom_changes_nothing():
    assert fig.widened(fig.Z, np.inf) == fig.Z
    assert fig.widened(fig.Z, 9) == pytest.approx(np.sqrt(10 / 9) * student.ppf(0.975, 9))


def test_the_plot_is_the_same_bytes_twice_names_every_strategy_and_runs_nothing(comparison):
    report = make_report(comparison, ("a", "b", "c")) | {"task": "cost in $ & <b>"}
    svg, png = draw(report, "svg"), draw(report, "png")
    assert svg == draw(report, "svg")
    words = "".join(ElementTree.fromstring(svg).itertext())
    assert all(name in words for name in ("random", comparison.plan.default, "all labels", "cost in $ & <b>"))
    assert b"<script" not in svg
    assert png.startswith(b"\x89PNG")


def test_a_simulated_annotator_is_marked_in_report_rows_and_plot(comparison):
    report = make_report(comparison, ("a", "b", "c"))
    assert report["annotator"]["simulated"]
    assert b"SIMULATED" in draw(report, "svg")


def test_names_beside_a_plot_are_a_gap_apart_and_stay_below_the_top() -> None:
    places = spaced(np.array([0.1, 0.70, 0.71, 0.72, 0.8]), gap=0.07, highest=0.8)
    assert (np.diff(places) >= 0.07 - 1e-12).all()
    assert places[0] == 0.1
    assert places[-1] <= 0.8
