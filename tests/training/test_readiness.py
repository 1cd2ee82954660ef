"""What the page of the models says of a training run before it is asked for, and what the run says then."""

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Annotation
from labeling.services.classes import add_class
from labeling.services.decisions import decide
from tests.factories import add_reader, answer, answer_all, submission
from tests.training.conftest import Bench
from training.models import ModelVersion, TrainingRun
from training.services.models import promote, request_training
from training.services.readiness import NEEDED, readiness_of
from training.worker.fitting import train


def page(bench: Bench, name: str = "alice") -> str:
    client = Client()
    client.force_login(getattr(bench, name))
    return client.get(reverse("training:runs", args=[bench.study.pk])).content.decode()


def test_it_names_the_classes_that_lack_crops_and_the_run_is_refused_by_name_too(bench: Bench) -> None:
    for crop in bench.crops[:12]:
        answer(bench.study, bench.bob, crop, "disc")
    for crop in bench.crops[12:15]:
        answer(bench.study, bench.bob, crop, "ring")
    ready = readiness_of(bench.study)
    assert [(row.name, row.crops, row.missing) for row in ready.classes] == [("disc", 12, 0), ("ring", 3, NEEDED - 3)]
    assert "“disc” alone has them" in ready.refusal and f"“ring” {NEEDED - 3}" in ready.refusal
    text = page(bench)
    assert 'disabled aria-describedby="not-ready"' in text
    assert "Training would be refused" in text
    run = request_training(bench.study, None, {"model": "handcrafted"})
    train(run.pk)
    run.refresh_from_db()
    assert run.status == "refused" and "disc 12, ring 3" in run.problem


def test_what_is_not_refused_beforehand_trains_and_weak_classes_are_named(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    add_class(bench.study, bench.alice, "blob", "blob")
    ready = readiness_of(bench.study)
    assert ready.refusal == ""
    assert [row.name for row in ready.lacking] == ["blob"]
    assert [row.experiments for row in ready.classes] == [2, 2, 0]
    text = page(bench)
    assert "not-ready" not in text and "too few of “blob”" in text
    run = request_training(bench.study, None, {"model": "handcrafted"})
    train(run.pk)
    assert TrainingRun.objects.get(pk=run.pk).status == "done"
    assert "n counts the crops with a class from readers who answered them one by one" in page(bench)


def test_bulk_answers_alone_are_refused_beforehand_as_by_the_run(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    Annotation.objects.update(is_bulk=True)
    assert "judged on crops that were read one by one" in readiness_of(bench.study).refusal
    run = request_training(bench.study, None, {"model": "handcrafted"})
    train(run.pk)
    run.refresh_from_db()
    assert run.status == "refused" and "read one by one" in run.problem


def test_annotators_see_no_counts_of_others(bench: Bench) -> None:
    assert "What a model could learn now" not in page(bench, "bob")


@pytest.mark.parametrize("count", [0, 4])
def test_a_study_without_enough_answers_says_what_is_missing_of_each_class(bench: Bench, count: int) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:count])
    ready = readiness_of(bench.study)
    assert "no class has them yet" in ready.refusal
    assert sum(row.missing for row in ready.classes) == 2 * NEEDED - count


def advice(bench: Bench) -> str:
    client = Client()
    client.force_login(bench.alice)
    response = client.get(reverse("training:advice", args=[bench.study.pk]))
    assert response.status_code == 200
    return response.content.decode()


def test_the_overview_is_told_what_to_do_about_models_and_nothing_once_one_is_live(bench: Bench) -> None:
    assert "Train a model later" in advice(bench)
    answer_all(bench.study, bench.bob, bench.crops)
    assert "Train a model" in advice(bench)
    run = request_training(bench.study, bench.alice, {"model": "handcrafted"})
    assert f"Wait for training run {run.pk}" in advice(bench)
    train(run.pk)
    model = ModelVersion.objects.get()
    assert reverse("training:report", args=[model.pk]) in advice(bench)
    promote(model, bench.alice, "for this test")
    assert advice(bench) == ""


def test_a_class_that_only_a_lead_named_counts_so_that_what_is_refused_beforehand_is_refused(bench: Bench) -> None:
    carol = add_reader(bench.study, "carol")
    for crop in bench.crops[:30]:
        answer(bench.study, bench.bob, crop, "disc")
        answer(bench.study, carol, crop, "disc")
    assert readiness_of(bench.study).refusal
    for crop in bench.crops[:15]:
        decide(bench.study, bench.alice, submission(crop, "ring"))
    ready = readiness_of(bench.study)
    assert ready.refusal == "" and [row.crops for row in ready.classes] == [30, 15]
    run = request_training(bench.study, None, {"model": "handcrafted"})
    train(run.pk)
    assert TrainingRun.objects.get(pk=run.pk).status == "done"
