"""The first crops of a study, before any answer: centres of k-means clusters, every experiment represented."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Features = NDArray[np.float32]
Index = NDArray[np.int64]

ITERATIONS = 20
LARGEST_SAMPLE = 100_000
# Similarities of the sample to the centres, single precision: 64 MiB.
SIMILARITIES = 1 << 24


def cold_start_size(classes: int) -> int:
    """Number of crops asked before the model has a say: two per class, at least twenty."""
    return max(2 * classes, 20)


def sample_size(clusters: int) -> int:
    """Number of crops that are clustered at most: fewer for many clusters, to bound memory and time."""
    return min(max(SIMILARITIES // clusters, 4 * clusters), LARGEST_SAMPLE)


def unit_rows(rows: NDArray[np.floating]) -> Features:
    """Rows scaled to length one, float32; a zero row stays zero."""
    values = np.asarray(rows, dtype=np.float32)
    length = np.sqrt(np.vecdot(values, values))[:, None]
    return np.asarray(np.divide(values, length, out=np.zeros_like(values), where=length > 0))


def _first_centres(features: Features, count: int, rng: np.random.Generator) -> Features:
    """Centres spread by k-means++ (10.5555/1283383.1283494) on cosine distance."""
    chosen = [int(rng.integers(len(features)))]
    distance = np.maximum(1 - features @ features[chosen[0]], 0).astype(np.float64)
    for _ in range(count - 1):
        total = distance.sum()
        share = distance / total if total > 0 else np.full(len(distance), 1 / len(distance))
        chosen.append(int(rng.choice(len(features), p=share)))
        distance = np.minimum(distance, np.maximum(1 - features @ features[chosen[-1]], 0))
    return features[chosen]


def spherical_kmeans(features: Features, count: int, seed: int) -> tuple[Features, Index]:
    """Unit centres (count, q) and the cluster (n,) of each unit row (10.1023/A:1007612920971).

    Deterministic for a seed; a cluster may be empty. Raises ValueError when there are fewer rows than clusters.
    """
    if not 1 <= count <= len(features):
        raise ValueError(f"{count} clusters of {len(features)} crops; ask for 1 to {len(features)}")
    rows, centres = len(features), _first_centres(features, count, np.random.default_rng(seed))
    member = np.argmax(features @ centres.T, axis=1)
    for _ in range(ITERATIONS):
        belongs = csr_array((np.ones(rows, dtype=np.float32), member, np.arange(rows + 1)), shape=(rows, count))
        empty = np.bincount(member, minlength=count) == 0
        centres = np.where(empty[:, None], centres, unit_rows(belongs.T @ features))
        moved = np.argmax(features @ centres.T, axis=1)
        if np.array_equal(moved, member):
            break
        member = moved
    return centres, member


def _represent(chosen: Index, similarity: NDArray[np.float32], experiment: Index) -> Index:
    """Chosen crops changed as little as possible so that every experiment has one.

    similarity (n, clusters). A missing experiment takes over the cluster it comes closest to, from an experiment that
    has more than one crop; with more experiments than clusters it adds its most central crop instead.
    """
    for missing in np.setdiff1d(experiment, experiment[chosen]):
        rows = np.flatnonzero(experiment == missing)
        held = np.bincount(experiment[chosen], minlength=experiment.max() + 1)[experiment[chosen]]
        free = np.flatnonzero(held[: similarity.shape[1]] > 1)
        if len(free) == 0:
            chosen = np.append(chosen, rows[np.argmax(similarity[rows].max(axis=1))])
            continue
        loss = similarity[chosen[free], free] - similarity[np.ix_(rows, free)].max(axis=0)
        cluster = free[np.argmin(loss)]
        chosen[cluster] = rows[np.argmax(similarity[rows, cluster])]
    return chosen


def _spread(chosen: Index, features: Features) -> Index:
    """Chosen crops so reordered that each lies farthest from those before it; the first one stays first.

    Every beginning of the list is then diverse, also for an annotator who stops early (10.1016/0304-3975(85)90224-5).
    """
    rows = features[chosen]
    order, closest = [0], rows @ rows[0]
    while len(order) < len(chosen):
        closest[order[-1]] = np.inf
        order.append(int(np.argmin(closest)))
        np.maximum(closest, rows @ rows[order[-1]], out=closest)
    return chosen[order]


def cold_start(features: Features, experiment: NDArray[np.integer], count: int, seed: int) -> Index:
    """Rows to ask first, min(count, n) of them or more: from the largest cluster outwards, every experiment present.

    features: unit rows (n, q); experiment: (n,) number of each row's experiment. Deterministic for a seed.
    """
    if len(features) <= count:
        return np.arange(len(features))
    _, number = np.unique(experiment, return_inverse=True)
    centres, member = spherical_kmeans(features, count, seed)
    similarity = features @ centres.T
    order = np.argsort(-np.bincount(member, minlength=count), kind="stable")
    similarity = similarity[:, order]
    chosen = np.empty(count, dtype=np.int64)
    for cluster in range(count):
        free = similarity[:, cluster].copy()
        free[chosen[:cluster]] = -np.inf
        chosen[cluster] = np.argmax(free)
    return _spread(_represent(chosen, similarity, number), features)
