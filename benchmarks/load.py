"""Many annotators at once, and one alone: answers per second, time to the next crop, and crops served twice.

Each database and each size of the pool is a site of its own, in a process of its own: web server, ranking worker and,
for PostgreSQL, a server that writes to disk before it says so.
"""

import json
import os
import subprocess
import sys

from benchmarks.rows import Row
from tests.postgres.server import NoServer, running_server

SIZES = (10_000, 100_000, 1_000_000)
PORT = 54331


def measure() -> list[Row]:
    """Rows for SQLite and PostgreSQL at each size; none for PostgreSQL where there is no server."""
    rows = [row for size in SIZES for row in _measured("sqlite", size, "")]
    for size in SIZES:
        try:
            with running_server(PORT, durable=True) as url:
                rows += _measured("postgresql", size, url)
        except NoServer as error:
            print(f"{error}: SQLite only", file=sys.stderr)
            break
    return rows


def _measured(database: str, size: int, url: str) -> list[Row]:
    command = [sys.executable, "-m", "benchmarks.load_run", database, str(size)]
    done = subprocess.run(command, env=os.environ | {"DATABASE_URL": url}, check=True, stdout=subprocess.PIPE)
    return [Row(**row) for row in json.loads(done.stdout.splitlines()[-1])]
