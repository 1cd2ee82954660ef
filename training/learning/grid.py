"""The order of crops in a grid, and which of them lie inside a lasso; arrays in and out."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]
# A multiplier of Knuth's: crops that follow each other end far apart.
SPREAD = np.uint64(0x9E3779B97F4A7C15)


def in_order(values: Floats | Index, crop_ids: Index, allowed: Mask, *, descending: bool = False) -> Index:
    """Places of the allowed crops by rising (or falling) value, ties by rising crop id, NaN last.

    values, crop_ids, allowed: (n,).
    """
    places = np.flatnonzero(allowed)
    wanted = np.asarray(values[places])
    if descending:
        # Whole numbers too: a negated NaN stays one and is last again.
        wanted = -wanted.astype(np.float64)
    return np.asarray(places[np.lexsort((crop_ids[places], wanted))], dtype=np.int64)


def scattered(crop_ids: Index, seed: int) -> Index:
    """A number per crop (n,) by which they stand in an order that tells nothing of where they are from."""
    with np.errstate(over="ignore"):
        mixed = (crop_ids.astype(np.uint64) + np.uint64(seed)) * SPREAD
        mixed ^= mixed >> np.uint64(29)
        mixed *= SPREAD
    return np.asarray(mixed >> np.uint64(1), dtype=np.int64)


def inside(points: Floats, polygon: Floats) -> Mask:
    """Which points (n, 2) lie inside a polygon (m, 2), even-odd rule; none where it has fewer than three corners."""
    x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    found = np.zeros(len(points), dtype=bool)
    if len(polygon) < 3:
        return found
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0)):
        crosses = (y0 > y) != (y1 > y)
        if y0 != y1:
            found ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
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
