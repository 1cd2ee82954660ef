"""The forecast: it recovers planted curves, says when it cannot, and stops only where little is left."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from labeling.agreement.intervals import Estimate
from tests.training.stream_pools import curve_parts, planted_curve, stream_study
from training.learning.stopping import (
    FASTEST,
    FORECAST_HALF_WIDTH,
    GO_ON,
    REFUSED,
    SLOWEST,
    STOP,
    UNSURE,
    Curve,
    fit_power_laws,
    forecast,
    learning_curve,
)
from training.learning.stream import StreamPlan

SIZES = np.array([10, 20, 40, 80, 160, 320])


def present(curve: Curve, half: float = 0.04) -> Estimate:
    value = float(curve.values[-1])
    return Estimate(value, value - half, value + half, len(curve.parts))


@pytest.mark.parametrize("law", [(0.92, 1.2, 0.6), (0.85, 0.9, 0.3), (0.9, 0.5, 1.5)])
def test_the_interval_covers_the_planted_gain(law: tuple[float, float, float]) -> None:
    _, a, b = law
    truth = a * (400.0**-b - 500.0**-b)
    curves = [planted_curve(seed, law) for seed in range(40)]
    gains = [forecast(curve, present(curve), 400, seed=seed).gain for seed, curve in enumerate(curves)]
    assert np.mean([gain.low <= truth <= gain.high for gain in gains]) >= 0.9
    assert all(0 <= gain.low <= gain.value <= gain.high for gain in gains)


@given(
    st.lists(st.floats(0.1, 1.0), min_size=len(SIZES), max_size=len(SIZES)),
)
def test_fitted_curves_rise_and_stay_below_one(values: list[float]) -> None:
    law = fit_power_laws(SIZES, np.array([values]), SIZES.astype(float))
    line = law.at(np.arange(10, 5000, 50))[0]
    assert (np.diff(line) >= -1e-12).all() and line.max() <= 1 + 1e-12


def test_the_fit_is_no_worse_than_scipys() -> None:
    rng = np.random.default_rng(0)
    weights = SIZES.astype(float)
    for _ in range(10):
        noisy = 0.9 - 0.8 * SIZES**-0.5 + rng.normal(0, 0.02, len(SIZES))
        law = fit_power_laws(SIZES, noisy[None], weights)
        mine = weights @ (law.at(SIZES)[0] - noisy) ** 2
        found, _ = curve_fit(
            lambda n, c, a, b: c - a * n**-b, SIZES, noisy, p0=(0.9, 1, 0.5), sigma=weights**-0.5,
            bounds=([0, 0, SLOWEST], [1, np.inf, FASTEST]), max_nfev=5000,
        )  # fmt: skip
        theirs = weights @ (found[0] - found[1] * SIZES ** -found[2] - noisy) ** 2
        # b is searched on a grid in steps of 6 %, hence the allowance.
        assert mine <= theirs * 1.05 + 1e-9


def test_more_labels_gain_more() -> None:
    curve = planted_curve(0, (0.9, 1.0, 0.5))
    gains = [forecast(curve, present(curve), 400, more=more).gain.value for more in (50, 100, 200, 400)]
    assert gains == sorted(gains)


def test_a_flat_curve_says_stop_and_a_steep_one_go_on() -> None:
    flat, steep = planted_curve(1, (0.9, 0.5, 1.5)), planted_curve(1, (0.95, 1.3, 0.35), most=60)
    assert forecast(flat, present(flat), 400).advice == STOP
    assert forecast(steep, present(steep), 60).advice == GO_ON


def test_nobody_is_told_to_stop_by_an_accuracy_that_is_hardly_known() -> None:
    flat = planted_curve(2, (0.9, 0.5, 1.5))
    said = forecast(flat, present(flat, half=0.08), 400)
    assert said.advice == UNSURE and said.needed == 520


def test_noise_is_no_curve() -> None:
    rng = np.random.default_rng(3)
    truth = np.eye(2)[rng.integers(2, size=200)]
    jumping = rng.random((200, len(SIZES))) < np.array([0.4, 0.8, 0.45, 0.85, 0.4, 0.8])
    curve = Curve(SIZES, curve_parts(jumping, truth))
    said = forecast(curve, present(curve), 320)
    assert said.advice == REFUSED and "no steady curve" in said.reason and said.gain.value is None


def test_few_checks_few_answers_and_wide_intervals_are_refused_with_a_number() -> None:
    few = planted_curve(4, (0.9, 1.0, 0.5), crops=20)
    assert forecast(few, present(few), 400).needed == 70
    wide = planted_curve(4, (0.9, 1.0, 0.5))
    said = forecast(wide, present(wide, half=2 * FORECAST_HALF_WIDTH), 400)
    assert (said.advice, said.needed) == (REFUSED, 800)
    assert "30 of about 40" in forecast(wide, present(wide), 30).reason


def test_the_curve_of_a_study_rises_and_ends_at_its_present_head() -> None:
    curve = learning_curve(stream_study(5, stream=150, separation=2.5), StreamPlan(folds=3))
    assert (np.diff(curve.sizes) > 0).all() and len(curve.parts) == 150
    assert curve.values[-1] > curve.values[0]
    assert curve.redrawn(np.full((2, 150), 3.0)) == pytest.approx(np.tile(curve.values, (2, 1)))


def test_answers_that_come_later_change_no_earlier_point() -> None:
    data = stream_study(6)
    later = np.arange(len(data.weight)) >= 200
    cut = replace(data, targets=np.where(later[:, None] & ~data.in_stream[:, None], 0.0, data.targets))
    plan = StreamPlan(folds=3)
    assert learning_curve(cut, plan).values[0] == learning_curve(data, plan).values[0]
