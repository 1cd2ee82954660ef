"""Five studies ranked by one process, answers in turn: time per answer and memory."""

import time

import numpy as np

from benchmarks.measure import memory_mib, percentile
from benchmarks.rerank import ALREADY_ANSWERED, Case, Times, answer_times, make_case
from benchmarks.rows import Beside, Row
from training.learning.ranking import PoolRanker

STUDIES, CROPS, DIMENSION, ROUNDS = 5, 100_000, 384, 8


def measure() -> list[Row]:
    """CPU seconds per answer in five studies of one pool of embeddings, against one study alone."""
    case = make_case(CROPS, DIMENSION)
    alone = percentile(answer_times(case, answers=ROUNDS).cpu, 50)
    before = memory_mib()
    rankers = [PoolRanker(case.embeddings, np.roll(case.experiments, n)) for n in range(STUDIES)]
    times = _in_turn(case, rankers)
    return [
        Row("p95_per_answer", percentile(times.cpu, 95), "CPU-s", "<= 0.2", Beside("one study alone", alone)),
        Row("answers_per_cpu_second", len(times.cpu) / sum(times.cpu), "answers per CPU-s", ">= 5"),
        Row("memory_per_study", (times.peak_mib - before) / STUDIES, "MiB"),
    ]


def _in_turn(case: Case, rankers: list[PoolRanker]) -> Times:
    """Times of the rankings of one answer to each study, round after round; the first round loads the answers."""
    is_open, cpu, wall, peak = np.ones(CROPS, dtype=bool), [], [], 0.0
    known = [np.random.default_rng(n).permutation(CROPS)[:ALREADY_ANSWERED] for n in range(len(rankers))]
    for turn in range(ROUNDS + 1):
        for number, ranker in enumerate(rankers):
            started = time.process_time(), time.perf_counter()
            ranking = ranker.rank(case.answers(known[number]), is_open)
            if turn:
                cpu.append(time.process_time() - started[0])
                wall.append(time.perf_counter() - started[1])
            known[number] = np.append(known[number], ranking.order[0])
            peak = max(peak, memory_mib())
    return Times(cpu, wall, peak)
