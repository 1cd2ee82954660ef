"""A small study with labels, for tests of rows; tests of the pure folder do not touch it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imaging.models import Crop
from labeling.models import Study
from tests.factories import add_reader, crops_of, make_experiment, make_study, make_user
from training.learning.efficiency.folds import hold_out
from training.learning.efficiency.outcome import Outcome, compare_arms
from training.learning.efficiency.plan import EfficiencyPlan, LabelledPool
from training.learning.simulation import SimulatedAnnotator
from training.learning.splits import SplitRules, Units


@dataclass(frozen=True, slots=True)
class Bench:
    """A study over two experiments of 24 crops each, led by Alice, read by Bob; nobody has answered yet."""

    study: Study
    alice: Any
    bob: Any
    crops: list[Crop]


@pytest.fixture
def bench(db: None, tmp_path: Path) -> Bench:
    """Discs and rings in equal numbers."""
    experiments = [make_experiment(tmp_path, f"plate {number}", seed=number) for number in (1, 2)]
    alice = make_user("alice")
    study = make_study(alice, *experiments)
    crops = [crop for experiment in experiments for crop in crops_of(experiment)]
    return Bench(study, alice, add_reader(study, "bob"), crops)


@pytest.fixture(scope="session")
def comparison() -> Outcome:
    """A finished comparison of random and the default on made-up crops, by a simulated annotator."""
    rng = np.random.default_rng(0)
    labels = rng.choice(3, 120, p=[0.6, 0.25, 0.15])
    rows = np.eye(3)[labels] @ rng.normal(size=(3, 12)) + rng.normal(size=(120, 12)) * 0.8
    experiment = np.arange(120) % 5
    data = LabelledPool(rows.astype(np.float32), labels, experiment, 3, np.abs(rng.normal(size=120)))
    empty = np.full(120, "")
    held = hold_out(Units(experiment.astype(np.str_), empty, empty, empty), labels, SplitRules(max_folds=3))
    person = SimulatedAnnotator("simulated not-sure", 0.0, 0.9)
    plan = EfficiencyPlan(seeds=(0, 1), budget=40, step=20, annotator=person)
    return compare_arms(plan, data, held, lambda done, total: None)
