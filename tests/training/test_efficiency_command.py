"""The command: files or none, the same table for people, refusals with a reason and a way out."""

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from django.core.management import CommandError, call_command

from tests.factories import picture, write_manifest
from training.learning.efficiency.plan import EfficiencyPlan
from training.management.commands.label_efficiency import plan_of
from training.worker import efficiency
from training.worker.efficiency import as_cell, progress

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Three wells of 24 boxed crops each in one experiment, labelled disc or ring."""
    rows: list[dict[str, Any]] = []
    for well in range(3):
        name = f"well{well}.tif"
        tifffile.imwrite(tmp_path / name, picture(24, seed=well))
        for number in range(24):
            y, x = (24 * part for part in divmod(number, 6))
            box = {"x0": x, "y0": y, "x1": x + 24, "y1": y + 24}
            label = "disc" if number % 6 % 2 == 0 else "ring"
            rows.append({"path": name, "kind": "box", "experiment": "e", "well": f"A{well}", "label": label} | box)
    return write_manifest(tmp_path, [row | {"annotator": "=expert"} for row in rows])


def run(manifest: Path, *more: Any) -> dict[str, Any]:
    out = StringIO()
    arguments = ["--manifest", str(manifest), "--seeds", 1, "--jobs", 1, "--budget", 20, "--json", *more]
    call_command("label_efficiency", *map(str, arguments), stdout=out, stderr=StringIO())
    return json.loads(out.getvalue())


def test_report_rows_and_plots_are_written_and_agree_with_the_answer(manifest, tmp_path):
    folder = tmp_path / "out" / "deep"
    answer = run(manifest, "--out", folder, "--hedge")
    assert sorted(path.name for path in folder.iterdir()) == ["curves.csv", "curves.png", "curves.svg", "report.json"]
    report = json.loads((folder / "report.json").read_text())
    assert report == {name: value for name, value in answer.items() if name in report}
    assert set(report["hedge"]) == {"default without coverage queries", "default without random checks"}
    with (folder / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {"strategy", "seed", "fold", "queries", "balanced_accuracy", "recall disc", "not_sure"} <= set(rows[0])
    assert report["split"]["level"] == "sample"
    assert "within one experiment" in report["split"]["why"].lower()


def test_a_simulated_annotator_costs_queries_and_is_marked_everywhere(manifest, tmp_path):
    answer = run(manifest, "--annotator", "not-sure", "--soft-not-sure", "--out", tmp_path)
    assert answer["annotator"]["simulated"]
    assert 0 < answer["strategies"]["random"]["not_sure_share"] < 0.9
    assert "not_sure_share" in answer["not_sure_use"]["default with not-sure as soft labels"]
    with (tmp_path / "curves.csv").open() as file:
        assert {row["annotator"] for row in csv.DictReader(file)} == {"simulated not-sure"}


def test_people_read_the_same_figures(manifest):
    out = StringIO()
    call_command(
        "label_efficiency", "--manifest", str(manifest), "--seeds", "1", "--budget", "20", "--jobs", "1",
        stdout=out, stderr=StringIO(),
    )  # fmt: skip
    text = out.getvalue()
    for words in (
        "Within one experiment (e)",
        "queries to a target",
        "noise floor",
        "1 seeds are few",
        "CPU-seconds",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--strategies", "clever"), "unknown strategy 'clever'"),
        (("--budget", 5), "at least one step"),
        (("--seeds", 0), "needs a seed"),
        (("--step", 60, "--budget", 60), "fewer than one step of 60"),
        (("--soft-not-sure",), "--annotator not-sure"),
        (("--drop-channel", "DNA"), "has no channel DNA"),
        (("--task", "other"), "no task 'other'"),
        (("--error-rate", 2), "rates lie in 0 to 1"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_its_reason(manifest, more, reason):
    with pytest.raises(CommandError, match=reason):
        run(manifest, *more)


def test_a_manifest_without_labels_or_with_one_class_is_refused(manifest, tmp_path):
    lines = manifest.read_text()
    manifest.write_text(lines.replace("ring", "disc"))
    with pytest.raises(CommandError, match="one class only"):
        run(manifest)
    manifest.write_text(lines.replace("disc", "").replace("ring", ""))
    with pytest.raises(CommandError, match="no labels"):
        run(manifest)


def test_an_unknown_study_is_refused_and_a_study_takes_no_manifest_options():
    with pytest.raises(CommandError, match="no study 'nothing'"):
        call_command("label_efficiency", "--study", "nothing", stdout=StringIO(), stderr=StringIO())
    with pytest.raises(CommandError, match="go with --manifest"):
        call_command("label_efficiency", "--study", "nothing", "--task", "x", stdout=StringIO(), stderr=StringIO())


def test_an_interruption_leaves_no_file(manifest, tmp_path, monkeypatch):
    def stop(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(efficiency, "draw", stop)
    with pytest.raises(CommandError, match="nothing was written"):
        run(manifest, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("asked", "jobs"), [(0, 1), (3, 3), (5000, 4)])
def test_random_and_the_default_are_compared_whatever_was_asked_for(monkeypatch, asked, jobs):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    options = {
        "strategies": "margin, margin", "seeds": 2, "budget": 40, "step": 10, "jobs": asked, "annotator": "truth",
        "error_rate": 0.0, "hedge": False, "soft_not_sure": False,
    }  # fmt: skip
    plan = plan_of(options)
    assert isinstance(plan, EfficiencyPlan)
    assert plan.strategies == ("random", plan.default, "margin")
    assert plan.jobs == jobs


def test_a_cell_that_a_spreadsheet_would_run_stays_text():
    assert [as_cell(value) for value in ("=1+1", "-x", "plain", -2, 0.5)] == ["'=1+1", "'-x", "plain", -2, 0.5]


def test_the_end_is_told_once_everything_is_done():
    told: list[str] = []
    listen = progress(told.append)
    for done in range(1, 4):
        listen(done, 3)
    assert told == ["3 of 3 runs, about 0 min 0 s left"]


def test_a_window_of_its_own_hides_what_one_window_for_all_shows(tmp_path):
    rows = []
    for name, shift in (("dim", 0), ("bright", 20_000)):
        tifffile.imwrite(tmp_path / f"{name}.tif", picture(24, seed=1) + np.uint16(shift))
        for number in range(24):
            y, x = (24 * part for part in divmod(number, 6))
            rows.append(
                {"path": f"{name}.tif", "kind": "box", "experiment": name, "annotator": "a", "x0": x, "y0": y}
                | {"x1": x + 24, "y1": y + 24, "label": "disc" if number % 2 else "ring"}
            )
    found = run(write_manifest(tmp_path, rows), "--one-window")
    assert found["window"] == "one for all experiments"
    assert run(tmp_path / "manifest.csv")["window"] == "one per experiment"
