"""Runs many replays on several processes of one thread each; what comes out does not depend on their number."""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import active_children, get_context

from threadpoolctl import threadpool_limits

from training.learning.efficiency.folds import Fold
from training.learning.efficiency.plan import EfficiencyPlan, LabelledPool
from training.learning.efficiency.replay import Replay, Run, replay

Tell = Callable[[int, int], None]
Work = tuple[EfficiencyPlan, LabelledPool, Sequence[Fold], list[int]]

_work: list[Work] = []


def run_all(runs: Sequence[Run], work: Work, tell: Tell) -> list[Replay]:
    """The replays of all runs, in their order. `tell` hears after each how many of how many are done."""
    if work[0].jobs <= 1:
        return _one_by_one(runs, work, tell)
    with _workers(work[0].jobs, work) as workers:
        waiting = [workers.submit(_replayed_by_worker, run) for run in runs]
        for done, future in enumerate(as_completed(waiting), 1):
            future.result()
            tell(done, len(runs))
        return [future.result() for future in waiting]


def _one_by_one(runs: Sequence[Run], work: Work, tell: Tell) -> list[Replay]:
    found = []
    with threadpool_limits(1):
        for run in runs:
            found.append(_replayed(run, work))
            tell(len(found), len(runs))
    return found


@contextmanager
def _workers(jobs: int, work: Work) -> Iterator[ProcessPoolExecutor]:
    """Processes that hold the data already; when anything goes wrong they end at once, their work unfinished."""
    others = set(active_children())
    # Started anew rather than forked: a fork copies locks that BLAS threads of the parent may hold.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _hold, (work,))
    try:
        yield pool
    except BaseException:
        for process in set(active_children()) - others:
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _hold(work: Work) -> None:
    """What each process does first."""
    # Ctrl-C reaches every process of a terminal; the parent ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
    _work[:] = [work]


def _replayed_by_worker(run: Run) -> Replay:
    return _replayed(run, _work[0])


def _replayed(run: Run, work: Work) -> Replay:
    plan, data, folds, points = work
    return replay(run, plan, data, folds[run.fold], points)
