"""Colour of bright-field images: is it RGB, how dark is a pixel to a nuclear stain, how much DAB."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def is_colour(field: NDArray[Any]) -> bool:
    """Whether (channel, height, width) is an RGB picture: 3 x 8 bit that differ but rise and fall together."""
    if field.shape[0] != 3 or field.dtype != np.uint8:
        return False
    sample = field.reshape(3, -1)[:, :: max(1, field[0].size // 20_000)].astype(np.float64)
    if (sample[0] == sample[1]).all() and (sample[1] == sample[2]).all():
        return False
    if (sample.std(axis=1) == 0).any():
        return bool(np.median(sample) > 128)
    correlation = np.asarray(np.corrcoef(sample))
    return bool(correlation[0, 1] > 0.4 and correlation[1, 2] > 0.4)


def is_bright_field(field: NDArray[Any]) -> bool:
    """Whether (channel, height, width) is an RGB picture on a bright background, as stained tissue is."""
    return is_colour(field) and float(np.median(field.max(axis=0))) >= 64


def nuclear_darkness(field: NDArray[Any]) -> NDArray[np.float32]:
    """Plane (height, width), 0 to 1, of the red light that is absorbed, as haematoxylin and DAB do.

    Eosin and other pinks let red pass. Absorbed light, not optical density: the threshold then also
    keeps pale nuclei beside dark ones.
    """
    return np.asarray(1.0 - field[0].astype(np.float32) / 255.0, dtype=np.float32)
