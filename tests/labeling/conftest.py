"""A small study with people, for tests of rows; tests of the pure folder do not touch it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imaging.models import Crop
from labeling.models import Study
from tests.factories import add_reader, crops_of, fill_queue, make_experiment, make_study, make_user


@dataclass(frozen=True, slots=True)
class Room:
    """A study led by Alice with the annotators Bob and Dora, and its crops in the order of the queue."""

    study: Study
    alice: Any
    bob: Any
    dora: Any
    crops: list[Crop]


@pytest.fixture
def room(db: None, tmp_path: Path) -> Room:
    """Twelve crops, all of them queued, one read each."""
    experiment = make_experiment(tmp_path, crops=12)
    alice = make_user("alice")
    study = make_study(alice, experiment)
    crops = crops_of(experiment)
    fill_queue(study, crops)
    return Room(study, alice, add_reader(study, "bob"), add_reader(study, "dora"), crops)
