"""Runs the commands of `manage.py`, in this process or as a user does it."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError

PROJECT = Path(__file__).resolve().parents[1]


def call(name: str, *arguments: Any) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of a command with --json, run in this process."""
    out = StringIO()
    try:
        call_command(name, *map(str, arguments), "--json", stdout=out, stderr=StringIO())
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except CommandError as error:
        code = error.returncode
    return code, json.loads(out.getvalue())


def bare_environment(data: Path) -> dict[str, str]:
    """An environment without any setting but the data folder."""
    return {"PATH": os.environ["PATH"], "HOME": str(data), "PARFOCAL_DATA": str(data), "OMP_NUM_THREADS": "1"}


def manage(data: Path, *arguments: Any, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    """A finished process of `manage.py` over a data folder, with an environment that sets nothing else."""
    command = [sys.executable, str(PROJECT / "manage.py"), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, cwd=data, env=bare_environment(data), check=False
    )
