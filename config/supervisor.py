"""Starts the processes of a one-machine site, prints their logs, restarts what dies, stops all together."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

FASTEST_RESTART_S = 1.0
SLOWEST_RESTART_S = 30.0
# A child that ran this long before it died was healthy: its next restart is quick again.
HEALTHY_AFTER_S = 60.0
STOP_WITHIN_S = 15.0


@dataclass(slots=True)
class Child:
    """One process: its name in the log, its command, and when it may be started again."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    started_at: float = 0.0
    delay_s: float = FASTEST_RESTART_S
    restart_at: float = 0.0

    def start(self, write: Callable[[str], None]) -> None:
        """Start the process in a session of its own, so that Ctrl-C reaches it only through us."""
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self.started_at = time.monotonic()
        self.restart_at = 0.0
        assert self.process.stdout is not None
        threading.Thread(target=_copy_lines, args=(self.name, self.process.stdout, write), daemon=True).start()

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Keeps children running until it is told to stop."""

    def __init__(self, children: list[Child], write: Callable[[str], None]) -> None:
        self.children = children
        self.write = write
        self.stopping = threading.Event()

    def run(self) -> None:
        """Start every child and keep each one running until `stop` is called."""
        for child in self.children:
            child.start(self.write)
        while not self.stopping.wait(0.2):
            for child in self.children:
                self._revive(child)
        self._stop_all()

    def stop(self, *_: object) -> None:
        """Ask for the end; may be called from a signal handler."""
        self.stopping.set()

    def _revive(self, child: Child) -> None:
        if child.is_running:
            return
        now = time.monotonic()
        if not child.restart_at:
            self._plan_restart(child, now)
        elif now >= child.restart_at:
            child.start(self.write)

    def _plan_restart(self, child: Child, now: float) -> None:
        healthy = now - child.started_at > HEALTHY_AFTER_S
        child.delay_s = FASTEST_RESTART_S if healthy else min(child.delay_s * 2, SLOWEST_RESTART_S)
        child.restart_at = now + child.delay_s
        code = child.process.returncode if child.process else "?"
        self.write(f"{child.name:>8} | ended with code {code}; starting again in {child.delay_s:.0f} s")

    def _stop_all(self) -> None:
        for child in reversed(self.children):
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + STOP_WITHIN_S
        for child in reversed(self.children):
            _wait(child, deadline)


def _signal(child: Child, number: int) -> None:
    if child.is_running and child.process:
        # The child leads its own group: its pool processes go with it.
        os.killpg(child.process.pid, number)


def _wait(child: Child, deadline: float) -> None:
    if child.process is None:
        return
    try:
        child.process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        _signal(child, signal.SIGKILL)
        child.process.wait()


def _copy_lines(name: str, stream: IO[str], write: Callable[[str], None]) -> None:
    for line in stream:
        write(f"{name:>8} | {line.rstrip()}")


def print_line(line: str) -> None:
    """Write one line of the common log at once, to stderr: stdout belongs to answers."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
