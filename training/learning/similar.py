"""Which crops of a pool look most like one crop, in the feature space of the head."""

import numpy as np
from numpy.typing import NDArray

from training.learning.head import Standardisation

Index = NDArray[np.int64]
Distances = NDArray[np.float32]

# Small enough that a chunk of 384 columns and its differences stay in the second-level cache.
CHUNK = 1024


def standardised_distance(
    rows: NDArray[np.floating], query: NDArray[np.floating], norm: Standardisation, chunk: int = CHUNK
) -> Distances:
    """Distance (n,) of each row (n, d) to the query (d,), at least 0: root mean square over the columns, each in
    standard deviations of the pool.

    Two crops drawn at random are about 1.4 apart. It is the Euclidean distance between the head's regressors. Rows
    are read in chunks, so that a memory map stays one. Raises ValueError for shapes that do not fit and for NaN or
    infinite values.
    """
    if rows.ndim != 2 or query.shape != (rows.shape[1],):
        raise ValueError(f"rows of shape {rows.shape} and a crop of shape {query.shape} are not of one encoder")
    centre = np.asarray(query, dtype=np.float32)
    scale = (1 / (norm.scale * np.sqrt(max(rows.shape[1], 1)))).astype(np.float32)
    found = np.empty(rows.shape[0], dtype=np.float32)
    for start in range(0, len(found), chunk):
        # The difference comes first: squares of far-off columns would cancel in single precision.
        difference = np.asarray(rows[start : start + chunk], dtype=np.float32) - centre
        difference *= scale
        found[start : start + chunk] = np.sqrt(np.vecdot(difference, difference))
    if not np.isfinite(found).all():
        raise ValueError("embeddings hold NaN or infinite values; encode the crops again")
    return found


def nearest_first(
    distance: NDArray[np.floating], crop_ids: Index, count: int, allowed: NDArray[np.bool_] | None = None
) -> Index:
    """Places (at most `count`) of the nearest allowed crops, nearest first, ties by rising crop id.

    distance, crop_ids, allowed: (n,); all crops are allowed where `allowed` is left out.
    """
    places = np.arange(len(distance)) if allowed is None else np.flatnonzero(allowed)
    values = distance[places]
    if 0 < count < len(places):
        # Everything up to the last distance, so that ties at the end are told apart by id too.
        within = values <= np.partition(values, count - 1)[count - 1]
        places, values = places[within], values[within]
    return np.asarray(places[np.lexsort((crop_ids[places], values))][: max(count, 0)], dtype=np.int64)
