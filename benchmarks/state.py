"""A thousand random adds, edits and deletes: how far the warm state is from a fit on the final answers."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.rerank import CLASSES, make_case
from benchmarks.rows import Row
from training.learning.ranking import Answers, PoolRanker, Ranking

CROPS, DIMENSION = 5000, 64
OPERATIONS = 1000
# More than a fit from nothing is used for, so that every ranking starts from the one before.
ANSWERED = 1500


def measure() -> list[Row]:
    """Largest differences over the pool, and how many of the first hundred crops are the same."""
    case = make_case(CROPS, DIMENSION)
    is_open = np.ones(CROPS, dtype=bool)
    ranker, said = PoolRanker(case.embeddings, case.experiments), _first(case.classes)
    rng = np.random.default_rng(2)
    for _ in range(OPERATIONS):
        ranker.rank(_answers(said), is_open)
        _change(said, rng)
    walked = ranker.rank(_answers(said), is_open)
    fresh_ranker = PoolRanker(case.embeddings, case.experiments)
    fresh = fresh_ranker.rank(_answers(said), is_open)
    apart = np.abs(ranker.variance / fresh_ranker.variance - 1)
    return [
        Row("variance", float(apart.max()), "of itself", "<= 1e-4"),
        Row("probabilities", _difference(walked, fresh), "in 0 to 1", "<= 1e-3"),
        Row("top_100_in_common", len(set(walked.order[:100]) & set(fresh.order[:100])), "of 100", ">= 99"),
    ]


def _first(classes: NDArray[np.int64]) -> dict[int, int]:
    crops = np.random.default_rng(1).permutation(CROPS)[:ANSWERED]
    return {int(crop): int(classes[crop]) for crop in crops}


def _change(said: dict[int, int], rng: np.random.Generator) -> None:
    """One answer added (40 %), edited (30 %) or deleted (30 %)."""
    kind, some = rng.random(), list(said)[int(rng.integers(len(said)))]
    if kind < 0.3:
        said.pop(some)
    else:
        said[some if kind < 0.6 else int(rng.integers(CROPS))] = int(rng.integers(CLASSES))


def _answers(said: dict[int, int]) -> Answers:
    return Answers(np.array(list(said)), np.eye(CLASSES)[list(said.values())], np.ones(len(said)))


def _difference(walked: Ranking, fresh: Ranking) -> float:
    assert walked.probabilities is not None and fresh.probabilities is not None
    return float(np.abs(walked.probabilities - fresh.probabilities).max())
