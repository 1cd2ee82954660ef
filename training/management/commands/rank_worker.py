"""`manage.py rank_worker`: the process that ranks every study again after each answer."""

import os
import signal
import threading
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import OperationalError, close_old_connections

from audit.management.base import prepare_database
from training.worker.ranking import RankingWorker
from training.worker.saving import sweep

POLL_S = 0.05
# Whether there is a new answer is asked more often: a look at one number, not at everything a ranking depends on.
NEWS_S = 0.01
# Answers come first: where the cores are busy, the web server is not kept waiting by a ranking.
NICENESS = 5
# A database that is away for a moment is asked again after this long.
PAUSE_S = 2.0


class Command(BaseCommand):
    """Poll for new answers every 10 ms and for any other change every 50 ms; started by `manage.py up`."""

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="rank what is due and end")

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_database()
        sweep()
        worker = RankingWorker()
        if options["once"]:
            worker.step()
            return
        os.nice(NICENESS)
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        self._poll(worker, stop)

    def _poll(self, worker: RankingWorker, stop: threading.Event) -> None:
        told: dict[int, str] = {}
        while not stop.is_set():
            try:
                worker.step()
                self._rest(worker, stop)
            except OperationalError as error:
                self.stderr.write(f"the database is away: {error}; asking again in {PAUSE_S:.0f} s")
                close_old_connections()
                stop.wait(PAUSE_S)
            for study, reason in worker.refusals.items():
                if told.get(study) != reason:
                    self.stderr.write(f"study {study} is not ranked: {reason}")
            told = dict(worker.refusals)

    def _rest(self, worker: RankingWorker, stop: threading.Event) -> None:
        """Wait for the next look at everything, or for the next answer."""
        until = time.monotonic() + POLL_S
        while time.monotonic() < until and not stop.wait(NEWS_S) and not worker.has_news():
            pass
