"""Canonical batches: every encoder sees blocks of one fixed shape, so the bytes do not depend on the request."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Windows = Sequence[tuple[float, float]]
FloatArray = NDArray[np.float32]


def check_crops(crops: NDArray[np.generic], channels: int, windows: Windows) -> None:
    """Nothing when the crops fit the encoder; raises ValueError naming the rule that is broken.

    crops: (n, channel, height, width), integer or float, finite. windows: one (low, high) per channel, high > low.
    """
    if crops.ndim != 4 or crops.shape[1] != channels:
        raise ValueError(f"crops have shape {crops.shape}; the encoder reads (n, {channels}, height, width)")
    if min(crops.shape[2:]) < 1:
        raise ValueError(f"crops have shape {crops.shape}; cut crops of at least one pixel")
    if len(windows) != channels:
        raise ValueError(f"{len(windows)} display windows for {channels} channels; give one per channel")
    if any(not (np.isfinite(low) and np.isfinite(high) and high > low) for low, high in windows):
        raise ValueError(f"windows {list(windows)} must be finite with high above low")
    if crops.dtype.kind == "f" and not np.isfinite(crops).all():
        raise ValueError("crops hold NaN or infinite pixels; run the quality check before encoding")


def encode_in_batches(
    encode: Callable[[NDArray[np.generic]], FloatArray], crops: NDArray[np.generic], size: int, dimension: int
) -> FloatArray:
    """Embeddings (n, dimension), float32, from blocks of exactly `size` crops; the tail is padded with zeros.

    At a fixed block shape a crop's row depends neither on its neighbours nor on its position, whatever
    was asked for together; with a free block size the last bits change.
    """
    rows = np.empty((len(crops), dimension), dtype=np.float32)
    for start in range(0, len(crops), size):
        block = np.asarray(crops[start : start + size])
        kept = len(block)
        if kept < size:
            padding = np.zeros((size - kept, *block.shape[1:]), dtype=block.dtype)
            block = np.concatenate([block, padding])
        rows[start : start + kept] = encode(block)[:kept]
    return rows
