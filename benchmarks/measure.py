"""Stop-watches. CPU time is what a figure is worth on any machine; wall time carries whatever else runs there."""

import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path


def cpu_seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Median CPU seconds, over all threads of this process, of one call; a first call warms up."""
    work()
    return statistics.median(cpu_of(work) for _ in range(repeats))


def cpu_of(work: Callable[[], object]) -> float:
    """CPU seconds, over all threads of this process, of one call, as it comes."""
    started = time.process_time()
    work()
    return time.process_time() - started


def memory_mib() -> float:
    """MiB of memory that this process alone holds now; pages of mapped files are not in it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def peak_mib(work: Callable[[], object]) -> float:
    """MiB that one call holds at its height beyond what there was before, arrays included; slower than the call."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(percent) // 100) - 1)]
