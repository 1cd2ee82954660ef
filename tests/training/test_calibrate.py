import numpy as np
import pytest
from scipy.special import softmax

from training.learning.calibrate import (
    bin_sums,
    brier,
    calibration_curve,
    ece,
    ece_floor,
    fit_temperature,
    negative_log_likelihood,
    temperatures_of_others,
    tempered,
)


def calibrated(n: int, seed: int = 0, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels drawn from their probabilities."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((n, classes))
    draws = rng.random((n, 1)) < softmax(logits, axis=1).cumsum(axis=1)
    return logits, draws.argmax(axis=1)


def test_the_temperature_that_was_applied_is_found_again():
    logits, labels = calibrated(5000)
    assert fit_temperature(logits, labels) == pytest.approx(1.0, abs=0.05)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3.0, abs=0.15)
    assert fit_temperature(3 * logits, np.eye(3)[labels]) == pytest.approx(fit_temperature(3 * logits, labels))


def test_the_temperature_of_a_fold_depends_on_the_labels_of_the_others_only():
    logits, labels = calibrated(300)
    fold = np.arange(300) % 3
    before = temperatures_of_others(logits, labels, fold)
    assert before[0] == fit_temperature(logits[fold != 0], labels[fold != 0])
    changed = np.where(fold == 0, 0, labels)
    after = temperatures_of_others(logits, changed, fold)
    assert after[0] == before[0] and (after[1:] != before[1:]).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_likelihood_never_gets_worse(seed):
    logits, labels = calibrated(60, seed)
    temperature = fit_temperature(logits, labels)
    before, after = (negative_log_likelihood(tempered(logits, t), labels).mean() for t in (1.0, temperature))
    assert after <= before + 1e-12


def test_too_few_labels_leave_the_model_alone():
    logits, labels = calibrated(49)
    assert fit_temperature(5 * logits, labels) == 1.0


def test_a_temperature_keeps_the_order_of_classes():
    logits, _ = calibrated(50)
    assert np.array_equal(tempered(logits, 4.0).argmax(axis=1), logits.argmax(axis=1))


def test_ece_equals_a_plain_loop():
    logits, labels = calibrated(500)
    p = tempered(logits, 0.4)
    number, _ = bin_sums(p, labels)
    hit, top = p.argmax(axis=1) == labels, p.max(axis=1)
    expected = sum(abs(hit[number == b].mean() - top[number == b].mean()) * (number == b).mean() for b in set(number))
    assert ece(p, labels) == pytest.approx(expected)
    assert sum(entry["n"] for entry in calibration_curve(p, labels)) == 500


def test_the_noise_floor_is_what_labels_drawn_from_the_model_would_show():
    p = tempered(calibrated(200)[0], 1.0)
    rng = np.random.default_rng(1)
    redrawn = [ece(p, (rng.random((200, 1)) < p.cumsum(axis=1)).argmax(axis=1)) for _ in range(300)]
    assert ece_floor(p) == pytest.approx((np.mean(redrawn), np.quantile(redrawn, 0.95)), rel=0.1)


def test_the_noise_floor_falls_with_the_root_of_n():
    p = tempered(calibrated(400)[0], 1.0)
    few, many = ece_floor(p)[0], ece_floor(np.tile(p, (16, 1)))[0]
    assert few / many == pytest.approx(4.0, rel=0.1)


def test_a_calibrated_model_stays_below_the_floor_and_an_overconfident_one_does_not():
    logits, labels = calibrated(1000, seed=3)
    for factor, below in ((1.0, True), (4.0, False)):
        p = tempered(factor * logits, 1.0)
        assert (ece(p, labels) <= ece_floor(p)[1]) is below


def test_proper_scores_of_certain_answers():
    p, labels = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1])
    assert brier(p, labels).tolist() == [0.0, 2.0]
    assert negative_log_likelihood(p, labels) == pytest.approx([0.0, 34.54], abs=0.01)
