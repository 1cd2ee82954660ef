"""Figures without a threshold: equal to scikit-learn's, intervals that cover, a reason where there is none."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.training.test_conformal import study
from training.learning.curves import abstention, ranked_classes


def test_the_areas_are_those_of_the_library_class_by_class() -> None:
    p, truth, unit = study(6)
    for place, row in enumerate(ranked_classes(p, truth, unit, ["a", "b", "c"])):
        own = truth == place
        assert row["roc_auc"]["value"] == pytest.approx(roc_auc_score(own, p[:, place]))
        assert row["average_precision"]["value"] == pytest.approx(average_precision_score(own, p[:, place]))
        assert row["share"] == pytest.approx(own.mean())
        assert row["roc_auc"]["low"] <= row["roc_auc"]["value"] <= row["roc_auc"]["high"]


def test_a_model_that_guesses_has_half_and_the_share_of_the_class() -> None:
    rng = np.random.default_rng(0)
    truth, unit = rng.integers(0, 2, 4000), np.repeat(np.arange(8), 500)
    p = rng.dirichlet([1, 1], 4000)
    row = ranked_classes(p, truth, unit, ["a", "b"])[0]
    assert row["roc_auc"]["low"] <= 0.5 <= row["roc_auc"]["high"]
    assert row["average_precision"]["value"] == pytest.approx(row["share"], abs=0.03)


def test_the_interval_over_experiments_covers_the_figure_of_many() -> None:
    target = ranked_classes(*study(400, seed=99), ["a", "b", "c"])[0]["roc_auc"]["value"]
    inside = 0
    for seed in range(100):
        row = ranked_classes(*study(8, seed=seed), ["a", "b", "c"])[0]["roc_auc"]
        inside += row["low"] <= target <= row["high"]
    assert inside >= 88


def test_a_class_that_is_not_there_has_a_reason() -> None:
    p, _, unit = study(3)
    row = ranked_classes(p, np.zeros(len(p), dtype=np.int64), unit, ["a", "b", "c"])[1]
    assert row["roc_auc"]["value"] is None and "none is of this class" in row["roc_auc"]["reason"]


def test_one_experiment_has_values_without_an_interval() -> None:
    p, truth, unit = study(1)
    row = ranked_classes(p, truth, unit, ["a", "b", "c"])[0]["roc_auc"]
    assert row["value"] is not None and row["low"] is None


def test_who_answers_only_what_is_sure_is_right_more_often() -> None:
    p, truth, _ = study(20, per_unit=200)
    rows = abstention(p, truth)
    assert [row["coverage"] for row in rows] == [1.0, 0.9, 0.8, 0.7, 0.6, 0.5]
    assert [row["n"] for row in rows] == [4000, 3600, 3200, 2800, 2400, 2000]
    right = [row["accuracy"] for row in rows]
    assert right == sorted(right) and right[0] == pytest.approx((p.argmax(axis=1) == truth).mean())
    sure = [row["confidence"] for row in rows]
    assert sure == sorted(sure)
