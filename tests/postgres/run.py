"""Runs tests on a PostgreSQL server of their own: found or installed, started in a temporary folder, removed after.

python tests/postgres/run.py TEST [TEST ...]
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PORT = "54329"


def server_programs() -> Path | None:
    """Folder of PostgreSQL's server programs; Debian's package is installed where that is allowed."""
    found = _newest()
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "postgresql"], check=False, stdout=subprocess.DEVNULL)
        found = _newest()
    return found


def _newest() -> Path | None:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return folders[-1] if folders and (folders[-1] / "initdb").exists() else None


def as_owner(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root: Debian's package made an account for it."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command


def main(tests: list[str]) -> int:
    """Start a server, run the tests on it, stop it; returns pytest's exit code."""
    programs = server_programs()
    if programs is None:
        print("no PostgreSQL server was found and none could be installed: these tests are skipped")
        return 0
    folder = Path(tempfile.mkdtemp(prefix="parfocal-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    run = {"check": True, "stdout": subprocess.DEVNULL}
    subprocess.run(as_owner([str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "parfocal"]), **run)
    options = f"-p {PORT} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    control = as_owner([str(programs / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w"])
    subprocess.run([*control, "start"], **run)
    try:
        url = f"postgres://parfocal@127.0.0.1:{PORT}/postgres"
        environment = os.environ | {"DATABASE_URL": url}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
        return subprocess.run(command, env=environment, check=False).returncode
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **run)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
