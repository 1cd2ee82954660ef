import numpy as np
import pytest
import torch

from training.learning.fit import (
    Budget,
    TrainingCancelled,
    class_weights,
    fit_network,
    learning_rate,
)
from training.learning.predict import NetworkPredictor
from training.learning.recipe import Recipe

QUICK = Recipe(width=4, crop_px=16, epochs=4, min_steps=40)
WINDOWS = [(0, 1000), (0, 1000)]


def crops(n: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noise in two channels; crops of class 1 have a bright square."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 400, (n, 2, 16, 16)).astype(np.uint16)
    labels = np.arange(n) % 2
    pixels[labels == 1, 0, 5:11, 5:11] += 500
    return pixels, labels


def state(network: torch.nn.Module) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in network.state_dict().values()]


def test_a_visible_difference_is_learned_and_holds_on_new_crops():
    network = fit_network(*((c := crops())[0], WINDOWS, c[1]), QUICK)
    fresh, labels = crops(40, seed=1)
    said = NetworkPredictor(network, ("plain", "square")).predict(fresh, WINDOWS).argmax(axis=1)
    assert (said == labels).mean() >= 0.95


def test_two_fits_give_the_same_bytes_whatever_the_global_seed():
    pixels, labels = crops(30)
    torch.manual_seed(1)
    first = state(fit_network(pixels, WINDOWS, labels, QUICK))
    torch.manual_seed(2)
    assert state(fit_network(pixels, WINDOWS, labels, QUICK)) == first
    other = Recipe(width=4, crop_px=16, min_steps=40, seed=1)
    assert state(fit_network(pixels, WINDOWS, labels, other)) != first


def test_fitting_leaves_the_global_random_state_and_switches_alone():
    pixels, labels = crops(20)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit_network(pixels, WINDOWS, labels, QUICK)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_hard_labels_are_one_hot_shares():
    pixels, labels = crops(20)
    shares = np.eye(2)[labels]
    assert state(fit_network(pixels, WINDOWS, labels, QUICK)) == state(fit_network(pixels, WINDOWS, shares, QUICK))


def test_a_class_without_crops_keeps_its_place():
    pixels, labels = crops(20)
    network = fit_network(pixels, WINDOWS, np.eye(4)[labels], QUICK)
    p = NetworkPredictor(network, tuple("abcd")).predict(pixels, WINDOWS)
    assert p.shape == (20, 4)
    assert p[:, 2:].max() < 0.5


def test_progress_rises_to_one_and_cancels_when_told():
    pixels, labels = crops(20)
    seen: list[float] = []
    fit_network(pixels, WINDOWS, labels, QUICK, lambda fraction, text: seen.append(fraction))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)
    with pytest.raises(TrainingCancelled, match="50%"):
        fit_network(pixels, WINDOWS, labels, QUICK, lambda fraction, text: fraction < 0.5)


def test_a_time_budget_ends_training_early_with_a_finished_schedule():
    pixels, labels = crops(20)
    ticks = iter(range(1000))
    calls: list[float] = []
    budget = Budget(5, lambda: next(ticks))
    fit_network(pixels, WINDOWS, labels, QUICK, lambda f, text: calls.append(f), budget=budget)
    assert len(calls) < 8
    assert learning_rate(1.0, 0.1) == 0.0 < learning_rate(0.5, 0.1) < learning_rate(0.1, 0.1) == 0.1


def test_rare_classes_weigh_more_and_the_mean_over_crops_is_one():
    targets = np.eye(2)[np.repeat([0, 1], [90, 10])]
    weights = class_weights(targets, np.ones(100), 0.5)
    assert weights[1] / weights[0] == pytest.approx(3.0)
    assert (targets @ weights).mean() == pytest.approx(1.0)
    assert class_weights(targets, np.ones(100), 0.0) == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x, y * 0), "at least two classes"),
        (lambda x, y: (np.where(x > 100, np.nan, x), y), "NaN"),
        (lambda x, y: (x, y[:-1]), "as many labels"),
        (lambda x, y: (x, y - 1), "class indices"),
        (lambda x, y: (x[:, :1], y), "windows"),
        (lambda x, y: (x, np.full((len(x), 2), np.nan)), "finite"),
    ],
)
def test_input_that_cannot_be_learned_from_is_refused(change, message):
    pixels, labels = change(*crops(20))
    with pytest.raises(ValueError, match=message):
        fit_network(pixels, WINDOWS, labels, QUICK)


def test_training_that_diverges_says_what_to_change():
    pixels, labels = crops(20)
    with pytest.raises(ValueError, match="lower learning_rate"):
        fit_network(pixels, WINDOWS, labels, QUICK, weight=np.full(20, 1e38))
