"""Bag of channels: a network for colour pictures reads every channel alone, so any number of channels will do.

Each channel is shown to the network as a grey picture; the embeddings stand side by side in the order of the
channels. A channel can be added without computing the others again.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.normalise import scale_crops
from training.learning.batching import FloatArray, Windows, encode_in_batches

IntArray = NDArray[np.int64]
Columns = tuple[IntArray, ...]


def encode_bag(
    encode: Callable[[NDArray[np.generic]], FloatArray],
    crops: NDArray[np.generic],
    windows: Windows,
    shape: tuple[int, int],
) -> FloatArray:
    """Embeddings (n, channels * width), float32, of crops (n, channel, height, width) under display windows.

    `shape` is (batch, width): `encode` maps planes (batch, 1, height, width) in [0, 1] to (batch, width). The
    bytes of a channel depend neither on the other channels nor on the other crops.
    """
    batch, width = shape
    n, channels = crops.shape[:2]
    rows = np.empty((n, channels * width), np.float32)
    for start in range(0, n, batch):
        scaled = scale_crops(np.asarray(crops[start : start + batch]), windows)
        planes = scaled.reshape(-1, 1, *scaled.shape[2:])
        rows[start : start + batch] = encode_in_batches(encode, planes, batch, width).reshape(len(scaled), -1)
    return rows


def equal_blocks(channels: int, dimension: int) -> Columns:
    """Columns of each channel where `dimension` columns are divided into one equal block per channel, in order."""
    if channels < 1 or dimension % channels:
        raise ValueError(f"{dimension} columns do not divide into {channels} channels")
    return tuple(np.split(np.arange(dimension, dtype=np.int64), channels))


def without_channel(rows: FloatArray, columns: Sequence[IntArray], channel: int, neutral: FloatArray) -> FloatArray:
    """Rows (n, dimension) in which the columns of one channel are those of `neutral` (dimension,), say the mean."""
    knocked = np.array(rows, dtype=np.float32)
    knocked[:, columns[channel]] = neutral[columns[channel]]
    return knocked
