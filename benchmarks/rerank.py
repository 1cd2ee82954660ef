"""Seconds from an answer to the new order, against refitting and rescoring everything from nothing."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import cpu_seconds, percentile
from benchmarks.rows import Beside, Row
from training.learning import head
from training.learning.acquisition.scores import margin
from training.learning.ranking import Answers, PoolRanker

CLASSES = 4
ALREADY_ANSWERED = 300
ANSWERS = 40
TARGET = "<= 0.2"
BLOCK = 8192


@dataclass(frozen=True, slots=True)
class Case:
    """A pool of embeddings (crops, dimension) in four clusters, the class of each crop, its experiment."""

    embeddings: NDArray[np.float32]
    classes: NDArray[np.int64]
    experiments: NDArray[np.int64]

    def answers(self, crops: NDArray[np.int64]) -> Answers:
        """Truthful answers to these crops."""
        return Answers(crops, np.eye(CLASSES)[self.classes[crops]], np.ones(len(crops)))


def measure() -> list[Row]:
    """Two pool sizes; p95 and median over answers that are given one by one to what the ranking asks."""
    return [*_rows(make_case(10_000, 180), "10k_x_180"), *_rows(make_case(100_000, 384), "100k_x_384")]


def make_case(count: int, dimension: int, seed: int = 0) -> Case:
    """Clusters that overlap, so that there is something to be unsure of."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((CLASSES, dimension)).astype(np.float32) * 0.35
    classes = rng.choice(CLASSES, count, p=(0.6, 0.25, 0.1, 0.05))
    embeddings = rng.standard_normal((count, dimension), dtype=np.float32)
    embeddings += centres[classes]
    return Case(embeddings, classes, rng.integers(0, 5, count))


def _rows(case: Case, name: str) -> list[Row]:
    cpu, wall = answer_times(case)
    scratch = cpu_seconds(lambda: from_scratch(case), repeats=3)
    floor = read_once_seconds(case.embeddings)
    return [
        Row(f"{name}_p95", percentile(cpu, 95), "CPU-s", TARGET, Beside("refit and rescore from nothing", scratch)),
        Row(f"{name}_median", percentile(cpu, 50), "CPU-s", TARGET, Beside("reading the pool once", floor)),
        Row(f"{name}_median_wall", percentile(wall, 50), "s", TARGET),
    ]


def answer_times(case: Case) -> tuple[list[float], list[float]]:
    """CPU and wall seconds of each new ranking while answers come in one by one."""
    ranker = PoolRanker(case.embeddings, case.experiments)
    known = np.random.default_rng(1).permutation(len(case.classes))[:ALREADY_ANSWERED]
    is_open = np.ones(len(case.classes), dtype=bool)
    cpu, wall = [], []
    ranking = ranker.rank(case.answers(known), is_open)
    for _ in range(ANSWERS):
        known = np.append(known, ranking.order[0])
        started = time.process_time(), time.perf_counter()
        ranking = ranker.rank(case.answers(known), is_open)
        cpu.append(time.process_time() - started[0])
        wall.append(time.perf_counter() - started[1])
    return cpu, wall


def from_scratch(case: Case) -> NDArray[np.int64]:
    """The order of the pool by margin times variance, nothing kept from before: the plain way."""
    answers = case.answers(np.random.default_rng(1).permutation(len(case.classes))[:ALREADY_ANSWERED])
    norm = head.standardise(case.embeddings)
    fitted = head.fit_head(case.embeddings[answers.crop_index], answers.targets, answers.weight, standardisation=norm)
    worth = np.empty(len(case.embeddings))
    for start in range(0, len(worth), BLOCK):
        rows = case.embeddings[start : start + BLOCK]
        spread = head.variance(fitted, rows)
        p = head.probit_probabilities(head.logits(fitted, rows), spread, fitted.temperature)
        worth[start : start + BLOCK] = margin(p) * spread
    return np.argsort(-worth)


def read_once_seconds(embeddings: NDArray[np.float32]) -> float:
    """CPU seconds of reading the embeddings once from memory: what memory bandwidth allows at best."""
    ones = np.ones(embeddings.shape[1], dtype=np.float32)
    return cpu_seconds(lambda: embeddings @ ones, repeats=9)
