"""Scaling of crops before any model sees them: one definition for training and inference."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.info import resize

NORMALISE_VERSION = 1


def scale_crops(crops: NDArray[Any], windows: Sequence[tuple[float, float]]) -> NDArray[np.float32]:
    """Crops (n, channel, s, s) as float32: each window maps to [0, 1], the rest is clipped."""
    if crops.ndim != 4 or len(windows) != crops.shape[1]:
        raise ValueError(f"crops of shape {crops.shape} need one window per channel, not {len(windows)}")
    low = np.array([window[0] for window in windows], dtype=np.float32)[:, None, None]
    high = np.array([window[1] for window in windows], dtype=np.float32)[:, None, None]
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (high > low).all()):
        raise ValueError("every window needs finite numbers with high > low")
    scaled = crops.astype(np.float32)
    scaled -= low
    scaled /= high - low
    return np.clip(scaled, 0.0, 1.0, out=scaled)


def background(field: NDArray[Any], tile_px: int = 64, percentile: float = 10.0) -> NDArray[np.float32]:
    """Smooth background (channel, height, width): a low percentile per tile, interpolated between tiles."""
    channels, height, width = field.shape
    rows, columns = max(1, -(-height // tile_px)), max(1, -(-width // tile_px))
    coarse = np.empty((channels, rows, columns), dtype=np.float32)
    for row, strip in enumerate(np.array_split(field, rows, axis=1)):
        for column, tile in enumerate(np.array_split(strip, columns, axis=2)):
            coarse[:, row, column] = np.percentile(tile, percentile, axis=(1, 2))
    return resize(coarse, height, width)


def subtract_background(field: NDArray[Any], tile_px: int = 64, percentile: float = 10.0) -> NDArray[Any]:
    """Field (channel, height, width) in its own dtype, less its smooth background, never below 0."""
    lifted = field.astype(np.float32) - background(field, tile_px, percentile)
    flat: NDArray[Any] = np.clip(lifted, 0, None)
    if field.dtype.kind == "u":
        flat = np.floor(flat + 0.5)
    return flat.astype(field.dtype)
