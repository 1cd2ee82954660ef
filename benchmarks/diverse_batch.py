"""A batch of 100 diverse crops and crops like one crop, out of 100,000."""

import numpy as np

from benchmarks.measure import cpu_seconds
from benchmarks.rerank import make_case
from benchmarks.rows import Beside, Row
from training.learning.head import standardise
from training.learning.ranking import PoolRanker
from training.learning.similar import nearest_first, standardised_distance

CROPS, DIMENSION, BATCH = 100_000, 384, 100
SAMPLE = 2000


def measure() -> list[Row]:
    """The batch from a warm pool, and with the pool's variance computed anew; the 50 crops nearest to one."""
    case = make_case(CROPS, DIMENSION)
    given = case.answers(np.random.default_rng(1).permutation(CROPS)[:300])
    is_open, ranker = np.ones(CROPS, dtype=bool), PoolRanker(case.embeddings, case.experiments)
    first = cpu_seconds(
        lambda: PoolRanker(case.embeddings, case.experiments).diverse_batch(given, is_open, count=BATCH), repeats=3
    )
    warm = cpu_seconds(lambda: ranker.diverse_batch(given, is_open, count=BATCH))
    norm, ids = standardise(case.embeddings), np.arange(CROPS)
    alike = cpu_seconds(
        lambda: nearest_first(standardised_distance(case.embeddings, case.embeddings[5], norm), ids, 50)
    )
    plain = cpu_seconds(lambda: _farthest_first(np.asarray(case.embeddings[:SAMPLE]), BATCH), 1) * CROPS / SAMPLE
    return [
        Row("100_of_100k", warm, "CPU-s", "<= 2", Beside("farthest-first over the whole pool, scaled", plain)),
        Row("100_of_100k_first_time", first, "CPU-s", "<= 2"),
        Row("50_like_one_of_100k", alike, "CPU-s", "<= 0.3"),
    ]


def _farthest_first(rows: np.ndarray, count: int) -> list[int]:
    """Each crop as far as possible from those before it: the plain way to a diverse batch."""
    chosen, closest = [0], np.full(len(rows), np.inf)
    while len(chosen) < count:
        np.minimum(closest, ((rows - rows[chosen[-1]]) ** 2).sum(axis=1), out=closest)
        chosen.append(int(np.argmax(closest)))
    return chosen
