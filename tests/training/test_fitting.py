"""Held-out predictions: no crop is ever predicted by a model that saw its unit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.learning.leakage import Places
from training.learning.recipe import Recipe
from training.learning.splits import SplitRules, Units, choose_split, unit_names
from training.worker import fitting
from training.worker.examples import Examples
from training.worker.pool import Pool

QUICK = Recipe.from_mapping({"model": "handcrafted"})


def pool_of(units: Units) -> Pool:
    n = len(units.experiment)
    places = Places(np.full(n, "image"), np.zeros((n, 2)), 1.0)
    keys = units.crop if units.crop is not None else np.arange(n).astype(np.str_)
    features = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    return Pool(np.arange(n), tuple(map(str, keys)), features, np.zeros(n, np.int64), units, places, [])


def examples_of(units: Units, labelled: np.ndarray, labels: np.ndarray) -> Examples:
    crops: Any = np.zeros((len(labelled), 1, 4, 4), np.float32)
    shares = np.eye(2)[labels]
    return Examples(pool_of(units), crops, ["disc", "ring"], labelled, shares, np.zeros(len(labelled), bool), 0)


def three_experiments(level: str) -> tuple[Units, np.ndarray]:
    """20 labelled crops each; one more each without a label, by which the first two belong together."""
    experiment = np.repeat(["e1", "e2", "e3"], 21)
    subject, crop = np.full(63, "", dtype="<U8"), np.arange(63).astype("<U8")
    if level == "experiment":
        subject[[20, 41]] = "shared"
    else:
        experiment, crop[21:42] = np.repeat(["e1", "e2", "e1"], 21), crop[:21]
    blank = np.full(63, "")
    return Units(experiment, subject, blank, blank, crop), np.setdiff1d(np.arange(63), [20, 41, 62])


class Remembering:
    """Stands for a model: remembers the rows it was trained on and checks those that it predicts."""

    def __init__(self, unit: np.ndarray) -> None:
        self.unit, self.checked = unit, 0

    def fit(self, examples: Examples, train_rows: np.ndarray, *_: object) -> set[str]:
        return set(self.unit[examples.labelled[train_rows]])

    def logits(self, seen: set[str], examples: Examples, rows: np.ndarray, *_: object) -> np.ndarray:
        assert not seen & set(self.unit[rows])
        self.checked += len(rows)
        return np.zeros((len(rows), 2))


def check(examples: Examples) -> str:
    """Level of the split, once every prediction was found to be held out."""
    split = choose_split(examples.pool.units, examples.labels, SplitRules(), examples.labelled)
    fake = Remembering(unit_names(examples.pool.units, split.level))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "fit_model", fake.fit)
        patch.setattr(fitting, "_logits", fake.logits)
        held_out = fitting.hold_out(examples, split, QUICK, lambda *_: None)
    assert fake.checked == len(examples.pool.crop_ids)
    assert np.array_equal(held_out.fold[examples.labelled], split.fold_of)
    return split.level


@pytest.mark.parametrize("level", ["experiment", "crop"])
def test_crops_without_a_label_join_the_units_of_the_labelled_ones(level: str) -> None:
    units, labelled = three_experiments(level)
    assert check(examples_of(units, labelled, labelled % 21 % 2)) == level


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.booleans(), st.booleans())
def test_no_crop_is_predicted_by_a_model_that_saw_its_unit(
    seed: int, experiments: int, with_subjects: bool, copied: bool
) -> None:
    rng = np.random.default_rng(seed)
    n, blank = 160, np.full(160, "")
    names = rng.integers(0, experiments, n).astype(np.str_)
    subject = np.where(rng.random(n) < 0.2, rng.integers(0, 8, n).astype(np.str_), "") if with_subjects else blank
    crop = rng.integers(0, 120, n).astype(np.str_) if copied else np.arange(n).astype(np.str_)
    labelled = np.sort(rng.choice(n, 90, replace=False))
    # Copies of a crop get one label, so that enough of both classes stand for their group.
    labels = crop[labelled].astype(np.int64) % 2
    check(examples_of(Units(names, subject, blank, blank, crop), labelled, labels))
