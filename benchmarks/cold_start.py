"""The first crops of a study of 100,000: k-means, before anybody has answered."""

import numpy as np
from sklearn.cluster import KMeans

from benchmarks.measure import cpu_seconds
from benchmarks.rerank import make_case
from benchmarks.rows import Beside, Row
from training.learning.coldstart import cold_start
from training.learning.features import feature_space

CROPS, DIMENSION = 100_000, 384


def measure() -> list[Row]:
    """20 clusters of all crops; the space in which they are clustered is made once for a pool."""
    case = make_case(CROPS, DIMENSION)
    space = feature_space(case.embeddings)
    features = space.of(np.asarray(case.embeddings))
    ours = cpu_seconds(lambda: cold_start(features, case.experiments, 20, seed=0), repeats=3)
    plain = cpu_seconds(lambda: KMeans(20, n_init=1, random_state=0, max_iter=20).fit(features), repeats=1)
    return [
        Row("20_of_100k", ours, "CPU-s", "<= 10", Beside("scikit-learn's k-means, 20 rounds", plain)),
        Row("space_of_100k", cpu_seconds(lambda: feature_space(case.embeddings), repeats=3), "CPU-s"),
    ]
