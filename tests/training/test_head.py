"""The fast head: one optimum, exact variance, defined answers for few classes and few answers."""

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from training.learning import head as heads
from training.learning.head import HeadSettings, fit_head, probabilities, standardise, variance


def sample(n: int = 120, d: int = 20, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, d)).astype(np.float32) * 3 + 7
    labels = (rows[:, :classes] + rng.gumbel(size=(n, classes))).argmax(axis=1)
    return rows, np.eye(classes)[labels]


@pytest.mark.parametrize("n", [6, 40, 300])
def test_every_start_leads_to_the_same_probabilities(n):
    rows, targets = sample(n)
    first = fit_head(rows, targets)
    other, _ = sample(200, seed=1)
    wrong = fit_head(rows, np.roll(targets, 1, axis=1))
    again = fit_head(rows, targets, start=wrong)
    np.testing.assert_allclose(probabilities(again, other), probabilities(first, other), atol=1e-3)


@pytest.mark.parametrize("calibrate", [False, True])
def test_the_order_of_answers_does_not_matter(calibrate):
    rows, targets = sample()
    order = np.random.default_rng(3).permutation(len(rows))
    settings = HeadSettings(calibrate=calibrate)
    norm = standardise(rows)
    first = fit_head(rows, targets, settings=settings, standardisation=norm)
    second = fit_head(rows[order], targets[order], settings=settings, standardisation=norm)
    np.testing.assert_allclose(probabilities(first, rows), probabilities(second, rows), atol=1e-6)


def test_weights_equal_scikit_learn_when_the_bias_is_free():
    rows, targets = sample()
    settings = HeadSettings(ridge=0.5, bias_ridge=1e-9, balanced=False, tolerance=1e-9)
    fitted = fit_head(rows, targets, settings=settings)
    phi = heads.design(rows, fitted.mean, fitted.scale)[:, :-1]
    reference = LogisticRegression(C=2, tol=1e-9, max_iter=5000).fit(phi, targets.argmax(axis=1))
    np.testing.assert_allclose(fitted.weights[:-1], reference.coef_.T, atol=1e-4)


def test_the_gradient_of_the_penalised_loss_is_zero_at_the_optimum():
    rows, targets = sample(60)
    settings = HeadSettings(balanced=False)
    fitted = fit_head(rows, targets, settings=settings)
    phi = heads.design(rows, fitted.mean, fitted.scale)
    slope = phi.T @ (np.exp(log_softmax(phi @ fitted.weights, axis=1)) - targets)
    slope += heads.penalties(20, settings)[:, None] * fitted.weights
    assert np.abs(slope).max() < 1e-4


def test_balanced_weights_give_every_answered_class_the_same_total():
    targets = np.eye(3)[[0, 0, 0, 0, 1]]
    weight = heads.balanced_weights(targets, np.ones(5))
    np.testing.assert_allclose(weight @ targets, [2.5, 2.5, 0])


def test_variance_is_the_quadratic_form_and_falls_where_answers_are():
    rows, targets = sample()
    norm = standardise(rows)
    few, many = (fit_head(rows[:n], targets[:n], standardisation=norm) for n in (10, 60))
    phi = heads.design(rows, norm.mean, norm.scale)
    np.testing.assert_allclose(variance(few, rows), np.diag(phi @ few.covariance @ phi.T), rtol=1e-9)
    assert (variance(many, rows) <= variance(few, rows) + 1e-12).all()
    assert variance(few, rows[:10]).max() < variance(few, rows[10:]).min()


def test_variance_softens_probabilities_but_never_changes_the_class():
    raw = np.array([[3.0, 1.0, 0.0]] * 3)
    p = heads.probit_probabilities(raw, np.array([0.0, 5.0, 500.0]), 1.0)
    assert (np.diff(p[:, 0]) < 0).all()
    assert (p.argmax(axis=1) == 0).all()


def test_without_answers_every_class_is_as_likely():
    fitted = fit_head(np.empty((0, 5), np.float32), np.empty((0, 3)))
    np.testing.assert_allclose(probabilities(fitted, np.ones((2, 5), np.float32)), 1 / 3)


def test_with_one_class_it_is_likelier_but_never_certain():
    rows, _ = sample(30)
    fitted = fit_head(rows, np.eye(3)[np.zeros(30, int)])
    p = probabilities(fitted, rows)
    assert (p[:, 0] > 0.5).all()
    assert (p[:, 0] < 1).all()


def test_three_hundred_classes_are_fitted():
    rows = np.random.default_rng(0).normal(size=(300, 40)).astype(np.float32)
    fitted = fit_head(rows, np.eye(300))
    assert (probabilities(fitted, rows).argmax(axis=1) == np.arange(300)).mean() > 0.9


def test_soft_targets_equal_repeated_votes():
    rows, _ = sample(20)
    votes = np.array([[2, 1, 0], [0, 3, 0], [1, 1, 1], [0, 0, 3]] * 5, float)
    settings = HeadSettings(balanced=False)
    norm = standardise(rows)
    soft = fit_head(rows, votes / 3, np.full(20, 3.0), settings, standardisation=norm)
    long = np.repeat(np.arange(20), 3)
    hard = np.eye(3)[np.concatenate([np.repeat(np.arange(3), v.astype(int)) for v in votes])]
    repeated = fit_head(rows[long], hard, settings=settings, standardisation=norm)
    np.testing.assert_allclose(soft.weights, repeated.weights, atol=1e-5)


def test_standardise_equals_numpy_in_any_chunk_and_keeps_constant_columns():
    rows, _ = sample(101)
    rows[:, 3] = 12.5
    found = standardise(rows, chunk=17)
    np.testing.assert_allclose(found.mean, rows.astype(float).mean(axis=0))
    expected = np.where(np.arange(20) == 3, 1, rows.astype(float).std(axis=0))
    np.testing.assert_allclose(found.scale, expected)


def test_temperature_recovers_the_factor_by_which_logits_are_too_large():
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(20000, 3)) * 2
    labels = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
    assert heads.fit_temperature(raw * 4, np.eye(3)[labels]) == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize(
    ("targets", "weight"), [([[0.5, 0.6]], None), ([[np.nan, 1]], None), ([[-1, 2]], None), ([[0, 1]], [-1.0])]
)
def test_impossible_targets_and_weights_are_refused(targets, weight):
    with pytest.raises(ValueError, match="must be"):
        fit_head(np.ones((1, 4)), np.array(targets, float), None if weight is None else np.array(weight))


def test_embeddings_with_nan_are_refused():
    with pytest.raises(ValueError, match="NaN or infinite"):
        fit_head(np.array([[1.0, np.nan]]), np.eye(2)[[0]])
