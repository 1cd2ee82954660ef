import numpy as np
import pytest

from training.learning.evaluate import class_prior, evaluate, gate, paired_difference, with_comparisons


def model(hit_rate: float, truth: np.ndarray, seed: int) -> np.ndarray:
    right = np.random.default_rng(seed).random(len(truth)) < hit_rate
    said = np.where(right, truth, 1 - truth)
    return np.abs(np.eye(2)[said] - (1 - hit_rate))


def verdict(hit_rate: float, n_experiments: int = 6, level: str = "experiment", **further):
    truth = np.arange(50 * n_experiments) % 2
    unit = np.repeat(np.arange(n_experiments), 50)
    mine = model(hit_rate, truth, 0)
    others = {"class prior": class_prior(truth, 2, len(truth)), "handcrafted": model(0.7, truth, 1)}
    others |= {name: model(rate, truth, 2) for name, rate in further.items()}
    report = evaluate(mine, truth, unit, ["x", "y"], level)
    return gate(with_comparisons(report, mine, others, truth, unit))


def test_a_model_that_beats_both_baselines_on_six_experiments_is_validated():
    found = verdict(0.9)
    assert (found["passed"], found["status"], found["missing_experiments"]) == (True, "validated", 0)


def test_fewer_than_five_experiments_make_a_pilot_that_says_how_many_are_missing():
    found = verdict(0.95, n_experiments=3)
    assert (found["passed"], found["status"], found["missing_experiments"]) == (True, "pilot", 2)
    assert "2 more are needed" in found["text"]


def test_a_split_below_experiments_is_a_pilot_without_held_out_experiments():
    found = verdict(0.95, level="field")
    assert (found["status"], found["missing_experiments"]) == ("pilot", 5)


@pytest.mark.parametrize(("hit_rate", "broken"), [(0.72, ["beats the best simple baseline"]), (0.5, None)])
def test_a_model_no_better_than_a_simple_one_is_blocked_with_the_figures(hit_rate, broken):
    found = verdict(hit_rate)
    failed = [rule for rule in found["rules"] if rule["blocking"] and not rule["passed"]]
    assert found["status"] == "blocked"
    assert broken is None or [rule["rule"] for rule in failed] == broken
    assert all("95 % interval" in rule["text"] for rule in failed)


def test_a_step_back_from_production_is_blocked():
    assert verdict(0.85, production=0.8)["rules"][2]["rule"] == "is no step back from production"
    assert verdict(0.8, production=0.95)["status"] == "blocked"


def test_a_report_without_comparisons_does_not_pass():
    truth = np.arange(60) % 2
    found = gate(evaluate(model(0.9, truth, 0), truth, np.repeat([0, 1, 2], 20), ["x", "y"]))
    assert not found["passed"]
    assert "was not evaluated" in found["rules"][0]["text"]


def test_a_handcrafted_model_has_to_beat_the_prior_only():
    truth = np.arange(60) % 2
    unit, mine = np.repeat([0, 1, 2], 20), model(0.95, truth, 0)
    report = evaluate(mine, truth, unit, ["x", "y"]) | {"kind": "handcrafted"}
    found = gate(with_comparisons(report, mine, {"class prior": class_prior(truth, 2, 60)}, truth, unit))
    assert found["status"] == "pilot"


def test_a_model_compared_with_itself_differs_by_nothing():
    truth = np.arange(60) % 2
    p = model(0.8, truth, 0)
    found = paired_difference(p, p, truth, np.repeat([0, 1, 2], 20))
    assert (found["value"], found["low"], found["high"]) == (0.0, 0.0, 0.0)


def test_the_difference_changes_sign_when_the_models_change_places():
    truth = np.arange(120) % 2
    a, b, unit = model(0.9, truth, 0), model(0.7, truth, 1), np.repeat(np.arange(6), 20)
    ab, ba = paired_difference(a, b, truth, unit), paired_difference(b, a, truth, unit)
    assert (ab["value"], ab["low"]) == pytest.approx((-ba["value"], -ba["high"]))
