"""Closed outlines in full-resolution pixels: their centre, area, direction, and the pixels that they cover."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from labeling.exchange.labels import Ring

# Less than this is no area.
NO_AREA = 1e-9


def area(ring: Sequence[tuple[float, float]]) -> float:
    """Signed area in square pixels (shoelace); positive where the points go clockwise on screen, y down."""
    return _sums(ring)[0]


def centroid(ring: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Centre of the area (x, y); of the box where there is no area; ValueError for fewer than three points."""
    if len(ring) < 3:
        raise ValueError("its outline has fewer than three points")
    size, x, y = _sums(ring)
    if abs(size) < NO_AREA:
        x0, y0, x1, y1 = bounds(ring)
        return (x0 + x1) / 2, (y0 + y1) / 2
    return ring[0][0] + x / (6 * size), ring[0][1] + y / (6 * size)


def bounds(ring: Sequence[tuple[float, float]]) -> tuple[float, float, float, float]:
    """Box x0, y0, x1, y1 of the points."""
    xs, ys = [point[0] for point in ring], [point[1] for point in ring]
    return min(xs), min(ys), max(xs), max(ys)


def opened(points: Sequence[Sequence[float]]) -> Ring:
    """The outline without its repeated last point."""
    ring = tuple((float(point[0]), float(point[1])) for point in points)
    return ring[:-1] if len(ring) > 1 and ring[0] == ring[-1] else ring


def _sums(ring: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    # Counted from the first point: far from the origin the products would lose the digits that matter.
    left, top = ring[0]
    size = x_sum = y_sum = 0.0
    for (x0, y0), (x1, y1) in zip(ring, (*ring[1:], ring[0])):
        ax, ay, bx, by = x0 - left, y0 - top, x1 - left, y1 - top
        cross = ax * by - bx * ay
        size, x_sum, y_sum = size + cross / 2, x_sum + (ax + bx) * cross, y_sum + (ay + by) * cross
    return size, x_sum, y_sum


def paint(labels: NDArray[np.int32], ring: Sequence[tuple[float, float]], value: int) -> int:
    """Write `value` into each pixel of `labels` (height, width) whose centre lies inside; returns how many.

    Pixel i covers i to i + 1. A pixel is inside where an odd number of edges lies to its right.
    """
    height, width = labels.shape
    x0, y0, x1, y1 = bounds(ring)
    left, top = max(0, int(np.floor(x0))), max(0, int(np.floor(y0)))
    right, below = min(width, int(np.ceil(x1))), min(height, int(np.ceil(y1)))
    if right <= left or below <= top:
        return 0
    inside = _inside(np.asarray(ring, dtype=np.float64) - (left, top), below - top, right - left)
    labels[top:below, left:right][inside] = value
    return int(inside.sum())


def _inside(points: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    crossings = np.zeros((height, width + 1), dtype=np.int32)
    for (ax, ay), (bx, by) in zip(points, np.roll(points, -1, axis=0)):
        low, high = min(ay, by), max(ay, by)
        rows = np.arange(max(0, int(np.ceil(low - 0.5))), min(height, int(np.ceil(high - 0.5))))
        if not len(rows):
            continue
        at = ax + (rows + 0.5 - ay) * (bx - ax) / (by - ay)
        left_of_it = np.clip(np.ceil(at - 0.5), 0, width).astype(np.int64)
        crossings[rows, left_of_it] += 1
    to_the_right = np.cumsum(crossings[:, ::-1], axis=1)[:, ::-1][:, 1:]
    odd: NDArray[np.bool_] = to_the_right % 2 == 1
    return odd
