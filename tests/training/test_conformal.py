"""Prediction sets: their threshold by the definition, and coverage on experiments that calibration never saw."""

import numpy as np
import pytest

from training.learning.conformal import fewest_units, held_out_sets, sets_of, threshold


def study(units: int, per_unit: int = 60, spread: float = 0.6, seed: int = 0):
    """Three classes; how hard an experiment is differs between experiments."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, units * per_unit)
    unit = np.repeat(np.arange(units), per_unit)
    strength = 1.5 + rng.normal(0, spread, units)[unit]
    logits = rng.normal(size=(len(truth), 3)) + strength[:, None] * np.eye(3)[truth]
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), truth, unit


def test_with_one_crop_for_each_unit_it_is_the_usual_quantile() -> None:
    scores = np.random.default_rng(0).random(49)
    expected = np.sort(scores)[int(np.ceil(50 * 0.9)) - 1]
    assert threshold(scores, np.arange(49)) == pytest.approx(expected)


def test_a_unit_counts_once_however_many_crops_it_has() -> None:
    scores, unit = np.random.default_rng(1).random(40), np.repeat(np.arange(20), 2)
    doubled = threshold(np.concatenate([scores, scores[:2]]), np.concatenate([unit, unit[:2]]))
    assert doubled == threshold(scores, unit)


def test_too_few_units_rule_nothing_out() -> None:
    assert fewest_units(0.1) == 9 and fewest_units(0.05) == 19
    p, truth, unit = study(9)
    assert threshold(1 - p[np.arange(len(truth)), truth], unit % 8) == float("inf")
    found = held_out_sets(p, truth, unit)
    assert found["coverage"] is None and "would name every class" in found["text"]


def test_a_lower_alpha_gives_sets_that_hold_the_others() -> None:
    p, truth, unit = study(30)
    scores = 1 - p[np.arange(len(truth)), truth]
    small, large = sets_of(p, threshold(scores, unit, 0.2)), sets_of(p, threshold(scores, unit, 0.1))
    assert (large | ~small).all() and large.sum() > small.sum()


@pytest.mark.parametrize("units", [10, 13, 20])
def test_on_average_over_new_experiments_the_truth_is_covered(units: int) -> None:
    found = [held_out_sets(*study(units, seed=seed)) for seed in range(60)]
    assert np.mean([one["coverage"] for one in found]) >= 0.88
    assert all(one["worst"] <= one["coverage"] for one in found)


def test_a_model_that_knows_everything_names_one_class() -> None:
    _, truth, unit = study(12)
    found = held_out_sets(np.eye(3)[truth] * 0.94 + 0.02, truth, unit)
    assert (found["coverage"], found["size"], found["singles"], found["empty"]) == (1.0, 1.0, 1.0, 0.0)
