"""What each process loads, and which way imports go: seen from outside, in processes of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import PROJECT, bare_environment, manage

HEAVY = ("torch", "skimage", "sklearn")
PURE = (
    "imaging.pixels",
    "labeling.agreement",
    "labeling.exchange",
    "training.learning",
    "inference.pipeline",
    "audit.chain",
)

RENDER = """
import os, sys, json
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.testing"
import django
django.setup()
import config.urls, config.wsgi
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
client = Client()
client.force_login(get_user_model().objects.create_superuser("root"))
api = [f"/api/v1/{noun}/" for noun in ("studies", "experiments", "models", "runs", "schema")]
for path in ("/", "/experiments/", "/runs/", "/accounts/login/", *api):
    assert client.get(path).status_code in (200, 302), path
"""
IMPORT_ALL = """
import importlib, json, pkgutil, sys
for name in {names}:
    package = importlib.import_module(name)
    for found in pkgutil.walk_packages(package.__path__, name + "."):
        importlib.import_module(found.name)
"""
TELL = "\nprint(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"


def loaded(code: str, folder: Path) -> set[str]:
    """Top-level modules that a fresh process has loaded after the code."""
    environment = bare_environment(folder) | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", code + TELL], capture_output=True, text=True, cwd=folder, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_agreement_starts_without_scipy(tmp_path: Path) -> None:
    assert "scipy" not in loaded(IMPORT_ALL.format(names=("labeling.agreement",)), tmp_path)


def test_the_web_process_loads_neither_torch_nor_skimage_nor_sklearn(tmp_path: Path) -> None:
    assert not loaded(RENDER, tmp_path) & set(HEAVY)


def test_pure_folders_load_no_web_no_queue_no_settings(tmp_path: Path) -> None:
    forbidden = {"django", "rest_framework", "celery", "config", "environ"}
    assert not loaded(IMPORT_ALL.format(names=PURE), tmp_path) & forbidden


def test_the_ranking_worker_ranks_without_torch(tmp_path: Path) -> None:
    code = (
        "import os, sys, json\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings.development'\n"
        "from django.core.management import execute_from_command_line\n"
        "execute_from_command_line(['manage.py', 'rank_worker', '--once'])\n"
        "import training.worker.ranking"
    )
    found = loaded(code, tmp_path)
    assert "training" in found and "torch" not in found


@pytest.mark.parametrize("tool", [["lint-imports", "--no-cache"]])
def test_imports_go_in_the_allowed_directions(tool: list[str]) -> None:
    program = Path(sys.executable).with_name(tool[0])
    done = subprocess.run([str(program), *tool[1:]], capture_output=True, text=True, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_the_system_check_of_production_asks_for_its_secret(tmp_path: Path) -> None:
    done = manage(tmp_path, "check", "--settings", "config.settings.production")
    assert done.returncode != 0 and "PARFOCAL_SECRET_KEY must be set" in done.stderr
