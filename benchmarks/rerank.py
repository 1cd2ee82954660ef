"""Seconds from an answer to the new order, against refitting and rescoring everything from nothing."""

import time
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import cpu_seconds, memory_mib, percentile
from benchmarks.rows import Beside, Row
from training.learning import head
from training.learning.acquisition.scores import margin
from training.learning.ranking import Answers, PoolRanker, RankingSettings
from training.learning.rows import Rows, chunks

CLASSES = 4
ALREADY_ANSWERED = 300
ANSWERS = 40
TARGET = "<= 0.2"


@dataclass(frozen=True, slots=True)
class Case:
    """A pool of embeddings (crops, dimension), the class of each crop, its experiment."""

    embeddings: Rows
    classes: NDArray[np.int64]
    experiments: NDArray[np.int64]
    number_of_classes: int = CLASSES

    def answers(self, crops: NDArray[np.int64]) -> Answers:
        """Truthful answers to these crops."""
        return Answers(crops, np.eye(self.number_of_classes)[self.classes[crops]], np.ones(len(crops)))


@dataclass(frozen=True, slots=True)
class Times:
    """CPU and wall seconds of each ranking, the most MiB of memory of its own that the process held, and the CPU
    seconds of the first ranking, which computes every variance."""

    cpu: list[float]
    wall: list[float]
    peak_mib: float
    first: float = 0.0


def measure() -> list[Row]:
    """Three cases; p95 and median over answers that are given one by one to what the ranking asks."""
    large = make_case(100_000, 384)
    return [
        *_rows(make_case(10_000, 180), "10k_x_180"),
        *_rows(large, "100k_x_384"),
        *_by_labels(large),
        *_many_classes(),
    ]


def make_case(count: int, dimension: int, seed: int = 0) -> Case:
    """Clusters that overlap, so that there is something to be unsure of."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((CLASSES, dimension)).astype(np.float32) * 0.35
    classes = rng.choice(CLASSES, count, p=(0.6, 0.25, 0.1, 0.05))
    embeddings = rng.standard_normal((count, dimension), dtype=np.float32)
    embeddings += centres[classes]
    return Case(embeddings, classes, rng.integers(0, 5, count))


def _rows(case: Case, name: str) -> list[Row]:
    times = answer_times(case)
    scratch = cpu_seconds(partial(from_scratch, case), repeats=3)
    floor = read_once_seconds(case.embeddings)
    return [
        Row(
            f"{name}_p95",
            percentile(times.cpu, 95),
            "CPU-s",
            TARGET,
            Beside("refit and rescore from nothing", scratch),
        ),
        Row(f"{name}_median", percentile(times.cpu, 50), "CPU-s", TARGET, Beside("reading the pool once", floor)),
        Row(f"{name}_median_wall", percentile(times.wall, 50), "s", TARGET),
    ]


def _by_labels(case: Case) -> list[Row]:
    """The same pool with ten and thirty times as many answers."""
    few = percentile(answer_times(case, answers=20).cpu, 50)
    return [
        Row(
            f"100k_x_384_with_{answered}_answers",
            percentile(answer_times(case, answered, 20).cpu, 50),
            "CPU-s",
            TARGET,
            Beside(f"with {ALREADY_ANSWERED} answers", few),
        )
        for answered in (3000, 10_000)
    ]


def _many_classes() -> list[Row]:
    """300 classes, all of them answered: what the head alone and all of the ranking take."""
    rng = np.random.default_rng(3)
    case = make_case(20_000, 384)
    case = Case(case.embeddings, rng.integers(0, 300, 20_000), case.experiments, 300)
    known = rng.permutation(20_000)[:600]
    rows, targets = case.embeddings[known], case.answers(known).targets
    alone = cpu_seconds(lambda: head.fit_head(rows, targets, settings=RankingSettings().head), repeats=3)
    times = answer_times(case, 600, 10)
    beside = Beside("the same fit alone, from nothing", alone)
    return [Row("20k_x_384_with_300_classes", percentile(times.cpu, 50), "CPU-s", None, beside)]


def answer_times(
    case: Case, answered: int = ALREADY_ANSWERED, answers: int = ANSWERS, ranker: PoolRanker | None = None
) -> Times:
    """Times of each new ranking while answers come in one by one."""
    ranker = ranker or PoolRanker(case.embeddings, case.experiments)
    known = np.random.default_rng(1).permutation(len(case.classes))[:answered]
    is_open = np.ones(len(case.classes), dtype=bool)
    cpu, wall, peak = [], [], 0.0
    started = time.process_time(), time.perf_counter()
    ranking = ranker.rank(case.answers(known), is_open)
    first = time.process_time() - started[0]
    for _ in range(answers):
        known = np.append(known, ranking.order[0])
        given = case.answers(known)
        started = time.process_time(), time.perf_counter()
        ranking = ranker.rank(given, is_open)
        cpu.append(time.process_time() - started[0])
        wall.append(time.perf_counter() - started[1])
        peak = max(peak, memory_mib())
    return Times(cpu, wall, peak, first)


def from_scratch(case: Case, answered: int = ALREADY_ANSWERED) -> NDArray[np.int64]:
    """The order of the pool by margin times variance, nothing kept from before: the plain way."""
    answers = case.answers(np.random.default_rng(1).permutation(len(case.classes))[:answered])
    norm = head.standardise(case.embeddings)
    fitted = head.fit_head(case.embeddings[answers.crop_index], answers.targets, answers.weight, standardisation=norm)
    worth = np.empty(len(case.embeddings))
    for part, rows in chunks(case.embeddings, 8192):
        spread = head.variance(fitted, rows)
        p = head.probit_probabilities(head.logits(fitted, rows), spread, fitted.temperature)
        worth[part] = margin(p) * spread
    return np.argsort(-worth)


def read_once_seconds(embeddings: Rows, repeats: int = 9) -> float:
    """CPU seconds of reading the embeddings once from memory: what memory bandwidth allows at best."""
    ones = np.ones(embeddings.shape[1], dtype=np.float32)
    return cpu_seconds(lambda: [rows @ ones for _, rows in chunks(embeddings, 8192)], repeats)
