"""A beat in the background while something takes long that tells nothing of itself: a download, a large file."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from django.db import connections

from training.services.work import Cancelled

logger = logging.getLogger(__name__)

# Several within the time after which a silent worker counts as dead.
EVERY_S = 30.0


@contextmanager
def beating(beat: Callable[[], None], every_s: float = EVERY_S) -> Iterator[None]:
    """Call `beat` every so many seconds until the block ends, or until it says that the work was cancelled.

    What happens in the block is not stopped: whoever does the work hears of the end at its own next beat.
    """
    over = Event()
    thread = Thread(target=_beat_until, args=(over, beat, every_s), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _beat_until(over: Event, beat: Callable[[], None], every_s: float) -> None:
    while not over.wait(every_s):
        try:
            beat()
        except Cancelled:
            return
        except Exception:
            # A database that is away for a moment ends neither the download nor the beats after it.
            logger.warning("a beat failed", exc_info=True)
        finally:
            # Connections belong to threads, and nobody else closes this thread's.
            connections.close_all()
