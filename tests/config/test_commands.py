"""Every command as a scheduler runs it: a process of its own, an empty data folder, no environment, no `migrate`."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.commands import PROJECT, manage
from tests.factories import write_experiment

COMMANDS = (
    "ingest", "quality", "agreement", "rank", "train", "export", "import_labels", "verify_audit", "run_pipeline",
    "replay", "label_efficiency", "demo",
)  # fmt: skip


def answered(data: Path, *arguments: Any) -> tuple[int, dict[str, Any]]:
    """Exit code and the one JSON object on stdout."""
    done = manage(data, *arguments, "--json")
    lines = done.stdout.splitlines()
    assert len(lines) == 1, (done.stdout, done.stderr[-2000:])
    answer = json.loads(lines[0], parse_constant=lambda text: pytest.fail(f"{text} is no JSON"))
    assert isinstance(answer, dict)
    return done.returncode, answer


def test_every_command_that_is_promised_exists() -> None:
    found = {path.stem for path in PROJECT.glob("*/management/commands/*.py")}
    assert set(COMMANDS) <= found


def test_an_empty_folder_is_made_ready_by_the_first_command_and_holds_no_secret_for_others(tmp_path: Path) -> None:
    assert answered(tmp_path, "verify_audit") == (0, {"ok": True, "events": 0, "checkpoints": 0, "problems": []})
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


def test_images_are_taken_in_twice_with_the_same_answer_and_judged(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    manifest = write_experiment(tmp_path / "plate", "plate 1")
    (tmp_path / "plate" / "bad.tif").write_text("no image")
    manifest.write_text(manifest.read_text() + "bad.tif,image,plate 1,,,,\n")
    first, again = (answered(data, "ingest", tmp_path / "plate", "--pixel-size-um", 0.5) for _ in range(2))
    code, answer = first
    assert first == again
    assert (code, answer["experiments"], answer["images"], answer["accepted"]) == (0, ["plate 1"], 2, 1)
    assert [row["path"] for row in answer["refused"]] == ["bad.tif"] and answer["crops"] == 24
    code, answer = answered(data, "quality", "plate 1")
    assert code == 0 and set(answer["images"][0]) == {"path", "verdict", "reasons", "metrics"}
    assert str(tmp_path) not in json.dumps([first, answer])


def test_a_table_of_labels_is_judged_without_any_study(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("item,annotator,label\n" + "".join(f"{i},{a},{'xy'[i % 2]}\n" for i in range(9) for a in "pq"))
    code, answer = answered(tmp_path, "agreement", "--table", table)
    assert (code, answer["n_items"], answer["n_annotators"], answer["percent_agreement"]) == (0, 9, 2, 1.0)
    assert set(answer["alpha_nominal"]) >= {"value", "low", "high"}
    assert set(answer["pairwise"][0]) >= {"a", "b", "n", "agreement", "kappa"}


REFUSED = (
    ["ingest", "nowhere"],
    ["train", "nothing"],
    ["run_pipeline", "nothing", "--out", "results"],
    ["label_efficiency", "--manifest", "nowhere.csv"],
)


@pytest.mark.parametrize("arguments", REFUSED, ids=[words[0] for words in REFUSED])
def test_a_refusal_is_one_object_with_its_reason_and_exit_code_1(tmp_path: Path, arguments: list[str]) -> None:
    code, answer = answered(tmp_path, *arguments)
    assert (code, list(answer)) == (1, ["error"])
    assert len(answer["error"]) > 20 and "Traceback" not in answer["error"]


@pytest.mark.parametrize("arguments", [["replay", "first"], ["ingest"], ["agreement", "--tabel", "x.csv"]])
def test_wrong_usage_is_exit_code_2_with_the_usage_on_stderr(tmp_path: Path, arguments: list[str]) -> None:
    done = manage(tmp_path, *arguments, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(rf"usage: manage.py {arguments[0]}", done.stderr)
