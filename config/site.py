"""Which processes make a one-machine site, and how they are started."""

import os
import sys
from pathlib import Path

from django.conf import settings

from config.broker import EmbeddedBroker
from config.supervisor import Child

# One worker has nobody to gossip or mingle with.
QUIET = ("--without-gossip", "--without-mingle")
THREADS = {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1"}


def children(broker: EmbeddedBroker, address: str, port: int) -> list[Child]:
    """The embedded broker, the web server, one CPU worker, one beat and the ranking worker."""
    environment = {"PARFOCAL_BROKER_URL": broker.url, "PYTHONUNBUFFERED": "1"}
    python = sys.executable
    manage = str(Path(sys.argv[0]).resolve())
    celery = [python, "-m", "celery", "--quiet", "-A", "config"]
    threads = environment | {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": str(_half_the_cores())}
    return [
        Child("broker", broker.command()),
        Child("web", _web_server(address, port), environment | THREADS),
        Child("worker", [*celery, "worker", "-Q", "short,long", "-c", "1", "-l", "INFO", *QUIET], threads),
        Child("beat", [*celery, "beat", "-l", "WARNING", "--pidfile="], environment | THREADS),
        Child("ranking", [python, manage, "rank_worker"], threads),
    ]


def _web_server(address: str, port: int) -> list[str]:
    return [
        sys.executable,
        *("-m", "granian", "--interface", "wsgi", "--host", address, "--port", str(port)),
        *("--workers", str(_web_processes()), "--blocking-threads", "4", "--no-access-log", "--log-level", "warning"),
        "config.wsgi:application",
    ]


def _web_processes() -> int:
    """Two on PostgreSQL; on SQLite, where one writes at a time, the writers of one process queue up in order."""
    return 2 if settings.DATABASES["default"]["ENGINE"].endswith("postgresql") and (os.cpu_count() or 1) > 1 else 1


def _half_the_cores() -> int:
    return max(1, (os.cpu_count() or 1) // 2)
