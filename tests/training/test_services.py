"""What answers add up to, what a run is refused for, and how a model goes live."""

from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone

from audit.models import AuditEvent
from imaging.models import Image
from labeling.services.answers import undo
from tests.factories import answer, answer_all, crops_of, kind_of, make_experiment, make_model, make_study
from tests.training.conftest import Bench
from training.models import LabelSnapshot, ModelVersion, Promotion, Status, TrainingRun
from training.services.labels import class_keys, newest_annotation, standing_answers
from training.services.models import in_production, promote, request_training
from training.services.work import Refused
from training.worker.fitting import train


def trained(bench: Bench, recipe: dict[str, object] | None = None) -> TrainingRun:
    run = request_training(bench.study, bench.alice, {"model": "handcrafted"} if recipe is None else recipe)
    train(run.pk)
    run.refresh_from_db()
    return run


def closed(model: ModelVersion) -> ModelVersion:
    ModelVersion.objects.filter(pk=model.pk).update(gate={"passed": False, "text": "worse than the prior"})
    model.refresh_from_db()
    return model


def test_votes_are_counted_per_crop_and_class(bench: Bench) -> None:
    answer(bench.study, bench.alice, bench.crops[0], "disc")
    answer(bench.study, bench.bob, bench.crops[0], "ring")
    answer(bench.study, bench.bob, bench.crops[1], "")
    standing = standing_answers(bench.study)
    assert standing.crop_ids.tolist() == [bench.crops[0].pk, bench.crops[1].pk]
    assert standing.votes.tolist() == [[1, 1], [0, 0]]
    assert standing.labelled().tolist() == [True, False]
    assert standing.shares().tolist() == [[0.5, 0.5]]


def test_what_stands_does_not_depend_on_the_order_of_answers(bench: Bench) -> None:
    other = make_study(bench.alice, *bench.study.experiments.all(), name="other")
    answer_all(bench.study, bench.bob, bench.crops)
    answer_all(other, bench.bob, bench.crops[::-1])
    first, second = standing_answers(bench.study), standing_answers(other)
    np.testing.assert_array_equal(first.crop_ids, second.crop_ids)
    np.testing.assert_array_equal(first.votes, second.votes)


def test_a_retired_class_takes_its_votes_along(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:4])
    bench.study.classes.filter(key="ring").update(retired_at=timezone.now())
    assert class_keys(bench.study) == ["disc"]
    assert standing_answers(bench.study).votes.sum() == 2


def test_a_withdrawal_is_newer_than_what_it_takes_back(bench: Bench) -> None:
    given = answer(bench.study, bench.bob, bench.crops[0])
    undo(bench.study, bench.bob, uuid4())
    assert newest_annotation(bench.study) > given.pk
    assert not len(standing_answers(bench.study).crop_ids)


def no_answers(bench: Bench) -> None:
    pass


def one_class(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, [crop for crop in bench.crops if kind_of(crop) == "disc"])


def only_not_sure(bench: Bench) -> None:
    for crop in bench.crops:
        answer(bench.study, bench.bob, crop, "")


def two_labels(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:2])


def one_open_class(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    bench.study.classes.filter(key="ring").update(retired_at=timezone.now())


def no_usable_image(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    Image.objects.update(verdict="reject")


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (no_answers, "label crops of at least two before training"),
        (one_class, "label crops of at least two before training"),
        (only_not_sure, "label crops of at least two before training"),
        (two_labels, "too few labels to hold any out"),
        (one_open_class, "has 1 classes: a model needs two or more"),
        (no_usable_image, "is empty"),
    ],
)
def test_training_on_too_little_is_refused_and_registers_nothing(bench: Bench, prepare: object, reason: str) -> None:
    prepare(bench)
    run = trained(bench)
    assert (run.status, reason in run.problem) == (Status.REFUSED, True), run.problem
    assert not ModelVersion.objects.exists() and not LabelSnapshot.objects.exists()
    assert AuditEvent.objects.last().action == "trainingrun.refused"


def test_an_unknown_setting_is_refused_by_name(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    run = trained(bench, {"model": "handcrafted", "epoch": 3})
    assert (run.status, "'epoch'; did you mean 'epochs'" in run.problem) == (Status.REFUSED, True)


def test_one_experiment_is_held_out_by_less_and_says_so(db: None, tmp_path: Path) -> None:
    from tests.factories import make_user

    experiment, alice = make_experiment(tmp_path), make_user()
    study = make_study(alice, experiment)
    answer_all(study, alice, crops_of(experiment))
    split = make_model(study, alice).report["split"]
    assert split["level"] == "crop"
    assert "experiment" in split["why"]


def test_a_model_on_two_experiments_is_held_out_by_experiment_and_learns(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    run = trained(bench)
    report = run.model.report
    assert report["split"]["level"] == "experiment"
    assert report["split"]["units"] == ["plate 1", "plate 2"]
    assert report["balanced_accuracy"]["value"] > 0.8 and report["balanced_accuracy"]["n"] == 48
    assert run.snapshot.last_annotation == newest_annotation(bench.study)


def test_training_again_on_the_same_answers_is_a_version_of_its_own_on_the_same_snapshot(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    first, second = trained(bench), trained(bench)
    assert (first.status, second.status) == (Status.DONE, Status.DONE)
    assert first.snapshot == second.snapshot
    assert first.model.report["balanced_accuracy"] == second.model.report["balanced_accuracy"]


def test_a_small_network_trains_registers_and_keeps_its_beat(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    run = trained(bench, {"epochs": 1, "min_steps": 4, "width": 4, "crop_px": 16})
    assert (run.status, run.model.kind, run.progress) == (Status.DONE, "network", 1.0)


def test_a_closed_gate_opens_only_for_a_reason_which_is_kept(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    model = closed(make_model(bench.study))
    with pytest.raises(Refused, match=r"gate is closed.*worse than the prior"):
        promote(model, bench.alice, "  ")
    assert in_production(bench.study) is None
    promote(model, bench.alice, "needed for the plate of Friday")
    assert in_production(bench.study) == model
    event = AuditEvent.objects.last()
    assert (event.action, event.reason) == ("model.promoted", "needed for the plate of Friday")
    assert event.detail["gate_passed"] is False


def test_the_newest_promotion_is_the_one_in_production_and_history_stays(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    first, second = make_model(bench.study), make_model(bench.study)
    for model in (first, second, first):
        promote(model, bench.alice, "because")
    assert in_production(bench.study) == first
    assert Promotion.objects.count() == 3
