import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.learning.splits import SplitRules, Units, choose_split, satisfies, single_holdout, unit_names

RULES = SplitRules()


def units(n: int, **given: list[str]) -> Units:
    return Units(*(np.array(given.get(k, [""] * n), dtype=np.str_) for k in Units.__dataclass_fields__))


def repeated(names: list[str], times: int) -> list[str]:
    return [name for name in names for _ in range(times)]


def alternating(n: int, classes: int = 2) -> np.ndarray:
    return np.arange(n) % classes


def check(split, labels) -> None:
    """Both sides of every fold keep the rule, no unit crosses, every crop is held out exactly once."""
    for train, test in split.folds:
        assert satisfies(labels[train], RULES) and satisfies(labels[test], RULES)
        assert not set(split.unit_of[train]) & set(split.unit_of[test])
    assert np.array_equal(np.sort(np.concatenate([test for _, test in split.folds])), np.arange(len(labels)))


def test_three_experiments_with_all_classes_are_held_out_one_by_one():
    labels = alternating(60)
    split = choose_split(units(60, experiment=repeated(["a", "b", "c"], 20)), labels)
    assert (split.level, len(split.folds)) == ("experiment", 3)
    check(split, labels)
    assert "Held out by experiment: 3 experiments in 3 folds" in split.why


def test_a_subject_in_two_experiments_keeps_them_on_one_side():
    subject = repeated(["p1", "p2"], 15) + repeated(["p2", "p3", "", ""], 15)
    labels = alternating(90)
    split = choose_split(units(90, experiment=repeated(["a", "b", "c"], 30), subject=subject), labels)
    assert set(split.unit_of) == {"a + b", "c"}
    check(split, labels)


def test_an_experiment_of_one_class_is_joined_to_another_and_reported():
    labels = np.concatenate([alternating(40), np.zeros(20, int)])
    split = choose_split(
        units(60, experiment=repeated(["a", "b", "c"], 20)), labels, SplitRules(classes=("G1", "G2"))
    )
    assert (split.level, len(split.folds)) == ("experiment", 2)
    check(split, labels)
    assert [entry.experiment for entry in split.not_evaluable] == ["c"]
    assert "one class only (G1 20)" in split.not_evaluable[0].reason


def test_small_experiments_are_held_out_together_and_none_is_called_not_evaluable():
    labels = np.tile([0] * 4 + [1] * 16, 6)
    split = choose_split(units(120, experiment=repeated(list("abcdef"), 20)), labels)
    assert (split.level, split.not_evaluable) == ("experiment", ())
    assert "6 experiments too small to stand alone are held out together" in split.why
    check(split, labels)


def test_experiments_that_share_a_crop_stay_on_one_side():
    crop = [str(i % 50) for i in range(60)]
    labels = alternating(60)
    split = choose_split(units(60, experiment=repeated(["a", "b", "c"], 20), crop=crop), labels)
    assert set(split.unit_of) == {"a + c", "b"}


def test_two_experiments_of_which_one_holds_one_class_are_split_below():
    labels = np.concatenate([alternating(40), np.zeros(20, int)])
    wells = repeated(["A1", "A2", "A3", "A4"], 10) + ["A1"] * 20
    split = choose_split(units(60, experiment=["a"] * 40 + ["b"] * 20, sample=wells), labels)
    assert split.level == "sample"
    assert "By experiment: 2 units, but no way" in split.why and "By subject: no subject" in split.why
    assert "not for a new experiment" in split.why
    check(split, labels)


def test_the_same_well_name_on_two_plates_is_two_samples():
    names = unit_names(units(2, experiment=["p1", "p2"], sample=["B02", "B02"]), "sample")
    assert names.tolist() == ["p1/B02", "p2/B02"]


def test_without_any_unit_the_folds_are_stratified_crops():
    labels = np.repeat([0, 1, 2], [40, 12, 2])
    split = choose_split(units(54), labels)
    assert (split.level, len(split.folds)) == ("crop", 2)
    check(split, labels)
    assert [np.bincount(labels[test])[1] for _, test in split.folds] == [6, 6]


def test_too_few_labels_say_how_many_are_needed():
    with pytest.raises(ValueError, match="2 classes need 10 labelled crops each"):
        choose_split(units(12), alternating(12))
    with pytest.raises(ValueError, match="equally long"):
        choose_split(units(12), alternating(11))
    with pytest.raises(ValueError, match="class indices"):
        choose_split(units(1), np.array([-1]))


def test_one_holdout_has_at_least_the_share_asked_for_and_no_more_than_needed():
    labels = alternating(100)
    split = single_holdout(units(100, experiment=repeated(list("abcde"), 20)), labels, 0.3)
    ((train, test),) = split.folds
    assert len(test) == 40
    assert satisfies(labels[train], RULES) and satisfies(labels[test], RULES)


def test_many_small_units_are_spread_evenly():
    rng = np.random.default_rng(0)
    labels = (rng.random(400) < 0.2).astype(int)
    split = choose_split(units(400, experiment=repeated([str(i) for i in range(40)], 10)), labels)
    assert len(split.folds) == 5
    check(split, labels)
    assert np.ptp([labels[test].sum() for _, test in split.folds]) <= 4
    assert np.array_equal(np.bincount(split.fold_of), [len(test) for _, test in split.folds])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(2, 4), st.booleans())
def test_every_split_keeps_the_rules_and_is_deterministic(seed, n_experiments, n_classes, with_subjects):
    rng = np.random.default_rng(seed)
    experiment = rng.integers(0, n_experiments, 200)
    labels = np.where(rng.random(200) < 0.5, experiment % n_classes, rng.integers(0, n_classes, 200))
    subject = rng.integers(0, 30, 200).astype(str) if with_subjects else np.full(200, "")
    where = units(200, experiment=experiment.astype(str).tolist(), subject=subject.tolist())
    split, again = choose_split(where, labels), choose_split(where, labels)
    check(split, labels)
    assert split.why == again.why and np.array_equal(split.fold_of, again.fold_of)


@pytest.mark.shared_data
def test_the_cell_cycle_set_cannot_be_held_out_by_experiment_and_says_why(shared_data):
    with (shared_data / "02_crops_cellcycle_ifc" / "manifest.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["kind"] == "image"]
    classes, labels = np.unique([row["label"] for row in rows], return_inverse=True)
    experiment, path = [row["experiment"] for row in rows], [row["path"] for row in rows]
    split = choose_split(
        units(len(rows), experiment=experiment, field=path), labels, SplitRules(classes=tuple(classes))
    )
    assert split.level == "field"
    assert split.not_evaluable[0].experiment == "Experiment_2" and "G1 40" in split.not_evaluable[0].reason
    check(split, labels)


@pytest.mark.shared_data
def test_the_slides_of_the_mitosis_set_are_held_out_by_slide(shared_data):
    with (shared_data / "01_crops_mitosis_amibr" / "manifest.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["annotator"] == "majority_of_3"]
    labels = np.unique([row["label"] for row in rows], return_inverse=True)[1]
    split = choose_split(units(len(rows), experiment=[row["experiment"] for row in rows]), labels)
    assert (split.level, len(set(split.unit_of)), len(split.folds)) == ("experiment", 18, 5)
    check(split, labels)
