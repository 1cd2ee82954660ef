"""The model beside the readers: what the report says of predictions that are right, wrong, or about nothing."""

import json

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from labeling.services.classes import add_class, retire_class
from labeling.services.exclusions import exclude
from labeling.services.people import forget_person
from tests.factories import add_reader, answer, answer_all, kind_of, make_model
from tests.training.conftest import Bench
from training.models import ModelVersion
from training.worker.beside_readers import beside_readers
from training.worker.examples import Examples, load_examples


def right(bench: Bench, examples: Examples, share: float = 0.9) -> np.ndarray:
    """Probabilities (pool, classes) of a model that always finds the true kind likelier."""
    kinds = {crop.key: examples.classes.index(kind_of(crop)) for crop in bench.crops}
    truth = np.array([kinds[key] for key in examples.pool.crop_keys])
    return np.where(np.eye(len(examples.classes))[truth] > 0, share, 1 - share)


@pytest.fixture
def read_twice(bench: Bench) -> Bench:
    """Two readers who both say what is seen of 40 crops."""
    answer_all(bench.study, bench.bob, bench.crops[:40])
    answer_all(bench.study, add_reader(bench.study, "carol"), bench.crops[:40])
    return bench


def test_a_model_that_says_what_the_readers_say_agrees_with_them(read_twice: Bench) -> None:
    examples = load_examples(read_twice.study)
    found = beside_readers(read_twice.study, examples, right(read_twice, examples))
    readers = get_user_model().objects.filter(username__in=("bob", "carol")).order_by("pk")
    assert [row["annotator"] for row in found["against"]] == [reader.pk for reader in readers]
    assert all(row["kappa"]["value"] == 1.0 and row["n"] == 40 for row in found["against"])
    assert found["with_model"]["value"] == 1.0
    assert found["consensus"]["changed"] == 0 and found["consensus"]["doubted"] == []
    assert found["ceiling"] == pytest.approx(0.9)


def test_answers_that_everything_else_contradicts_are_listed_first(read_twice: Bench) -> None:
    """Five crops that one reader alone read, and wrongly: the model and the readers' record speak against them."""
    dave = add_reader(read_twice.study, "dave")
    others = {"disc": "ring", "ring": "disc"}
    for crop in read_twice.crops[40:45]:
        answer(read_twice.study, dave, crop, others[kind_of(crop)])
    examples = load_examples(read_twice.study)
    found = beside_readers(read_twice.study, examples, right(read_twice, examples, 0.95))["consensus"]
    assert {row["crop"] for row in found["doubted"]} == {crop.pk for crop in read_twice.crops[40:45]}
    assert found["changed"] == 5
    chances = [row["chance"] for row in found["doubted"]]
    assert chances == sorted(chances)


def test_one_reader_is_compared_without_a_consensus(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:40])
    examples = load_examples(bench.study)
    found = beside_readers(bench.study, examples, right(bench, examples))
    assert found["against"][0]["n"] == 40
    assert "read by two" in found["consensus"]["reason"]
    assert found["winning_rate"] is None


def test_a_training_run_puts_it_into_its_report(read_twice: Bench) -> None:
    found = make_model(read_twice.study).report["readers"]
    assert found["with_model"]["n"] == found["consensus"]["crops"] == 40
    assert 0 < found["against"][0]["kappa"]["value"] <= 1


def test_a_class_that_was_retired_since_is_no_answer_of_the_model(read_twice: Bench) -> None:
    study = read_twice.study
    third = add_class(study, read_twice.alice, "blob", "blob")
    answer(study, read_twice.bob, read_twice.crops[44], "blob")
    retire_class(third, read_twice.alice)
    examples = load_examples(study)
    found = beside_readers(study, examples, right(read_twice, examples))
    assert found["against"][0]["n"] == 40


def test_the_report_page_shows_readers_by_name_and_links_the_doubted_crops(read_twice: Bench, client: Client) -> None:
    model = make_model(read_twice.study)
    doubted = [{"crop": read_twice.crops[3].pk, "voted": "disc", "likelier": "<b>", "chance": 0.1}]
    consensus = model.report["readers"]["consensus"] | {"doubted": doubted}
    report = model.report | {"readers": model.report["readers"] | {"consensus": consensus}}
    ModelVersion.objects.filter(pk=model.pk).update(report=report)
    client.force_login(read_twice.alice)
    page = client.get(reverse("training:report", args=[model.pk])).content.decode()
    assert "How does it read beside the readers?" in page
    assert "carol" in page and "1 answer worth a second look" in page
    assert reverse("training:crop", args=[read_twice.study.pk, read_twice.crops[3].pk]) in page
    assert "&lt;b&gt;" in page and "<b>" not in page


def test_a_report_keeps_no_name_so_that_who_is_forgotten_stands_in_none(read_twice: Bench, client: Client) -> None:
    model = make_model(read_twice.study)
    carol = get_user_model().objects.get(username="carol")
    assert "carol" not in json.dumps(model.report) and "carol" not in json.dumps(model.gate)
    forget_person(carol, None)
    client.force_login(read_twice.alice)
    page = client.get(reverse("training:report", args=[model.pk])).content.decode()
    assert "How does it read beside the readers?" in page and "carol" not in page


def test_annotators_of_an_open_study_learn_nothing_of_single_readers(read_twice: Bench, client: Client) -> None:
    study, left_out = read_twice.study, add_reader(read_twice.study, "dave")
    answer(study, left_out, read_twice.crops[44], "disc")
    exclude(study, left_out, read_twice.alice, "hasty")
    model = make_model(study)
    assert not study.is_blind and model.report["left_out"] and model.report["readers"]
    for user, told in ((read_twice.alice, True), (read_twice.bob, False), (left_out, False)):
        client.force_login(user)
        page = client.get(reverse("training:report", args=[model.pk])).content.decode()
        found = client.get(f"/api/v1/models/{model.pk}/").json()["report"]
        assert ("beside the readers" in page, "Answers of <a" in page) == (told, told)
        assert ("readers" in found, "left_out" in found) == (told, told)
        assert found["n"] == model.report["n"]
