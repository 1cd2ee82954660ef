"""The supervisor keeps its children alive, and leaves none behind; the broker speaks on a private socket only."""

import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from config.broker import EmbeddedBroker
from config.site import children
from config.supervisor import FASTEST_RESTART_S, HEALTHY_AFTER_S, SLOWEST_RESTART_S, Child, Supervisor

FOREVER = [sys.executable, "-c", "print('up', flush=True); import threading; threading.Event().wait()"]
FAMILY = [
    sys.executable,
    "-c",
    "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); p.wait()",
    *FOREVER,
]


class Log:
    """Collects lines, and waits for one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()

    def write(self, line: str) -> None:
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[list[str]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: wanted(self.lines), timeout=30), self.lines


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def run(log: Log) -> Iterator[Callable[..., Supervisor]]:
    """Runs children under a supervisor in a thread; all is stopped at the end."""
    running: list[tuple[Supervisor, threading.Thread]] = []

    def go(*started: Child) -> Supervisor:
        supervisor = Supervisor(list(started), log.write)
        thread = threading.Thread(target=supervisor.run)
        thread.start()
        running.append((supervisor, thread))
        return supervisor

    yield go
    for supervisor, thread in running:
        supervisor.stop()
        thread.join(timeout=30)
        assert not thread.is_alive()
        assert not any(child.is_running for child in supervisor.children)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="this system has no handles of processes")
def test_stopping_ends_children_and_their_children(run: Callable[..., Supervisor], log: Log) -> None:
    supervisor = run(Child("family", FAMILY))
    log.wait_for(lambda lines: any(line.endswith("| up") for line in lines))
    grandchild = int(next(line for line in log.lines if line.split()[-1].isdigit()).split()[-1])
    watched = os.pidfd_open(grandchild)
    supervisor.stop()
    assert select.select([watched], [], [], 30)[0], "the grandchild lives on"
    os.close(watched)


def test_a_child_that_is_killed_is_started_again(
    run: Callable[..., Supervisor], log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("config.supervisor.FASTEST_RESTART_S", 0.01)
    monkeypatch.setattr("config.supervisor.SLOWEST_RESTART_S", 0.01)
    supervisor = run(Child("one", FOREVER), Child("two", FOREVER))
    log.wait_for(lambda lines: sum(line.endswith("| up") for line in lines) == 2)
    first, other = (child.process.pid for child in supervisor.children)
    supervisor.children[0].process.kill()
    log.wait_for(lambda lines: sum(line.endswith("| up") for line in lines) == 3)
    assert supervisor.children[0].process.pid != first
    assert supervisor.children[1].process.pid == other
    assert any("one | ended with code -9; starting again" in line for line in log.lines)


def test_a_child_that_keeps_dying_is_started_ever_later_and_a_healthy_one_at_once(log: Log) -> None:
    child = Child("one", [sys.executable, "-c", "raise SystemExit(3)"])
    supervisor = Supervisor([child], log.write)
    child.start(log.write)
    child.process.wait(timeout=30)
    delays = []
    for _ in range(7):
        supervisor._plan_restart(child, child.started_at + 1)
        delays.append(child.delay_s)
    assert delays == sorted(delays) and delays[0] < delays[-1] == SLOWEST_RESTART_S
    supervisor._plan_restart(child, child.started_at + HEALTHY_AFTER_S + 1)
    assert child.delay_s == FASTEST_RESTART_S


def test_the_site_is_made_of_every_process_it_needs(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path, tmp_path)
    names = [child.name for child in children(broker, "127.0.0.1", 8123)]
    assert set(names) >= {"broker", "web", "worker", "beat", "ranking"}
    assert len(set(names)) == len(names)


def test_the_broker_answers_on_its_socket_keeps_messages_and_opens_no_port(tmp_path: Path) -> None:
    broker = EmbeddedBroker.prepare(tmp_path)
    assert len(str(broker.socket).encode()) < 108
    assert broker.socket_folder.stat().st_mode & 0o077 == 0
    try:
        for expected in (0, 1):
            process = subprocess.Popen(broker.command(), stdout=subprocess.DEVNULL)
            retry = Retry(ConstantBackoff(0.05), 400, supported_errors=(redis.ConnectionError,))
            with redis.Redis(unix_socket_path=str(broker.socket), retry=retry) as client:
                assert client.llen("short") == expected
                client.rpush("short", "message")
                settings = client.config_get("*")
            process.terminate()
            assert process.wait(timeout=30) == 0
        assert (settings["port"], settings["appendonly"], settings["maxmemory-policy"]) == ("0", "yes", "noeviction")
    finally:
        broker.remove_socket()
    assert not broker.socket_folder.exists()
