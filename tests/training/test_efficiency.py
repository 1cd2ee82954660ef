"""The label-efficiency benchmark: same folds and seeds for all, honest figures, any number of jobs."""

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile
from sklearn.model_selection import StratifiedKFold

from training.learning import efficiency as eff
from training.learning.efficiency import EfficiencyPlan, LabelledPool, label_efficiency
from training.learning.encoders import make_encoder
from training.learning.simulation import SimulatedAnnotator


def pool(n: int = 150, seed: int = 0) -> LabelledPool:
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, n, p=[0.7, 0.2, 0.1])
    rows = np.eye(3)[labels] @ rng.normal(size=(3, 12)) + rng.normal(size=(n, 12)) * 0.8
    return LabelledPool(rows.astype(np.float32), labels, np.arange(n) % 5, 3)


def folds(n: int = 150, parts: int = 3) -> list[tuple[np.ndarray, np.ndarray]]:
    fold = np.arange(n) % parts
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(parts)]


PLAN = EfficiencyPlan(("random", "uherding"), (0, 1), budget=40, step=20)


def test_the_output_has_exactly_the_promised_keys():
    found = label_efficiency(pool(), folds(), PLAN, {"level": "field"})
    assert set(found) == {"strategies", "split"}
    for figures in found["strategies"].values():
        assert set(figures) == {"curve", "area", "labels_to_target", "ratio_to_random", "regret"}
        assert [n for n, _ in figures["curve"]] == [20, 40]
        assert set(figures["regret"]) == {"value", "low", "high"}
    assert found["split"]["level"] == "field"


def test_any_number_of_processes_gives_the_same_figures():
    plans = (EfficiencyPlan(PLAN.strategies, (0,), 20, 10, jobs) for jobs in (1, 2))
    one, two = (label_efficiency(pool(), folds(), plan) for plan in plans)
    assert one == two


def test_random_is_its_own_yardstick():
    figures = label_efficiency(pool(), folds(), PLAN)["strategies"]["random"]
    assert figures["ratio_to_random"] == 1
    assert figures["regret"] == {"value": 0, "low": 0, "high": 0}


def test_an_annotator_who_always_errs_ruins_the_curve():
    wrong = EfficiencyPlan(("random",), (0,), 40, 20, annotator=SimulatedAnnotator("wrong", error_rate=1))
    right = EfficiencyPlan(("random",), (0,), 40, 20)
    final = [label_efficiency(pool(), folds(), p)["strategies"]["random"]["curve"][-1][1] for p in (wrong, right)]
    assert final[0] < 0.5 < final[1]


def test_a_not_sure_answer_costs_a_query_but_adds_no_label():
    data = pool()
    near = LabelledPool(data.embeddings, data.labels, data.experiment, 3, np.zeros(150))
    plan = EfficiencyPlan(("random",), (0,), 40, 20, annotator=SimulatedAnnotator("shy", 0, 0.5))
    asked = list(eff.asked_answers(eff.Run("random", 0, 0), plan, near))
    assert 5 < len(asked[-1].crop_index) < 35


def test_narrow_folds_are_joined_until_a_third_is_tested_and_units_stay_whole():
    unit = np.arange(150) // 15
    narrow = [(np.flatnonzero(unit != k), np.flatnonzero(unit == k)) for k in range(10)]
    for train, test in eff.widen_folds(narrow):
        assert len(test) >= 0.3 * 150
        assert len(train) + len(test) == 150
        assert not set(unit[train]) & set(unit[test])


def test_folds_that_cannot_be_widened_are_refused():
    with pytest.raises(ValueError, match="less than 30%"):
        eff.widen_folds([(np.arange(90), np.arange(90, 100))])


def test_area_of_a_straight_line_is_its_middle():
    assert eff.area([10, 20, 40], np.array([0.1, 0.2, 0.4])) == pytest.approx(0.25)
    assert eff.area([10], np.array([0.3])) == pytest.approx(0.3)


def test_labels_to_target_is_the_first_point_that_reaches_it():
    assert eff.labels_to([10, 20, 30], np.array([0.2, 0.5, 0.4]), 0.45) == 20
    assert eff.labels_to([10, 20], np.array([0.2, 0.3]), 0.5) is None


def test_regret_is_the_largest_mean_deficit_and_lies_in_its_interval():
    generator = np.random.default_rng(0)
    random = np.tile([0.5, 0.7, 0.8], (12, 1))
    other = random - [0.1, -0.1, 0.0] + generator.normal(size=(12, 1)) * 0.01
    found = eff.regret(random, other)
    assert found["value"] == pytest.approx(0.1, abs=0.01)
    assert found["low"] <= found["value"] <= found["high"]


def test_balanced_accuracy_ignores_classes_that_are_not_tested():
    assert eff.mean_recall(np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1])) == pytest.approx(0.75)


def test_plans_without_random_or_without_steps_are_refused():
    with pytest.raises(ValueError, match="'random'"):
        EfficiencyPlan(("margin",))
    with pytest.raises(ValueError, match="at least one step"):
        EfficiencyPlan(budget=5, step=10)


def cell_cycle(folder: Path) -> LabelledPool:
    with (folder / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["experiment"] == "Experiment_1" and row["label"]]
    crops = np.stack([tifffile.imread(folder / row["path"]) for row in rows])
    windows = [tuple(np.percentile(crops[:, channel], (0.5, 99.8))) for channel in range(3)]
    names, labels = np.unique([row["label"] for row in rows], return_inverse=True)
    rows_out = make_encoder("handcrafted", 3).encode(crops, windows)
    return LabelledPool(rows_out, labels, np.zeros(len(labels), dtype=int), len(names))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.shared_data
def test_on_real_cells_the_default_needs_fewer_labels_than_random_and_is_never_much_worse(shared_data):
    data = cell_cycle(shared_data / "02_crops_cellcycle_ifc")
    splitter = StratifiedKFold(3, shuffle=True, random_state=0)
    plan = EfficiencyPlan(("random", "uherding"), (0, 1, 2), budget=100, step=10, jobs=2)
    found = label_efficiency(data, list(splitter.split(data.embeddings, data.labels)), plan)["strategies"]
    assert found["uherding"]["area"] > found["random"]["area"]
    assert found["uherding"]["labels_to_target"] < found["random"]["labels_to_target"]
    assert found["uherding"]["regret"]["value"] < 0.05
