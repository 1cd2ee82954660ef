"""A study's own answers are replayed only where no strategy chose them."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

from labeling.models import Study
from tests.factories import add_reader, answer, crops_of, fill_queue, kind_of, make_experiment, make_study, make_user
from training.learning.efficiency.plan import EfficiencyPlan
from training.services.work import Refused
from training.worker import efficiency_study
from training.worker.efficiency_study import study_pool, whole_crops


@pytest.fixture
def answered(db: None, tmp_path: Path) -> tuple[Study, Any, list[Any]]:
    """A study over two experiments of 36 and 60 crops, one reader, no answer yet."""
    experiments = [make_experiment(tmp_path, f"plate {n}", crops=crops, seed=n) for n, crops in ((1, 36), (2, 60))]
    study = make_study(make_user("alice"), *experiments)
    return study, add_reader(study, "bob"), [crops_of(experiment) for experiment in experiments]


@pytest.fixture
def enough_from_thirty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficiency_study, "FEWEST_CROPS", 30)


def answer_asked(study: Study, user: Any, crops: list[Any], why: str = "uncertain") -> None:
    """Answer crops that the queue asked for this reason with what they show."""
    fill_queue(study, crops, why=why)
    for crop in crops:
        answer(study, user, crop, kind_of(crop))


def test_answers_that_the_queue_chose_are_refused_with_their_number(answered, enough_from_thirty):
    study, bob, (_, second) = answered
    answer_asked(study, bob, second[:40])
    answer_asked(study, bob, second[40:50], "random check")
    with pytest.raises(Refused, match=r"40 of 50 labelled crops .* 10 answers of the random stream and 0 crops"):
        study_pool(study)


def test_the_random_stream_alone_is_replayed(answered, enough_from_thirty):
    study, bob, (_, second) = answered
    answer_asked(study, bob, second[:40], "random check")
    answer_asked(study, bob, second[40:50])
    found = study_pool(study)
    assert len(found.pool.labels) == 40
    assert "40 crops of random checks" in found.about["source"]


def test_an_experiment_answered_whole_is_replayed_with_its_not_sures_whoever_chose_them(answered, enough_from_thirty):
    study, bob, (first, second) = answered
    answer_asked(study, bob, first[:-2] + second[:20])
    for crop in first[-2:]:
        answer(study, bob, crop, "")
    found = study_pool(study)
    assert len(found.pool.labels) == 36
    assert np.sum(found.pool.labels == -1) == 2
    assert "whole" in found.about["source"]


def test_the_command_compares_on_a_study_and_says_on_which_answers(answered, enough_from_thirty):
    study, bob, (first, _) = answered
    answer_asked(study, bob, first)
    out = StringIO()
    options = {"seeds": 2, "budget": 10, "step": 5, "jobs": 1, "json": True, "stdout": out, "stderr": StringIO()}
    call_command("label_efficiency", study=str(study.pk), **options)
    report = json.loads(out.getvalue())
    assert set(report["strategies"]) == {"random", EfficiencyPlan().default}
    assert report["source"] == "36 crops of experiments and fields that were answered whole, 0 of them not sure"


def test_a_small_field_that_happens_to_be_complete_is_not_taken_for_a_random_part():
    image = np.repeat(["one crop", "nine", "ten", "ten, one open"], [1, 9, 10, 10])
    answered = np.arange(30) < 29
    experiment = np.zeros(30, dtype=int)
    assert set(image[whole_crops(experiment, image, answered)]) == {"ten"}
    assert whole_crops(experiment, image, np.ones(30, dtype=bool)).all()


@pytest.mark.parametrize(("crops", "whole"), [(1, False), (9, False), (10, True)])
def test_an_experiment_is_held_to_the_same_size_as_a_field(crops: int, whole: bool):
    image = np.array([f"field {number}" for number in range(crops)])
    found = whole_crops(np.zeros(crops, dtype=int), image, np.ones(crops, dtype=bool))
    assert found.all() == found.any() == whole


def test_a_study_without_answers_is_refused(answered):
    with pytest.raises(Refused, match="0 of 0 labelled crops"):
        study_pool(answered[0])
