"""A million crops from a memory map: seconds from an answer to the new order, and memory beside the file."""

import os
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measure import cpu_of, memory_mib, percentile
from benchmarks.rerank import CLASSES, Case, answer_times, from_scratch, read_once_seconds
from benchmarks.rows import Beside, Row
from training.learning.ranking import PoolRanker

CROPS, DIMENSION = 1_000_000, 384
BLOCK = 50_000
ANSWERS = 20
TARGET = "<= 1"


def measure() -> list[Row]:
    """p95 and median over answers one by one, by one thread and by two; the file lies in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        before = memory_mib()
        case = _mapped(Path(folder) / "pool.npy")
        floor = read_once_seconds(case.embeddings, 3)
        scratch = cpu_of(lambda: from_scratch(case))
        loading = cpu_of(lambda: PoolRanker(case.embeddings, case.experiments))
        one = answer_times(case, answers=ANSWERS, ranker=PoolRanker(case.embeddings, case.experiments, threads=1))
        two = answer_times(case, answers=ANSWERS)
    nothing, once = Beside("refit and rescore from nothing", scratch), Beside("reading the pool once", floor)
    return [
        Row("p95", percentile(one.cpu, 95), "CPU-s", TARGET, nothing),
        Row("median", percentile(one.cpu, 50), "CPU-s", TARGET, once),
        Row("p95_wall_two_threads", percentile(two.wall, 95), "s", TARGET),
        Row("median_wall_two_threads", percentile(two.wall, 50), "s", TARGET),
        Row("memory_beside_the_map", one.peak_mib - before, "MiB", "<= 300"),
        Row("start_after_a_kill", loading + one.first, "CPU-s"),
    ]


def _mapped(path: Path) -> Case:
    """The pool in a file, written block by block and opened as a memory map."""
    rng = np.random.default_rng(0)
    centres = (rng.standard_normal((CLASSES, DIMENSION)) * 0.35).astype(np.float32)
    classes = rng.choice(CLASSES, CROPS, p=(0.6, 0.25, 0.1, 0.05))
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(CROPS, DIMENSION))
    for start in range(0, CROPS, BLOCK):
        part = slice(start, start + BLOCK)
        rows[part] = rng.standard_normal((BLOCK, DIMENSION), dtype=np.float32) + centres[classes[part]]
    rows.flush()
    os.sync()
    return Case(np.load(path, mmap_mode="r"), classes, rng.integers(0, 5, CROPS))
