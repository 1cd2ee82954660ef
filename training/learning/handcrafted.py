"""The handcrafted encoder: about sixty named measurements per channel, NumPy only, no training and no network.

It is the cold start of every study and a baseline each trained model has to beat.
"""

from functools import cached_property, lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from imaging.pixels.digest import mapping_digest
from imaging.pixels.normalise import NORMALISE_VERSION, scale_crops
from training.learning import handcrafted_features as features
from training.learning.bag_of_channels import Columns
from training.learning.batching import FloatArray, Windows, check_crops, encode_in_batches

# 1: smoothed by weights; 2: the same figures from sums of neighbours, in blocks of 24.
VERSION = 2
# Small enough that the planes of a batch stay in the cache.
BATCH = 24
TOTAL_NAMES = ("total", "log_total")
PLANE_NAMES = (
    *features.INTENSITY_NAMES,
    *features.OBJECT_NAMES,
    *features.GRADIENT_NAMES,
    *features.BAND_NAMES,
    *features.PATTERN_NAMES,
    *features.LAG_NAMES,
    *features.RING_NAMES,
)


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    """NumPy's matrix library; looking for it takes a while, so once."""
    return ThreadpoolController()


def plane_features(planes: FloatArray) -> FloatArray:
    """Measurements (m, len(PLANE_NAMES)) of planes (m, height, width), float32 in [0, 1]; always finite."""
    short = [max(features.SMALLEST_SIDE_PX - side, 0) for side in planes.shape[1:]]
    if any(short):
        before = [missing // 2 for missing in short]
        widths = ((0, 0), *((b, missing - b) for b, missing in zip(before, short)))
        planes = np.pad(planes, widths, mode="edge")
    ground = features.background(planes)
    shape, mask = features.objects(planes, ground)
    detail, smooth = features.bands(planes)
    blocks = (
        features.intensity(planes, ground),
        shape,
        features.gradients(planes, mask),
        detail,
        features.patterns(smooth),
        features.lags(planes),
        features.rings(planes),
    )
    return np.concatenate(blocks, axis=1, dtype=np.float32)


def plane_totals(crops: NDArray[np.generic], windows: Windows) -> FloatArray:
    """Mean window-scaled brightness above the border and its signed logarithm, (n, channel, 2), not clipped.

    The display window saturates the brightest pixels, which are most of the stain of a dividing cell; sums are
    therefore taken before clipping.
    """
    n, channels = crops.shape[:2]
    low, span = (np.array(v, dtype=np.float64) for v in zip(*((a, b - a) for a, b in windows)))
    mean = crops.reshape(n, channels, -1).mean(axis=2, dtype=np.float64)
    flat = crops.reshape(n * channels, *crops.shape[2:])
    ground = np.asarray(features.background(flat), dtype=np.float64).reshape(n, channels)
    level, excess = (mean - low) / span, (mean - ground) / span
    return np.stack([level, np.arcsinh(100 * excess)], axis=2).astype(np.float32)


class HandcraftedEncoder:
    """Measurements per channel and correlations between channels; deterministic, byte-identical in any batching."""

    name = "handcrafted"

    def __init__(self, channels: int) -> None:
        if channels < 1:
            raise ValueError(f"{channels} channels; an encoder needs at least one")
        self.channels = channels

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Name of every column, such as `channel1_area` or `channel0_channel2_correlation`."""
        names = (*PLANE_NAMES, *TOTAL_NAMES)
        single = [f"channel{c}_{name}" for c in range(self.channels) for name in names]
        pairs = [f"channel{a}_channel{b}_correlation" for a, b in combinations(range(self.channels), 2)]
        return (*single, *pairs)

    @property
    def dimension(self) -> int:
        """Number of columns of an embedding."""
        return len(self.feature_names)

    @cached_property
    def channel_columns(self) -> Columns:
        """Columns of each channel: its own measurements and its correlations with the others."""
        width = len(PLANE_NAMES) + len(TOTAL_NAMES)
        pairs = np.array(list(combinations(range(self.channels), 2)), dtype=np.int64).reshape(-1, 2)
        first_pair = width * self.channels
        return tuple(
            np.concatenate(
                [np.arange(width * c, width * (c + 1)), first_pair + np.flatnonzero((pairs == c).any(axis=1))]
            )
            for c in range(self.channels)
        )

    @cached_property
    def digest(self) -> str:
        """Hex digest of everything that decides the embedding of a crop besides its pixels and windows."""
        names = list(self.feature_names)
        return mapping_digest(
            {"encoder": self.name, "version": [VERSION, NORMALISE_VERSION], "batch": BATCH, "columns": names}
        )

    def encode(self, crops: NDArray[np.generic], windows: Windows) -> FloatArray:
        """Embeddings (n, dimension), float32, of crops (n, channel, height, width) under display windows.

        Raises ValueError for NaN or infinite pixels, a wrong number of channels or a window without width.
        """
        check_crops(crops, self.channels, windows)

        def encode(block: NDArray[np.generic]) -> FloatArray:
            return self._encode_block(block, windows)

        # A second thread changes the last bits, and on a busy machine it waits longer than the products take.
        with _blas().limit(limits=1, user_api="blas"):
            return encode_in_batches(encode, crops, BATCH, self.dimension)

    def _encode_block(self, block: NDArray[np.generic], windows: Windows) -> FloatArray:
        """Embeddings of one block of BATCH crops."""
        scaled = scale_crops(block, windows)
        planes = plane_features(scaled.reshape(-1, *scaled.shape[2:])).reshape(BATCH, self.channels, -1)
        single = np.concatenate([planes, plane_totals(block, windows)], axis=2).reshape(BATCH, -1)
        return np.concatenate([single, features.channel_pairs(scaled)], axis=1)
