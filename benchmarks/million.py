"""A million crops from a memory map: seconds from an answer to the new order, and memory beside the file."""

import os
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measure import cpu_seconds, memory_mib, percentile
from benchmarks.rerank import CLASSES, Case, answer_times, from_scratch, read_once_seconds
from benchmarks.rows import Beside, Row
from training.learning.ranking import PoolRanker

CROPS, DIMENSION = 1_000_000, 384
BLOCK = 50_000
ANSWERS = 40
TARGET = "<= 1"


def measure() -> list[Row]:
    """p95 and median over answers one by one, by one thread and by two; the file lies in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        before = memory_mib()
        case = _mapped(Path(folder) / "pool.npy")
        return [*_answers(case, before), _start_again(case)]


def _answers(case: Case, before: float) -> list[Row]:
    floor = read_once_seconds(case.embeddings, 3)
    one = answer_times(case, answers=ANSWERS, ranker=PoolRanker(case.embeddings, case.experiments, threads=1))
    two = answer_times(case, answers=ANSWERS)
    scratch = cpu_seconds(lambda: from_scratch(case), repeats=1)
    return [
        Row("p95", percentile(one.cpu, 95), "CPU-s", TARGET, Beside("refit and rescore from nothing", scratch)),
        Row("median", percentile(one.cpu, 50), "CPU-s", TARGET, Beside("reading the pool once", floor)),
        Row(
            "p95_wall_two_threads", percentile(two.wall, 95), "s", TARGET, Beside("median", percentile(two.wall, 50))
        ),
        Row("memory_beside_the_map", one.peak_mib - before, "MiB", "<= 300"),
    ]


def _start_again(case: Case) -> Row:
    """A worker that was killed: loading the pool and the first ranking after 300 answers."""
    crops = np.random.default_rng(1).permutation(CROPS)[:300]
    is_open = np.ones(CROPS, dtype=bool)
    again = cpu_seconds(
        lambda: PoolRanker(case.embeddings, case.experiments).rank(case.answers(crops), is_open), repeats=1
    )
    return Row("start_after_a_kill", again, "CPU-s")


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
