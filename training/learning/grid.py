"""The order of crops in a grid, and which of them lie inside a lasso; arrays in and out."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]
# A multiplier of Knuth's: crops that follow each other end far apart.
SPREAD = np.uint64(0x9E3779B97F4A7C15)


def page_in_order(
    values: Floats | Index, crop_ids: Index, allowed: Mask, start: int, count: int, *, descending: bool = False
) -> Index:
    """Places of the allowed crops by rising (or falling) value, ties by rising crop id, NaN last.

    At most `count`, from the one at `start` on; what stands on other pages is not sorted.
    values, crop_ids, allowed: (n,).
    """
    places = np.flatnonzero(allowed)
    keys = _rising(np.asarray(values[places]), descending)
    end = min(start + count, len(places))
    if start >= end:
        return np.empty(0, dtype=np.int64)
    near, before = _between(keys, start, end)
    order = np.lexsort((crop_ids[places[near]], keys[near]))[start - before : end - before]
    return np.asarray(places[near][order], dtype=np.int64)


def _rising(values: NDArray[np.generic], descending: bool) -> Floats | Index:
    """Keys (n,) whose rising order is the one that is asked for."""
    if descending:
        # Whole numbers too: a negated NaN stays one and is last again.
        return np.asarray(-values.astype(np.float64))
    # Half precision is compared slowly, and is the same in single.
    return np.asarray(values, dtype=np.float32 if values.dtype == np.float16 else None)


def _between(keys: Floats | Index, start: int, end: int) -> tuple[Mask, int]:
    """Which keys (n,) may stand at the places from `start` to `end` once sorted, and how many come before these."""
    bounds = np.partition(keys, [start, end - 1])
    low, high = bounds[start], bounds[end - 1]
    is_none = np.isnan(keys)
    # Those without a value stand last: a page reaches them, or begins among them.
    is_before: Mask = ~is_none if np.isnan(low) else keys < low
    near: Mask = ~is_before if np.isnan(high) else ~is_before & (keys <= high)
    return near, int(np.count_nonzero(is_before))


def scattered(crop_ids: Index, seed: int) -> Index:
    """A number per crop (n,) by which they stand in an order that tells nothing of where they are from."""
    with np.errstate(over="ignore"):
        mixed = (crop_ids.astype(np.uint64) + np.uint64(seed)) * SPREAD
        mixed ^= mixed >> np.uint64(29)
        mixed *= SPREAD
    return np.asarray(mixed >> np.uint64(1), dtype=np.int64)


def inside(points: Floats, polygon: Floats) -> Mask:
    """Which points (n, 2) lie inside a polygon (m, 2), even-odd rule; none where it has fewer than three corners."""
    found = np.zeros(len(points), dtype=bool)
    if len(polygon) < 3:
        return found
    # By rising height: an edge concerns the points between its ends alone.
    order = np.argsort(points[:, 1])
    x, y = points[order, 0].astype(np.float64), points[order, 1].astype(np.float64)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0)):
        if y0 != y1:
            beside = slice(*np.searchsorted(y, sorted((y0, y1))))
            found[order[beside]] ^= x[beside] < (x1 - x0) * (y[beside] - y0) / (y1 - y0) + x0
    return found


def polygon_area(corners: Floats) -> float:
    """Area of a closed outline (m, 2), in squared units of its corners."""
    x, y = corners[:, 0], corners[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def shrunk(pixels: NDArray[np.generic], side: int) -> NDArray[np.generic]:
    """Crops (n, channel, h, w) at the smallest whole fraction of their size that is not below `side`, averaged.

    In the type of the original; what is left over at the right and lower border is cut off.
    """
    factor = min(pixels.shape[2:]) // max(side, 1)
    if factor < 2:
        return pixels
    n, channels, height, width = pixels.shape
    rows, columns = height // factor, width // factor
    cut = pixels[:, :, : rows * factor, : columns * factor]
    mean = cut.reshape(n, channels, rows, factor, columns, factor).mean(axis=(3, 5), dtype=np.float32)
    if np.issubdtype(pixels.dtype, np.integer):
        mean = np.rint(mean)
    return np.asarray(mean.astype(pixels.dtype))
