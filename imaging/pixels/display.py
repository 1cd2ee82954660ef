"""How pixels become colours on a screen: windows, channel colours and thumbnails."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.info import resize

Window = tuple[float, float]
LOW_PERCENTILE, HIGH_PERCENTILE = 0.5, 99.8
MAX_SAMPLES = 2_000_000
# In the order of a usual acquisition: nuclei, then the stains; all are told apart by colour-blind readers.
CHANNEL_COLORS = ("#00a2ff", "#50e050", "#ff9a2e", "#ff50d0", "#f2e85c", "#ffffff", "#9a7bff", "#2ee6d6")
RGB_COLORS = ("#ff0000", "#00ff00", "#0000ff")


def display_window(samples: NDArray[Any], is_rgb: bool = False) -> list[Window]:
    """Window (low, high) per channel of samples (n, channel, ...), never empty: high > low.

    The percentiles 0.5 and 99.8 of what is there; RGB keeps the full range of its type.
    """
    if samples.ndim < 2 or samples.shape[1] == 0:
        raise ValueError(f"samples need the axes (n, channel, ...), not shape {samples.shape}")
    full = float(np.iinfo(samples.dtype).max) if samples.dtype.kind == "u" else 1.0
    if is_rgb:
        return [(0.0, full)] * samples.shape[1]
    return [_window(samples[:, channel]) for channel in range(samples.shape[1])]


def _window(values: NDArray[Any]) -> Window:
    values = values.reshape(-1)
    values = values[:: max(1, len(values) // MAX_SAMPLES)]
    if not len(values):
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, (LOW_PERCENTILE, HIGH_PERCENTILE)))
    if high <= low:
        # Nearly all one value: show whatever rises above it, however rare.
        low, high = float(values.min()), float(values.max())
    step = 1.0 if values.dtype.kind in "ui" else max(1e-6, abs(low) * 1e-6)
    return (low, high) if high > low else (low, low + step)


def default_colors(n: int, is_rgb: bool = False) -> list[str]:
    """Colours (#rrggbb) of `n` channels: white for one, the primaries for RGB."""
    if is_rgb and n == 3:
        return list(RGB_COLORS)
    if n == 1:
        return ["#ffffff"]
    return [CHANNEL_COLORS[i % len(CHANNEL_COLORS)] for i in range(n)]


def thumbnail(field: NDArray[Any], windows: Sequence[Window], colors: Sequence[str], size: int) -> NDArray[np.uint8]:
    """Picture (h, w, 3) with the longer side `size` px; channels are tinted, added and clipped."""
    channels, height, width = field.shape
    if len(windows) != channels or len(colors) != channels:
        raise ValueError(f"{channels} channels need as many windows and colours")
    scale = size / max(height, width)
    small = resize(field, max(1, round(height * scale)), max(1, round(width * scale)))
    return compose(small, windows, colors)


def compose(field: NDArray[Any], windows: Sequence[Window], colors: Sequence[str]) -> NDArray[np.uint8]:
    """Picture (h, w, 3) of (channel, h, w) at full size: each channel windowed, tinted, added, clipped."""
    picture = np.zeros((*field.shape[1:], 3), dtype=np.float32)
    for plane, (low, high), color in zip(field, windows, colors, strict=True):
        grey = np.clip((plane.astype(np.float32) - low) / (high - low), 0, 1)
        picture += grey[..., None] * _rgb(color)
    return np.asarray(np.floor(np.clip(picture, 0, 1) * 255 + 0.5), dtype=np.uint8)


def _rgb(color: str) -> NDArray[np.float32]:
    values = np.frombuffer(bytes.fromhex(color.lstrip("#")), dtype=np.uint8)
    return np.asarray(values / 255, dtype=np.float32)
