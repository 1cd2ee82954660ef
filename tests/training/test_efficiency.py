"""The label-efficiency benchmark: same folds and seeds for all, nothing of a test part asked, any number of jobs."""

import csv
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
import tifffile

from training.learning.efficiency.folds import Partition, hold_out, widen_folds
from training.learning.efficiency.outcome import Outcome, compare_arms
from training.learning.efficiency.plan import Arm, EfficiencyPlan, LabelledPool
from training.learning.efficiency.replay import Run, asked_crops
from training.learning.efficiency.report import make_report
from training.learning.efficiency.rows import curve_rows
from training.learning.efficiency.table import as_text
from training.learning.encoders import make_encoder
from training.learning.ranking import RankingSettings
from training.learning.simulation import NOT_SURE, SimulatedAnnotator
from training.learning.splits import SplitRules, Units

CLASSES = ("a", "b", "c")
DEFAULT = RankingSettings().strategy
PLAN = EfficiencyPlan(("random", DEFAULT), (0, 1), budget=40, step=20)


def pool(n: int = 150, seed: int = 0) -> LabelledPool:
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, n, p=[0.6, 0.25, 0.15])
    rows = np.eye(3)[labels] @ rng.normal(size=(3, 12)) + rng.normal(size=(n, 12)) * 0.8
    return LabelledPool(rows.astype(np.float32), labels, np.arange(n) % 5, 3)


def units(experiment: np.ndarray, subject: np.ndarray | None = None) -> Units:
    empty = np.full(len(experiment), "")
    return Units(experiment.astype(np.str_), empty if subject is None else subject.astype(np.str_), empty, empty)


def partition(data: LabelledPool) -> Partition:
    return hold_out(units(data.experiment), data.labels, SplitRules(max_folds=3))


def outcome(plan: EfficiencyPlan = PLAN, data: LabelledPool | None = None) -> Outcome:
    data = data or pool()
    return compare_arms(plan, data, partition(data), lambda done, total: None)


def test_any_number_of_processes_gives_the_same_report_and_rows():
    one, two = (outcome(replace(PLAN, seeds=(0,), jobs=jobs)) for jobs in (1, 2))
    assert make_report(one, CLASSES) == make_report(two, CLASSES)
    assert list(curve_rows(one, CLASSES)) == list(curve_rows(two, CLASSES))


def test_an_interruption_ends_every_process():
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    data, others = pool(), set(active_children())
    with pytest.raises(KeyboardInterrupt):
        compare_arms(replace(PLAN, jobs=2), data, partition(data), stop)
    assert set(active_children()) <= others


def test_random_and_the_default_are_in_every_report_and_random_is_its_own_yardstick():
    found = make_report(outcome(), CLASSES)
    assert list(found["strategies"]) == ["random", DEFAULT]
    assert found["strategies"]["random"]["ratio_to_random"] == 1
    assert found["strategies"]["random"]["regret"] == {"value": 0, "low": 0, "high": 0}
    assert found["noise_floor"]["regret"]["high"] > 0


def test_nothing_of_a_test_part_or_held_apart_is_ever_asked():
    found = outcome()
    for (_, _, fold), run in found.found.items():
        train, test = found.partition.folds[fold]
        assert not set(run.asked) & set(test)
        assert set(run.asked) <= set(train)
        assert len(set(run.asked)) == len(run.asked) == 40


def test_the_random_arm_drawn_at_once_asks_what_it_would_ask_one_by_one():
    data, arm = pool(), Arm("random", RankingSettings(strategy="random"))
    at_once = [crop for crop, _ in asked_crops(Run(arm, 3, 0), PLAN, data, 30)]
    short = [crop for crop, _ in asked_crops(Run(arm, 3, 0), PLAN, data, 7)]
    assert at_once[:7] == short
    assert len(set(at_once)) == 30


def test_an_annotator_who_always_errs_ruins_the_curve():
    def final(annotator: SimulatedAnnotator) -> float:
        return float(outcome(replace(PLAN, seeds=(0,), annotator=annotator)).tally("random").curve[-1])

    assert final(SimulatedAnnotator("wrong", error_rate=1)) < 0.5 < final(SimulatedAnnotator("truth"))


def test_a_not_sure_answer_costs_a_query_but_adds_no_label():
    near = replace(pool(), distance=np.zeros(150))
    plan = replace(PLAN, annotator=SimulatedAnnotator("shy", 0, 0.5))
    *_, (_, notes) = asked_crops(Run(plan.arms()[0], 0, 0), plan, near, 40)
    assert 5 < len(notes.answers().crop_index) < 35
    assert len(notes.answers().crop_index) + len(notes.unsure) == 40


def test_a_crop_gets_the_same_answer_in_every_fold():
    whole, some = replace(pool(), distance=np.zeros(150)), np.arange(30, 90)
    plan = replace(PLAN, annotator=SimulatedAnnotator("shy", 0, 0.5))

    def unsure(data: LabelledPool) -> set[int]:
        *_, (_, notes) = asked_crops(Run(plan.arms()[0], 0, 0), plan, data, len(data.labels))
        return set(notes.unsure)

    assert {int(some[crop]) for crop in unsure(whole.part(some))} == unsure(whole) & set(some.tolist())


def test_with_soft_labels_a_not_sure_answer_is_half_a_vote_for_each_of_the_two_likeliest():
    near = replace(pool(), distance=np.zeros(150))
    plan = replace(PLAN, annotator=SimulatedAnnotator("shy", 0, 0.5), soft_not_sure=True)
    *_, (_, notes) = asked_crops(Run(plan.arms()[-1], 0, 0), plan, near, 40)
    targets = notes.answers().targets
    soft = targets[targets.max(axis=1) < 1]
    assert len(soft) > 3
    assert ((soft == 0.5).sum(axis=1) == 2).all()


def test_a_real_not_sure_is_never_tested_and_says_so_when_asked():
    data = pool()
    data.labels[:20] = NOT_SURE
    found = outcome(PLAN, data)
    for _, test in found.partition.folds:
        assert (data.labels[test] >= 0).all()
    assert max(run.not_sure[-1] for run in found.found.values()) > 0


def test_narrow_folds_are_joined_until_a_third_is_tested_and_units_stay_whole():
    unit = np.arange(150) // 15
    narrow = [(np.flatnonzero(unit != k), np.flatnonzero(unit == k)) for k in range(10)]
    for train, test in widen_folds(narrow):
        assert len(test) >= 0.3 * 150
        assert len(train) + len(test) == 150
        assert not set(unit[train]) & set(unit[test])


def test_folds_that_cannot_be_widened_are_refused():
    with pytest.raises(ValueError, match="less than 30%"):
        widen_folds([(np.arange(90), np.arange(90, 100))])


def test_experiments_and_the_subjects_they_share_stay_on_one_side():
    experiment, subject = np.arange(150) % 6, np.arange(150) % 6 // 2
    found = hold_out(units(experiment, np.char.add("s", subject.astype(np.str_))), pool().labels, SplitRules())
    assert found.level == "experiment"
    for train, test in found.folds:
        assert not set(experiment[train]) & set(experiment[test])
        assert not set(subject[train]) & set(subject[test])


def one_rich_experiment() -> tuple[LabelledPool, Partition]:
    data = pool()
    experiment = np.where(np.arange(150) < 120, "rich", "poor")
    data.labels[120:] = 0
    return data, hold_out(units(experiment), data.labels, SplitRules(max_folds=3))


def test_where_one_experiment_holds_everything_folds_lie_inside_it_and_the_other_is_held_apart():
    data, found = one_rich_experiment()
    assert "Within one experiment (rich)" in found.why
    assert found.apart.tolist() == list(range(120, 150))
    for train, test in found.folds:
        assert max(train.max(), test.max()) < 120
    report = make_report(compare_arms(PLAN, data, found, lambda done, total: None), CLASSES)
    apart = [part for part in report["held_out"] if part["apart"]]
    assert [part["part"] for part in apart] == ["poor"]
    assert apart[0]["recall"]["random"]["b"] is None
    assert 0 <= apart[0]["recall"]["random"]["a"] <= 1
    assert "not evaluable in poor: b, c" in as_text(report)


def test_a_single_experiment_is_said_to_be_one():
    found = hold_out(units(np.full(150, "only")), pool().labels, SplitRules(max_folds=3))
    assert found.why.startswith("Within one experiment (only)")
    assert len(found.apart) == 0


def test_a_budget_above_the_pool_is_cut_and_said():
    report = make_report(outcome(replace(PLAN, budget=10_000, seeds=(0,))), CLASSES)
    smallest = report["split"]["smallest_pool"]
    assert smallest - 20 < report["budget"]["measured"] <= smallest
    assert any("was cut" in note for note in report["notes"])


def test_a_class_with_one_crop_is_reported():
    data = pool()
    data.labels[data.labels == 2] = 0
    data.labels[7] = 2
    report = make_report(outcome(replace(PLAN, seeds=(0,)), data), CLASSES)
    assert report["strategies"]["random"]["recall"]["c"]["value"] in (0, 1)
    assert "c: not evaluable in" in as_text(report)


def test_plans_that_cannot_be_run_are_refused():
    with pytest.raises(ValueError, match="'random'"):
        EfficiencyPlan(("margin", DEFAULT))
    with pytest.raises(ValueError, match=f"'{DEFAULT}'"):
        EfficiencyPlan(("random", "margin"))
    with pytest.raises(ValueError, match="at least one step"):
        EfficiencyPlan(budget=5, step=10)
    with pytest.raises(ValueError, match="unknown strategy"):
        EfficiencyPlan(("random", DEFAULT, "clever"))
    with pytest.raises(ValueError, match="fewer than one step of 200"):
        outcome(replace(PLAN, budget=200, step=200))


def test_there_is_a_row_for_every_arm_seed_fold_and_point():
    found = outcome()
    rows = list(curve_rows(found, CLASSES))
    assert len(rows) == len(found.arms) * 2 * len(found.partition.folds) * 2
    assert {row["queries"] for row in rows} == {20, 40}
    mean = np.mean([row["balanced_accuracy"] for row in rows if row["strategy"] == "random" and row["queries"] == 40])
    assert mean == pytest.approx(found.tally("random").curve[-1], abs=0.05)


def cell_cycle(folder: Path) -> tuple[LabelledPool, Units]:
    with (folder / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["experiment"] == "Experiment_1" and row["label"]]
    crops = np.stack([tifffile.imread(folder / row["path"]) for row in rows])
    windows = [tuple(np.percentile(crops[:, channel], (0.5, 99.8))) for channel in range(3)]
    names, labels = np.unique([row["label"] for row in rows], return_inverse=True)
    rows_out = make_encoder("handcrafted", 3).encode(crops, windows)
    return LabelledPool(rows_out, labels, np.zeros(len(labels), dtype=int), len(names)), units(
        np.full(len(labels), "Experiment_1")
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.shared_data
def test_on_real_cells_the_default_needs_fewer_labels_than_random_and_is_never_much_worse(shared_data):
    data, where = cell_cycle(shared_data / "02_crops_cellcycle_ifc")
    plan = EfficiencyPlan(seeds=(0, 1, 2), budget=100, step=10, jobs=2)
    held = hold_out(where, data.labels, SplitRules(max_folds=3))
    names = tuple(f"class {k}" for k in range(data.classes))
    found = make_report(compare_arms(plan, data, held, lambda done, total: None), names)["strategies"]
    assert found[DEFAULT]["area"] > found["random"]["area"]
    assert found[DEFAULT]["labels_to_target"] < found["random"]["labels_to_target"]
    assert found[DEFAULT]["regret"]["value"] < 0.05
