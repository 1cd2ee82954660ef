"""A PostgreSQL server of one's own: found or installed, started in a temporary folder, removed after."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NoServer(RuntimeError):
    """No PostgreSQL server was found and none could be installed."""


@contextmanager
def running_server(port: int, *, durable: bool = False) -> Iterator[str]:
    """The URL of a running server; without `durable` it does not wait for the disk. Raises NoServer."""
    programs = _programs()
    if programs is None:
        raise NoServer("no PostgreSQL server was found and none could be installed")
    folder = Path(tempfile.mkdtemp(prefix="parfocal-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    data = folder / "data"
    _run([str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "parfocal"])
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync={'on' if durable else 'off'}"
    control = [str(programs / "pg_ctl"), "-D", str(data), "-o", options, "-l", str(folder / "log"), "-w"]
    _run([*control, "start"])
    try:
        yield f"postgres://parfocal@127.0.0.1:{port}/postgres"
    finally:
        _run([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
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


def _run(command: list[str]) -> None:
    """PostgreSQL refuses to run as root: Debian's package made an account for it."""
    own = ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else command
    subprocess.run(own, check=True, stdout=subprocess.DEVNULL)
