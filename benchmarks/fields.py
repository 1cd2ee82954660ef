"""Computed microscopy: fields of nuclei and crops, the same for the same seed. No cells were photographed."""

import numpy as np
from numpy.typing import NDArray

SIDE_PX = 1080
NUCLEI = 200


def nuclei_field(seed: int, side_px: int = SIDE_PX, count: int = NUCLEI) -> NDArray[np.uint16]:
    """A field (2, side, side) of `count` round nuclei, 12-bit counts in uint16, with camera noise."""
    rng = np.random.default_rng(seed)
    light = np.full((2, side_px, side_px), 150.0)
    per_row = int(np.ceil(count**0.5))
    step = side_px / per_row
    for number in range(count):
        row, column = divmod(number, per_row)
        y, x = (step * (place + 0.5) + rng.uniform(-0.12, 0.12) * step for place in (row, column))
        _add_nucleus(light, (y, x), rng.uniform(8, 13, 2), rng.uniform(700, 2600))
    return np.minimum(rng.poisson(light), 4095).astype(np.uint16)


def _add_nucleus(light: NDArray[np.float64], centre: tuple[float, float], radii: NDArray[np.float64], peak: float):
    reach = 22
    top, left = (max(0, int(value) - reach) for value in centre)
    y, x = np.ogrid[top : top + 2 * reach, left : left + 2 * reach]
    window = light[:, top : top + 2 * reach, left : left + 2 * reach]
    distance = np.hypot((y - centre[0]) / radii[0], (x - centre[1]) / radii[1])[: window.shape[1], : window.shape[2]]
    shape = 1 / (1 + np.exp(12 * (distance - 1)))
    window += peak * shape * np.array([1.0, 0.6])[:, None, None]


def nuclei_crops(seed: int, count: int, channels: int = 3, side_px: int = 64) -> NDArray[np.uint16]:
    """Crops (count, channels, side, side) of one bright blob each, uint16 in the range of a 12-bit camera."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side_px, :side_px] - side_px / 2
    radii = rng.uniform(8, 20, (count, 2, 1, 1)).astype(np.float32)
    shape = np.exp(-2 * ((x / radii[:, 0]) ** 2 + (y / radii[:, 1]) ** 2)).astype(np.float32)
    peaks = rng.uniform(300, 2500, (count, channels, 1, 1)).astype(np.float32)
    noise = rng.normal(200, 15, (count, channels, side_px, side_px)).astype(np.float32)
    return np.clip(shape[:, None] * peaks + noise, 0, 4095).astype(np.uint16)
