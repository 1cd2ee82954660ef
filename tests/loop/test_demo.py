"""The demonstration and the benchmark of strategies on a tiny labelled manifest."""

from pathlib import Path

import pytest
import tifffile

from inference.worker.demo import show
from labeling.models import Annotation
from tests.commands import call
from tests.factories import COLUMNS, KINDS, box_rows, picture, write_manifest
from training.models import ModelVersion
from training.services.models import request_training


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Three plates of 24 labelled boxes; every third row has the answer of a second annotator too."""
    rows = []
    for number in range(3):
        tifffile.imwrite(tmp_path / f"{number}.tif", picture(seed=number))
        for place, row in enumerate(
            box_rows(f"{number}.tif", f"plate {number}", 24, annotator="p", note="task=shape")
        ):
            labelled = row | {"label": KINDS[place % COLUMNS % 2]}
            rows += [labelled, labelled | {"annotator": "q"}] if place % 3 == 0 else [labelled]
    return write_manifest(tmp_path, rows)


def test_the_demonstration_replays_a_manifest_and_reports_every_figure(
    transactional_db: None, data_folder: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = {"epochs": 1, "min_steps": 4, "width": 4, "crop_px": 16}
    monkeypatch.setattr(
        show, "request_training", lambda study, user, recipe: request_training(study, user, short | recipe)
    )
    code, answer = call("demo", "--manifest", manifest)
    assert code == 0, answer
    assert (answer["images"], answer["rejected"], answer["crops"], answer["replay_identical"]) == (3, 0, 72, True)
    assert answer["answers"] == Annotation.objects.count() == 96
    assert answer["alpha"]["value"] == 1.0 and answer["alpha"]["n"] == 24
    for name in ("model", "class_prior", "handcrafted"):
        assert set(answer["heldout"][name]["balanced_accuracy"]) >= {"value", "low", "high", "n"}
    assert answer["heldout"]["experiments"] == ["plate 0", "plate 1", "plate 2"]
    labelled, judged = (
        answer["heldout"]["model"]["balanced_accuracy"]["n"],
        ModelVersion.objects.get(kind="network").report["n"],
    )
    assert f"n {labelled} are all crops" in answer["heldout"]["counted"]
    assert f"on the {judged} crops" in answer["heldout"]["counted"]
    assert set(Annotation.objects.values_list("source", flat=True)) == {"simulated"}
    assert call("verify_audit")[0] == 0


@pytest.mark.parametrize(("words", "reason"), [(["--limit", "3"], "20 crops or more"), (["--task", "size"], "shape")])
def test_the_demonstration_refuses_what_it_cannot_show(
    transactional_db: None, data_folder: Path, manifest: Path, words: list[str], reason: str
) -> None:
    code, answer = call("demo", "--manifest", manifest, *words)
    assert code == 1 and reason in answer["error"]


def test_strategies_are_compared_on_the_same_folds(transactional_db: None, data_folder: Path, manifest: Path) -> None:
    code, answer = call("label_efficiency", "--manifest", manifest, "--seeds", 1, "--budget", 12)
    assert code == 0, answer
    for row in answer["strategies"].values():
        assert set(row) >= {"curve", "area", "labels_to_target", "ratio_to_random", "regret"}
        assert all(0 <= score <= 1 for _, score in row["curve"])
    assert answer["strategies"]["random"]["regret"]["value"] == 0 and answer["split"]
