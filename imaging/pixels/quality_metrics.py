"""Measurements of one plane that say whether it is sharp, well exposed, evenly lit and not empty."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Grid of tiles over which the illumination is fitted, and the share of a tile taken as background.
ILLUMINATION_TILES = 10
BACKGROUND_PERCENTILE = 25.0
ROBUST_ROUNDS = 6
MAD_TO_SIGMA = 1.4826


def power_log_log_slope(plane: NDArray[Any]) -> float:
    """Slope of log power over log radius of the radial power spectrum; more negative = blurrier.

    As CellProfiler's PowerLogLogSlope (doi:10.1177/1087057111420292): rings 2 to min(height, width) / 8.
    0.0 when the plane is flat or has fewer than three rings.
    """
    height, width = plane.shape
    last = int(min(height, width) / 8.0)
    if last < 5 or np.ptp(plane) == 0:
        return 0.0
    centred = plane.astype(np.float64) - plane.mean(dtype=np.float64)
    # The real transform holds half of the spectrum; the other half mirrors it and only doubles the power.
    power = np.abs(np.fft.rfft2(centred)) ** 2
    power[:, 1 : (width + 1) // 2] *= 2
    rows = np.minimum(np.arange(height), height - np.arange(height))[:last, None]
    low = np.concatenate([power[:last, :last], power[-1:-last:-1, :last]])
    radius_rows = np.concatenate([rows, np.arange(1, last)[:, None]])
    rings = np.floor(np.hypot(radius_rows, np.arange(last)[None])).astype(np.int64) + 1
    sums = np.bincount(rings.ravel(), weights=low.ravel(), minlength=last + 1)
    radii = np.arange(2, last)
    valid = sums[radii] > 0
    if valid.sum() < 3:
        return 0.0
    return float(np.polyfit(np.log(radii[valid]), np.log(sums[radii][valid]), 1)[0])


def tenengrad_over_variance(plane: NDArray[Any]) -> float:
    """Mean squared gradient over variance, per square pixel; smaller = blurrier; 0.0 when flat.

    The plane is smoothed by 1 px first, so that camera noise does not count as detail.
    """
    smooth = ndimage.gaussian_filter(plane.astype(np.float32), 1.0, truncate=3.0)
    variance = float(smooth.var(dtype=np.float64))
    if variance <= 0 or min(plane.shape) < 3:
        return 0.0
    down = (smooth[2:, 1:-1] - smooth[:-2, 1:-1]) / 2
    right = (smooth[1:-1, 2:] - smooth[1:-1, :-2]) / 2
    return float((down * down + right * right).mean(dtype=np.float64) / variance)


def laplacian_variance_ratio(plane: NDArray[Any]) -> float:
    """Variance of the Laplacian over the variance of the plane; small = blurry, near 20 = pure noise."""
    values = plane.astype(np.float32)
    variance = float(values.var(dtype=np.float64))
    if variance <= 0 or min(plane.shape) < 3:
        return 0.0
    laplacian = values[2:, 1:-1] + values[:-2, 1:-1] + values[1:-1, 2:] + values[1:-1, :-2] - 4 * values[1:-1, 1:-1]
    return float(laplacian.var(dtype=np.float64) / variance)


def noise_sigma(plane: NDArray[Any]) -> float:
    """Standard deviation of the pixel noise in intensity units, from a robust second difference.

    Kernel of Immerkaer (doi:10.1006/cviu.1996.0060), with the median instead of the mean so that edges
    do not count.
    """
    if min(plane.shape) < 3:
        return 0.0
    # Every third row in large planes: the median over 100,000 pixels is exact enough.
    every = 3 if plane.size > 300_000 else 1
    above, middle, below = (plane[i : i + plane.shape[0] - 2 : every].astype(np.float32) for i in range(3))
    rows = below - 2 * middle + above
    both = rows[:, 2:] - 2 * rows[:, 1:-1] + rows[:, :-2]
    return float(np.median(np.abs(both)) * MAD_TO_SIGMA / 6.0)


def saturated_percent(plane: NDArray[Any], ceiling: float) -> float:
    """Percentage of pixels at or above the camera's ceiling; 0 for a plane of one value."""
    if np.ptp(plane) == 0:
        return 0.0
    return 100.0 * float((plane >= ceiling).mean())


def clipped_low_percent(plane: NDArray[Any]) -> float:
    """Percentage of pixels at 0, the floor of the camera; 0 for a plane of one value."""
    if np.ptp(plane) == 0:
        return 0.0
    return 100.0 * float((plane <= 0).mean())


def infer_ceiling(plane: NDArray[Any]) -> float | None:
    """The maximum when pixels pile up there as only clipping makes them, else None.

    A pile: at least 10 pixels and 0.01 %, and five times the mean of the ten levels' bins below.
    """
    top = float(plane.max())
    at_top = int((plane == top).sum())
    if np.ptp(plane) == 0 or at_top < max(10, plane.size * 1e-4):
        return None
    step = max((top - float(plane.min())) / 256.0, 1.0 if plane.dtype.kind == "u" else 1e-9)
    below = int(((plane < top) & (plane >= top - 10 * step)).sum())
    return top if at_top > 5 * below / 10 else None


def illumination_surface(plane: NDArray[Any]) -> NDArray[np.float64]:
    """Smooth background on a grid (rows, columns): a robust second-order surface through tile backgrounds."""
    rows = max(3, min(ILLUMINATION_TILES, plane.shape[0] // 8))
    columns = max(3, min(ILLUMINATION_TILES, plane.shape[1] // 8))
    height, width = plane.shape[0] // rows, plane.shape[1] // columns
    if height == 0 or width == 0:
        return np.full((rows, columns), float(np.median(plane)))
    # The few rows and columns left over by equal tiles do not change a smooth surface.
    tiles = plane[: rows * height, : columns * width].reshape(rows, height, columns, width)
    flat = tiles.swapaxes(1, 2).reshape(rows * columns, height * width)
    rank = int(flat.shape[1] * BACKGROUND_PERCENTILE / 100)
    values = np.partition(flat, rank, axis=1)[:, rank].astype(np.float64)
    y, x = np.meshgrid(np.linspace(-1, 1, rows), np.linspace(-1, 1, columns), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1).reshape(-1, 6)
    return np.asarray((terms @ _robust_fit(terms, values)).reshape(rows, columns), dtype=np.float64)


def _robust_fit(terms: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares with Tukey's biweight, so that single bright tiles do not bend the surface."""
    weights = np.ones(len(values))
    for _ in range(ROBUST_ROUNDS):
        root = np.sqrt(weights)
        solution = np.linalg.lstsq(terms * root[:, None], values * root, rcond=None)[0]
        residual = values - terms @ solution
        scale = MAD_TO_SIGMA * np.median(np.abs(residual)) * 4.685
        if scale <= 1e-9 * max(1.0, float(np.abs(values).max())):
            break
        weights = np.clip(1 - (residual / scale) ** 2, 0, None) ** 2 + 1e-6
    return np.asarray(solution, dtype=np.float64)


def illumination(plane: NDArray[Any], surface: NDArray[np.float64]) -> tuple[float, float]:
    """Ratio max/min (1 = even) of the background, and the share of the plane's own range it takes up."""
    low, high = percentiles(plane, (0.2, 99.8))
    floor = max(float(surface.min()), 1e-3 * max(high, 1e-12))
    ratio = max(1.0, float(surface.max()) / floor)
    amplitude = float(np.ptp(surface))
    return ratio, 0.0 if high <= low else min(1.0, amplitude / (high - low))


def percentiles(plane: NDArray[Any], percents: tuple[float, ...]) -> tuple[float, ...]:
    """The same as np.percentile; counting the values of an 8 or 16-bit plane is several times faster."""
    if plane.dtype not in (np.uint8, np.uint16):
        return tuple(float(value) for value in np.percentile(plane, percents))
    reached = np.cumsum(np.bincount(plane.reshape(-1)))
    place = np.array(percents) / 100 * (plane.size - 1)
    below, above = (np.searchsorted(reached, np.floor(place) + step, side="left") for step in (1, 2))
    share = place - np.floor(place)
    return tuple(float(value) for value in below + (np.where(share > 0, above, below) - below) * share)


def object_contrast(plane: NDArray[Any], surface: NDArray[np.float64], sigma: float) -> tuple[float, float]:
    """Contrast of the structures over the noise `sigma`, and the share of pixels (0 to 1) in them.

    The plane is smoothed by 2 px and levelled first; pure noise gives about 0.5. Darker structures count
    a third, because the shaded rim of a field is dark too.
    """
    smooth = ndimage.gaussian_filter(plane.astype(np.float32), 2.0, truncate=3.0)
    residual = smooth - _enlarged(surface, plane.shape).astype(np.float32)
    low, middle, high = (float(v) for v in np.percentile(residual, (0.05, 50, 99.95)))
    quantum = 0.29 if plane.dtype.kind == "u" else 1e-6 * max(1.0, float(np.abs(plane).max()))
    noise = max(sigma, quantum)
    bright, dark = high - middle, (middle - low) / 3
    edge = max(5.0 * noise, 0.25 * max(bright, dark))
    return max(bright, dark) / noise, float((np.abs(residual - middle) > edge).mean())


def _enlarged(grid: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The grid's values at every pixel, interpolated between the tiles' centres."""
    rows = (np.arange(shape[0]) + 0.5) / shape[0] * grid.shape[0] - 0.5
    columns = (np.arange(shape[1]) + 0.5) / shape[1] * grid.shape[1] - 0.5
    along = np.stack([np.interp(columns, np.arange(grid.shape[1]), line) for line in grid])
    weights = np.clip(rows, 0, grid.shape[0] - 1)
    lower = np.minimum(weights.astype(np.int64), grid.shape[0] - 2)
    share = (weights - lower)[:, None]
    return np.asarray(along[lower] * (1 - share) + along[lower + 1] * share, dtype=np.float64)


def hot_pixel_count(plane: NDArray[Any], sigma: float) -> int:
    """Number of single pixels far above all four neighbours: more than half their value and 20 noise sigmas."""
    v = plane.astype(np.float32)
    if min(v.shape) < 3:
        return 0
    around = np.maximum(np.maximum(v[2:, 1:-1], v[:-2, 1:-1]), np.maximum(v[1:-1, 2:], v[1:-1, :-2]))
    excess = v[1:-1, 1:-1] - around
    return int(((excess > 20 * max(sigma, 0.29)) & (excess > 0.5 * around)).sum())
