"""Draws instead of the best crop: each with a probability that the queue, the answer and its export keep."""

from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from audit.models import AuditEvent
from labeling.models import DETERMINISTIC, QueueEntry, Study
from labeling.services.queue import next_crops
from labeling.services.settings import change_study
from labeling.services.studies import StudyRefused
from tests.factories import add_reader, answer, answer_all, crops_of, make_experiment, make_study, make_user
from tests.training.conftest import Bench
from training.models import Ranking
from training.worker.ranking import RankingWorker

PICKED = ("uncertain", "little labelled near here")


@pytest.fixture
def drawing(bench: Bench) -> Study:
    """The study with temperature 1 and neither hedge nor stream; 20 crops are answered, so that scores differ."""
    plan = {"random_share": 0.0, "coverage_share": 0.0, "sampling_temperature": 1.0}
    study = make_study(bench.alice, *bench.study.experiments.all(), name="drawing", **plan)
    answer_all(study, bench.bob, bench.crops[:10] + bench.crops[24:34])
    return study


def ranked(study: Study) -> list[QueueEntry]:
    """The queue that a new worker makes."""
    worker = RankingWorker()
    assert worker.rank(study), worker.refusals
    return list(study.queue.order_by("rank"))


def test_every_pick_of_the_strategy_was_drawn_with_a_probability(drawing: Study) -> None:
    picked = [row for row in ranked(drawing) if row.why in PICKED]
    assert len(picked) > 20
    assert all(row.probability is not None and 0 < row.probability <= 1 for row in picked)


def test_without_a_temperature_nothing_is_drawn(drawing: Study) -> None:
    Study.objects.filter(pk=drawing.pk).update(sampling_temperature=0.0)
    assert {row.probability for row in ranked(drawing)} == {None}


def test_coverage_queries_stay_deterministic_beside_draws(drawing: Study) -> None:
    Study.objects.filter(pk=drawing.pk).update(coverage_share=0.5)
    found = {row.why in PICKED: row.probability is None for row in ranked(drawing)}
    assert found == {True: False, False: True}


def test_the_draws_follow_from_the_answers_and_the_seed(drawing: Study) -> None:
    def queue(**change: Any) -> list[tuple[int, float | None]]:
        Study.objects.filter(pk=drawing.pk).update(**change)
        return [(row.crop_id, row.probability) for row in ranked(drawing)]

    first = queue()
    assert queue() == first
    assert queue(seed=7) != first
    assert [crop for crop, _ in queue(seed=0, sampling_temperature=0.0)] != [crop for crop, _ in first]


def test_the_answer_keeps_the_probability_with_which_its_crop_was_drawn(bench: Bench, drawing: Study) -> None:
    first = ranked(drawing)[0]
    crop = next_crops(drawing, bench.bob, 1)[0]
    assert (crop.crop_id, crop.probability) == (first.crop_id, first.probability)
    assert answer(drawing, bench.bob, crop.crop_id).asked_with == first.probability
    Study.objects.filter(pk=drawing.pk).update(sampling_temperature=0.0)
    ranked(drawing)
    crop = next_crops(drawing, bench.bob, 1)[0]
    assert answer(drawing, bench.bob, crop.crop_id).asked_with == DETERMINISTIC


def test_a_lead_sets_it_on_the_settings_page_with_an_event(bench: Bench) -> None:
    assert change_study(bench.study, bench.alice, {"sampling_temperature": 0.5}) == ["sampling_temperature"]
    assert AuditEvent.objects.filter(action="study.changed").get().detail == {"sampling_temperature": [0.0, 0.5]}
    client = Client()
    client.force_login(bench.alice)
    page = client.get(f"/studies/{bench.study.pk}/settings/").content.decode()
    assert 'name="sampling_temperature" value="0.5"' in page


@pytest.mark.parametrize("temperature", [-0.1, 11.0, float("nan")])
def test_a_temperature_that_means_nothing_is_refused(bench: Bench, temperature: float) -> None:
    with pytest.raises(StudyRefused, match="sampling_temperature"):
        change_study(bench.study, bench.alice, {"sampling_temperature": temperature})
    with pytest.raises(StudyRefused, match="sampling_temperature"):
        make_study(bench.alice, *bench.study.experiments.all(), name="odd", sampling_temperature=temperature)
    with pytest.raises(IntegrityError), transaction.atomic():
        Study.objects.filter(pk=bench.study.pk).update(sampling_temperature=temperature)


@pytest.mark.parametrize(("experiments", "held_out"), [(1, "nothing"), (2, "experiments")])
def test_ridge_and_temperature_follow_held_out_experiments_where_there_are_two(
    db: None, tmp_path: Path, experiments: int, held_out: str
) -> None:
    rows = [
        make_experiment(tmp_path, f"plate {seed}", crops=80 // experiments, seed=seed) for seed in range(experiments)
    ]
    study = make_study(make_user("alice"), *rows)
    crops = [crop for row in rows for crop in crops_of(row)[: 60 // experiments]]
    answer_all(study, add_reader(study, "bob"), crops)
    ranked(study)
    assert Ranking.objects.get(study=study).parameters["held_out"] == held_out
