"""Simulated annotators err and hesitate at their rates, and answer a crop the same whenever it is asked."""

import numpy as np
import pytest

from training.learning.simulation import (
    NOT_SURE,
    SimulatedAnnotator,
    boundary_distance,
    boundary_distances,
    scaled_to_share,
)

KEYS = [f"crop-{i}" for i in range(4000)]


def test_the_order_of_asking_does_not_change_an_answer():
    annotator = SimulatedAnnotator("a", 0.3, 0.5, seed=1)
    forward = {key: annotator.answer_crop(key, 2, 0.4, 5) for key in KEYS[:200]}
    backward = {key: annotator.answer_crop(key, 2, 0.4, 5) for key in reversed(KEYS[:200])}
    assert forward == backward


def test_two_annotators_with_one_seed_err_on_different_crops():
    one, two = ([SimulatedAnnotator(name, 0.5).answer_crop(key, 0, None, 2) for key in KEYS[:100]] for name in "ab")
    assert one != two


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_errors_come_at_their_rate_and_spread_over_the_other_classes(rate):
    annotator = SimulatedAnnotator("a", rate)
    answers = np.array([annotator.answer_crop(key, 1, None, 4) for key in KEYS])
    assert np.mean(answers != 1) == pytest.approx(rate, abs=0.03)
    wrong = np.bincount(answers[answers != 1], minlength=4)[[0, 2, 3]]
    assert wrong.max() - wrong.min() <= 0.1 * len(KEYS)


def test_not_sure_falls_with_the_distance_and_never_comes_without_one():
    annotator = SimulatedAnnotator("a", 0, 0.8)

    def share(distance: float | None) -> float:
        return float(np.mean([annotator.answer_crop(key, 0, distance, 2) == NOT_SURE for key in KEYS]))

    assert share(0.0) == pytest.approx(0.8, abs=0.03)
    assert share(1.0) == pytest.approx(0.4, abs=0.03)
    assert share(6.0) == share(None) == 0


def test_distance_is_nothing_on_the_boundary_and_grows_on_both_sides():
    distances = [boundary_distance(np.array([p, 1 - p]), 0) for p in (0.5, 0.9, 0.1, 1.0)]
    assert distances[0] == pytest.approx(0)
    assert distances[1] == pytest.approx(distances[2])
    assert np.isfinite(distances[3])
    assert distances[3] > distances[1]


@pytest.mark.parametrize(("error", "unsure"), [(-0.1, 0), (0, 1.2), (float("nan"), 0)])
def test_rates_outside_zero_to_one_are_refused(error, unsure):
    with pytest.raises(ValueError, match="rates lie in 0 to 1"):
        SimulatedAnnotator("a", error, unsure)


def test_a_truth_outside_the_classes_and_a_negative_distance_are_refused():
    annotator, rng = SimulatedAnnotator("a"), np.random.default_rng(0)
    with pytest.raises(ValueError, match="class 3"):
        annotator.answer(3, None, 3, rng)
    with pytest.raises(ValueError, match="distance"):
        annotator.answer(0, -1.0, 3, rng)


def two_groups(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Crops on a line through the boundary at 0, with their classes."""
    place = np.linspace(-3, 3, n)
    noise = np.random.default_rng(0).normal(size=(n, 4)) * 0.2
    return np.column_stack([place, noise]), (place > 0).astype(int)


def test_crops_near_the_boundary_are_nearest_to_it_by_heads_that_did_not_see_them():
    rows, labels = two_groups()
    found = boundary_distances(rows, labels, 2)
    near, far = np.abs(rows[:, 0]) < 0.3, np.abs(rows[:, 0]) > 2
    assert found[near].max() < found[far].min()


def test_a_crop_without_a_class_has_no_distance_and_spoils_none():
    rows, labels = two_groups()
    labels[100] = -1
    found = boundary_distances(rows, labels, 2)
    assert found[100] == 0
    assert np.isfinite(found).all()


def test_scaled_distances_give_the_share_that_was_asked_for_in_the_same_order():
    distance = np.abs(np.random.default_rng(0).normal(size=2000)) * 7
    scaled = scaled_to_share(distance, 0.9, 0.25)
    assert np.mean(0.9 * 2.0 ** -(scaled**2)) == pytest.approx(0.25)
    assert (np.argsort(scaled) == np.argsort(distance)).all()
    shy = SimulatedAnnotator("a", 0, 0.9)
    said = [shy.answer_crop(str(k), 0, float(d), 2) for k, d in enumerate(scaled)]
    assert np.mean(np.array(said) == NOT_SURE) == pytest.approx(0.25, abs=0.03)


def test_more_doubt_than_on_the_boundary_itself_is_refused():
    with pytest.raises(ValueError, match="above it"):
        scaled_to_share(np.ones(5), 0.2, 0.25)
