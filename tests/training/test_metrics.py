import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score

from training.learning.metrics import (
    accuracy,
    balanced_accuracy,
    confusion_per_unit,
    macro_f1,
    recall_per_class,
    wilson,
)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_figures_equal_scikit_learn_over_the_classes_in_the_truth(seed, n_classes):
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(0, n_classes, (2, 60))
    confusion = confusion_per_unit(truth, predicted, np.zeros(60, int), n_classes)[0]
    present = np.unique(truth)
    assert balanced_accuracy(confusion) == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert macro_f1(confusion) == pytest.approx(f1_score(truth, predicted, average="macro", labels=present))
    assert accuracy(confusion) == pytest.approx((truth == predicted).mean())


def test_confusion_matrices_of_units_add_up():
    rng = np.random.default_rng(0)
    truth, predicted, unit = rng.integers(0, 3, (3, 50))
    together = confusion_per_unit(truth, predicted, np.zeros(50, int), 3)[0]
    assert np.array_equal(confusion_per_unit(truth, predicted, unit, 3).sum(axis=0), together)


def test_an_absent_class_has_no_recall_and_does_not_lower_the_mean():
    confusion = np.array([[4.0, 0, 1], [0, 0, 0], [1, 0, 4]])
    assert np.isnan(recall_per_class(confusion)[1])
    assert balanced_accuracy(confusion) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)]
)
def test_wilson_intervals_equal_published_values(hits, n, low, high):
    assert wilson(hits / n, n) == pytest.approx((low, high), abs=1e-4)
