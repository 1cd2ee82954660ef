"""The whole loop on tiny images: labels, a refilled queue, a model, its promotion, a run, its replay, the trail."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from imaging.models import Crop, Experiment
from inference.models import InferenceRun
from labeling.models import Ranked, Study
from labeling.worker.agreement import make_report
from tests.commands import call
from tests.factories import KINDS, add_reader, kind_of, make_experiment, make_study, make_user
from training.models import ModelVersion, TrainingRun
from training.services.models import in_production
from training.worker.ranking import RankingWorker


def client_of(name: str) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.get(username=name))
    return client


def send(name: str, path: str, **body: Any) -> Any:
    return client_of(name).post(path, body, content_type="application/json")


@pytest.fixture
def study(transactional_db: None, data_folder: Path, tmp_path: Path) -> Study:
    """Two experiments, led by Alice, read by Bob and Dora; a third experiment that nobody labels."""
    experiments = [make_experiment(tmp_path, f"plate {number}", seed=number) for number in (1, 2)]
    made = make_study(make_user("alice"), *experiments, overlap_share=0.3)
    for name in ("bob", "dora"):
        add_reader(made, name)
    make_experiment(tmp_path, "new plate", seed=9).viewers.add(get_user_model().objects.get(username="alice"))
    return made


def read_everything(study: Study, worker: RankingWorker) -> int:
    """Bob and Dora answer in turn what they are shown, over HTTP; the pool is ranked again after each answer."""
    count, waiting = 0, ["bob", "dora"]
    while waiting:
        name = waiting[count % len(waiting)]
        shown = client_of(name).get(f"/api/v1/studies/{study.pk}/next/?count=1").json()["crops"]
        if not shown:
            waiting.remove(name)
            continue
        crop = Crop.objects.get(pk=shown[0]["id"])
        reply = send(
            name, f"/api/v1/studies/{study.pk}/answers/", crop=crop.pk, answer="label", classes=[kind_of(crop)],
            client_id=f"00000000-0000-4000-8000-{count:012d}", answered_at=timezone.now().isoformat(),
        )  # fmt: skip
        assert reply.status_code == 201
        assert worker.step() == 1
        count += 1
    return count


def test_from_labels_to_a_replayed_run(study: Study) -> None:
    worker = RankingWorker()
    worker.step()
    before = Ranked.objects.get(study=study).digest
    answers = read_everything(study, worker)
    assert answers > Crop.objects.of_experiments(study.experiments.all()).count()
    assert Ranked.objects.get(study=study).digest != before
    assert not study.queue.exists() or not client_of("bob").get(f"/api/v1/studies/{study.pk}/next/").json()["crops"]

    assert make_report(study.pk)
    agreement = client_of("alice").get(f"/api/v1/studies/{study.pk}/agreement/").json()
    assert agreement["state"] == "current" and agreement["report"]["headline"]["alpha"]["value"] == 1.0

    run = send("alice", "/api/v1/training-runs/", study=study.pk, recipe={"model": "handcrafted"}).json()
    assert TrainingRun.objects.get(pk=run["id"]).status == "done"
    model = ModelVersion.objects.get(run=run["id"])
    assert model.classes == list(KINDS) and model.report["balanced_accuracy"]["value"] > 0.8
    assert send("alice", f"/api/v1/models/{model.pk}/promote/", reason="it is needed").status_code == 204
    assert in_production(study) == model

    plate = Experiment.objects.get(name="new plate")
    started = send("alice", "/api/v1/runs/", experiment=plate.pk).json()
    finished = InferenceRun.objects.get(pk=started["id"])
    assert (finished.status, finished.model, finished.objects_found) == ("done", model, 24)
    files = client_of("alice").get(f"/runs/{finished.pk}/files/objects.csv")
    assert len(b"".join(files.streaming_content).splitlines()) == 25

    code, replayed = call("replay", finished.pk)
    assert (code, replayed["identical"], replayed["differences"]) == (0, True, [])
    code, trail = call("verify_audit")
    assert code == 0 and trail["events"] > answers


def test_commands_take_the_same_way(study: Study, tmp_path: Path) -> None:
    assert call("rank", study.name)[1]["pool"] == 48
    read_everything(study, RankingWorker())
    code, ranked = call("rank", study.pk)
    assert code == 0 and set(ranked) >= {"study", "ranking", "strategy", "pool", "queue"}
    code, table = call("export", study.name, "--format", "csv", "--out", tmp_path / "answers.csv")
    assert code == 0 and len((tmp_path / "answers.csv").read_text().splitlines()) == table["rows"] + 1
    code, report = call("agreement", study.name)
    assert code == 0 and report["n_items"] == 48
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"model": "handcrafted"}')
    for _ in range(2):
        code, trained = call("train", study.name, "--recipe", recipe)
        assert code == 0 and trained["balanced_accuracy"]["value"] > 0.8
    for _ in range(2):
        code, ran = call("run_pipeline", "new plate", "--model", trained["model"], "--out", tmp_path / "out")
        assert (code, ran["images"], ran["rejected"], ran["objects"]) == (0, 1, 0, 24)
    assert (tmp_path / "out" / "labels" / "field.tif").exists()
    assert call("replay", ran["run"])[1]["identical"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["rank", "nothing"], "There is no study 'nothing'. Known: nuclei"),
        (["export", "nothing"], "There is no study 'nothing'"),
        (["agreement", "nothing"], "There is no study 'nothing'"),
        (["export", "nuclei", "--out", "/nonexistent/a.csv"], "Check the path"),
        (["train", "nuclei"], "label crops of at least two before training"),
        (["train", "nuclei", "--recipe", "/nonexistent.json"], "is not a recipe"),
        (["replay", "77"], "There is no run 77. Known: none yet"),
        (["run_pipeline", "new plate", "--model", "77", "--out", "x"], "There is no model '77'"),
    ],
)
def test_refusals_name_the_thing_and_what_there_is(study: Study, arguments: list[str], reason: str) -> None:
    code, answer = call(*arguments)
    assert code == 1 and reason in answer["error"]
