"""A small study with labels, for tests of rows; tests of the pure folder do not touch it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imaging.models import Crop
from labeling.models import Study
from tests.factories import add_reader, crops_of, make_experiment, make_study, make_user


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
