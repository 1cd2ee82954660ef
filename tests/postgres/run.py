"""Runs tests on a PostgreSQL server of their own.

python tests/postgres/run.py TEST [TEST ...]
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from server import NoServer, running_server

PORT = 54329


def main(tests: list[str]) -> int:
    """Start a server, run the tests on it, stop it; returns pytest's exit code."""
    try:
        with running_server(PORT) as url:
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
            return subprocess.run(command, env=os.environ | {"DATABASE_URL": url}, check=False).returncode
    except NoServer as error:
        print(f"{error}: these tests are skipped")
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
