"""Blind means blind: what annotators of a blind study see, and what they no longer see when they leave."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from imaging.models import Experiment
from imaging.services.access import experiments_of
from labeling.models import Ranked, Study
from labeling.services.access import withdraw_sight
from labeling.services.studies import set_ranking_problem
from tests.factories import add_reader, answer, crops_of, fill_queue, make_experiment, make_study, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return make_experiment(tmp_path)


def answers_seen(study: Study, user: Any) -> dict[str, Any]:
    client = Client()
    client.force_login(user)
    return client.get(f"/api/v1/studies/{study.pk}/answers/").json()["results"][0]


def test_an_annotator_of_a_blind_study_sees_neither_the_place_nor_the_reason(experiment: Experiment) -> None:
    study = make_study(make_user(), experiment, is_blind=True)
    bob = add_reader(study, "bob")
    answer(study, bob, crops_of(experiment)[0])
    assert not {"crop_key", "why_asked", "probability_asked", "ranking"} & answers_seen(study, bob).keys()
    assert list(experiments_of(bob)) == []


def test_addresses_of_pixels_are_lasting_and_tell_nothing_of_the_experiment(experiment: Experiment) -> None:
    study = make_study(make_user(), experiment, is_blind=True)
    bob = add_reader(study, "bob")
    fill_queue(study, crops_of(experiment)[:4])
    client = Client()
    client.force_login(bob)
    first, again = (client.get(f"/api/v1/studies/{study.pk}/next/").content.decode() for _ in range(2))
    versions = re.findall(r"pixels/\?v=(\w{16})\"", first)
    assert len({version[:4] for version in versions}) == 4
    assert versions == re.findall(r"pixels/\?v=(\w{16})\"", again)
    assert crops_of(experiment)[0].shard[:8] not in first and experiment.name not in first


@pytest.mark.parametrize("is_blind", [True, False])
def test_annotators_of_a_blind_study_learn_no_name_of_an_experiment_from_what_is_said_of_the_study(
    tmp_path: Path, is_blind: bool
) -> None:
    named = make_experiment(tmp_path, "drug B")
    alice = make_user()
    study = make_study(alice, named, is_blind=is_blind)
    bob = add_reader(study, "bob")
    fill_queue(study, crops_of(named)[:4])
    set_ranking_problem(study, "The experiments differ: drug B: 2.")
    Ranked.objects.update(note="Computing drug B failed.", expected_not_sure=0.5)
    base = f"/api/v1/studies/{study.pk}"
    for user, sees in ((alice, True), (bob, not is_blind)):
        client = Client()
        client.force_login(user)
        replies = [client.get(address) for address in (f"{base}/ranking/", f"/studies/{study.pk}/")]
        ranking = replies[0].json()["ranking"]
        assert ranking["problem"] and ranking["note"] and (ranking["expected_not_sure"] == 0.5) == sees
        study_told = client.get(f"{base}/").json()
        assert study_told["experiments"] == (["drug B"] if sees else None)
        assert [bool(re.search("drug B", reply.content.decode())) for reply in replies] == [sees] * 2
        assert ("drug B" in str([study_told, client.get(f"{base}/next/").json()])) == sees


def test_an_annotator_of_an_open_study_sees_them(experiment: Experiment) -> None:
    study = make_study(make_user(), experiment)
    bob = add_reader(study, "bob")
    answer(study, bob, crops_of(experiment)[0])
    assert {"crop_key", "why_asked"} <= answers_seen(study, bob).keys()
    assert list(experiments_of(bob)) == [experiment]


def test_who_leaves_a_study_no_longer_sees_its_experiments(experiment: Experiment) -> None:
    alice = make_user()
    study, other = make_study(alice, experiment), make_study(alice, experiment, name="second")
    bob = add_reader(study, "bob")
    study.memberships.filter(user=alice).delete()
    study.memberships.filter(user=bob).delete()
    withdraw_sight(study, bob)
    withdraw_sight(study, alice)
    assert list(experiments_of(bob)) == []
    assert list(experiments_of(alice)) == [experiment] and other.memberships.filter(user=alice).exists()


def test_an_answer_without_a_lease_keeps_its_place_in_the_random_stream(experiment: Experiment) -> None:
    alice = make_user()
    study = make_study(alice, experiment)
    crops = crops_of(experiment)
    fill_queue(study, crops[:3], why="random check")
    assert answer(study, alice, crops[1]).why_asked == "random check"


def test_surroundings_of_a_moved_original_are_not_found_and_the_crop_stays(
    data_folder: Path, experiment: Experiment
) -> None:
    alice = make_user()
    study = make_study(alice, experiment)
    crop = crops_of(experiment)[0]
    Path(crop.image.files[0]["uri"]).unlink()
    client = Client()
    client.force_login(alice)
    base = f"/api/v1/studies/{study.pk}/crops/{crop.pk}"
    assert client.get(f"{base}/context/").status_code == 404
    assert client.get(f"{base}/pixels/").status_code == 200
