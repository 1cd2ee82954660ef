"""Twenty readers at once: no crop is read more often than asked for, and no answer is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.crowd import CROPS, crowd


def on_a_file(reads_per_crop: int) -> dict[str, Any]:
    """The crowd in a process of its own: pytest's SQLite lives in memory, where connections do not wait."""
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    command = [sys.executable, "-m", "tests.crowd", str(reads_per_crop)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"reads": {int(reads): crops for reads, crops in found["reads"].items()}}


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("reads_per_crop", [1, 2])
def test_a_crowd_reads_every_crop_exactly_as_often_as_asked_and_loses_nothing(
    tmp_path: Path, reads_per_crop: int
) -> None:
    is_server = connection.vendor == "postgresql"
    found = crowd(tmp_path, reads_per_crop) if is_server else on_a_file(reads_per_crop)
    answers = CROPS * reads_per_crop
    assert found == {
        "reads": {reads_per_crop: CROPS},
        "mostly_by": 1,
        "lost": 0,
        "rows": answers,
        "events": answers,
        "chain": 0,
        "leases": 0,
    }
