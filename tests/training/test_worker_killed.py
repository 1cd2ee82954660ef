"""A ranking worker that is killed at any point leaves a whole queue, and the next one makes the right one."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import PROJECT, bare_environment, manage

START = """
import json, os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.development"
import django
django.setup()
"""
MAKE = (
    START
    + """
from django.core.management import call_command
call_command("migrate", verbosity=0)
from tests.factories import answer_all, crops_of, make_experiment, make_study, make_user
from training.worker.ranking import RankingWorker
alice = make_user("alice")
study = make_study(alice, make_experiment(Path(sys.argv[2]), "plate 1"))
assert RankingWorker().step() == 1
answer_all(study, alice, crops_of(study.experiments.get())[:6])
"""
)
# Where the worker dies: while it computes, between its files and its rows, in the middle of its rows, after them.
PLACES = {
    "computing": "training.learning.ranking.PoolRanker._queue",
    "before the rows": "training.worker.saving.replace_queue",
    "among the rows": "labeling.services.queueing.entries._insert_entries",
    "after the queue": "training.worker.saving._add_row",
    "after the rows": "training.worker.saving._forget_old",
}
# One worker per place, each a copy of a process that has loaded everything and opened nothing.
DIE = (
    START
    + """
import logging
from unittest.mock import patch
from training.worker.ranking import RankingWorker
from tests.training.test_worker_killed import state

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

for target in sys.argv[2:]:
    child = os.fork()
    if not child:
        with patch(target, die):
            RankingWorker().step()
        os._exit(0)
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), *state(Path.cwd())]), flush=True)
"""
)
QUEUE = "SELECT rank, crop_id, score, why, probability, ranking FROM labeling_queueentry ORDER BY rank"
RANKED = "SELECT digest, last_annotation, answers FROM labeling_ranked"
State = list[list[list[object]]]


def run(data: Path, code: str, *arguments: str) -> list[str]:
    """What a process of its own over the data folder prints."""
    command = [sys.executable, "-c", code, str(PROJECT), *arguments]
    environment = bare_environment(data)
    done = subprocess.run(command, capture_output=True, text=True, cwd=data, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def state(data: Path) -> State:
    """Queue and newest ranking, as any other process reads them."""
    with sqlite3.connect(data / "parfocal.sqlite3") as database:
        found = [[list(row) for row in database.execute(query)] for query in (QUEUE, RANKED)]
    database.close()
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ranked study with six answers that its ranking does not know."""
    data = tmp_path_factory.mktemp("site")
    run(data, MAKE, str(tmp_path_factory.mktemp("source")))
    return data


@pytest.fixture(scope="module")
def never_killed(site: Path, tmp_path_factory: pytest.TempPathFactory) -> State:
    """What a worker that lives makes of it."""
    data = tmp_path_factory.mktemp("quiet") / "site"
    shutil.copytree(site, data)
    assert manage(data, "rank_worker", "--once").returncode == 0
    return state(data)


@pytest.mark.slow
def test_wherever_it_is_killed_the_next_worker_makes_the_same_queue(
    site: Path, never_killed: State, tmp_path: Path
) -> None:
    old = state(site)
    assert old[1] != never_killed[1]
    data = tmp_path / "site"
    shutil.copytree(site, data)
    for place, line in zip(PLACES, run(data, DIE, *PLACES.values()), strict=True):
        code, *left = json.loads(line)
        assert code == -signal.SIGKILL, place
        assert left == (never_killed if place == "after the rows" else old), place
    assert manage(data, "rank_worker", "--once").returncode == 0
    assert state(data) == never_killed
