import json

import numpy as np
import pytest

from training.learning.evaluate import class_prior, evaluate


def answers(n: int, hit_rate: float = 0.8, seed: int = 0, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right with the given rate, and the truth."""
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % classes
    said = np.where(rng.random(n) < hit_rate, truth, (truth + 1) % classes)
    return 0.7 * np.eye(classes)[said] + 0.3 / classes, truth


def test_the_report_is_json_with_n_and_an_interval_for_every_figure():
    p, truth = answers(120)
    report = evaluate(p, truth, np.repeat(list("abcdef"), 20), ["x", "y"])
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    for name in ("balanced_accuracy", "macro_f1", "accuracy", "nll", "brier", "ece"):
        figure = report[name]
        assert figure["n"] == 120
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_the_order_of_crops_changes_nothing():
    p, truth = answers(60)
    unit = np.repeat(list("abc"), 20)
    mixed = np.random.default_rng(1).permutation(60)
    first, second = evaluate(p, truth, unit, "xy"), evaluate(p[mixed], truth[mixed], unit[mixed], "xy")
    assert first["balanced_accuracy"] == pytest.approx(second["balanced_accuracy"])
    assert first["confusion"] == second["confusion"]


def test_units_are_listed_worst_first_with_their_counts():
    p, truth = answers(40, hit_rate=1.0)
    p[:20] = p[:20, ::-1]
    report = evaluate(p, truth, np.repeat(["bad", "good"], 20), ["x", "y"])
    assert [(u["unit"], u["balanced_accuracy"], u["n"]) for u in report["per_unit"]] == [
        ("bad", 0.0, 20),
        ("good", 1.0, 20),
    ]
    assert report["per_unit"][0]["counts"] == {"x": 10, "y": 10}


def test_a_class_absent_from_the_truth_is_not_evaluable():
    p, truth = answers(40)
    p = np.hstack([p * 0.9, np.full((40, 1), 0.1)])
    report = evaluate(p, truth, np.repeat(list("abcd"), 10), ["x", "y", "rare"])
    assert report["not_evaluable"] == ["rare"]
    assert report["recall"][2]["value"] is None and "no held-out crop is rare" in report["recall"][2]["reason"]


def test_one_experiment_gives_values_without_intervals():
    p, truth = answers(40)
    report = evaluate(p, truth, np.full(40, "a"), ["x", "y"])
    assert report["balanced_accuracy"]["low"] is None
    assert "only one experiment" in report["balanced_accuracy"]["reason"]


def test_at_the_level_of_crops_the_report_warns():
    p, truth = answers(100)
    report = evaluate(p, truth, np.full(100, ""), ["x", "y"], level="crop")
    assert "too narrow for a new experiment" in report["interval"]
    assert report["balanced_accuracy"]["low"] < report["balanced_accuracy"]["value"]


def test_a_recall_that_varies_between_experiments_has_a_wider_interval():
    truth = np.zeros(200, int)
    said = {"even": np.tile([1, 1, 1, 0], 50), "uneven": np.repeat([1, 1, 1, 0], 50)}
    width = {}
    for name, right in said.items():
        p = np.where(right[:, None] == 1, [[0.9, 0.1]], [[0.1, 0.9]])
        recall = evaluate(p, truth, np.repeat(list("abcd"), 50), ["x", "y"])["recall"][0]
        width[name] = recall["high"] - recall["low"]
    assert width["uneven"] > 3 * width["even"]


def test_the_class_prior_has_the_balanced_accuracy_of_chance():
    truth = np.repeat([0, 0, 1], 20)
    p = class_prior(truth, 2, 60)
    assert p[0] == pytest.approx([2 / 3, 1 / 3])
    assert evaluate(p, truth, np.tile(list("abc"), 20), ["x", "y"])["balanced_accuracy"]["value"] == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, t, u: (p[:0], t[:0], u[:0]), "nothing to evaluate"),
        (lambda p, t, u: (p[:5], t, u), "do not fit together"),
        (lambda p, t, u: (p * np.nan, t, u), "finite and sum to 1"),
        (lambda p, t, u: (p, t + 5, u), "class indices from 0 to 1"),
    ],
)
def test_broken_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        evaluate(*change(*answers(10), np.repeat(["a", "b"], 5)), ["x", "y"])
