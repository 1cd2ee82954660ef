"""A computed fluorescence plate for the demo: 16-bit container, 12-bit camera, three channels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from imaging.pixels.demo_parts import DemoExperiment, DemoField, DemoObject
from imaging.pixels.geometry import Box

NAME = "synthetic-3-channel-plate"
TASK = "synthetic_state"
CLASSES = ("interphase", "condensed")
SIZE_PX = 384
GRID = 7
PIXEL_SIZE_UM = 0.65
BIT_DEPTH = 12
CEILING = 2**BIT_DEPTH - 1
CAMERA_OFFSET = 110.0
# Compaction (0 round and dim, 1 small and bright) above which a nucleus counts as condensed.
CONDENSED_FROM = 0.5


def synthetic_experiment(seed: int) -> DemoExperiment:
    """The plate: wells B02 and B03 with two sites each; nuclei, actin and tubulin, 0.65 um per pixel."""
    fields = [
        _field(well, site, np.random.default_rng([seed, 100 + 10 * row + site]), share)
        for row, (well, share) in enumerate((("B02", 0.25), ("B03", 0.5)))
        for site in (1, 2)
    ]
    return DemoExperiment(
        name=NAME,
        description="Synthetic fluorescence: computed, no cells were photographed",
        task=TASK,
        fields=tuple(fields),
        channel_names=("nuclei", "actin", "tubulin"),
        pixel_size_um=PIXEL_SIZE_UM,
        bit_depth=BIT_DEPTH,
        is_synthetic=True,
    )


def _field(well: str, site: int, rng: np.random.Generator, share: float) -> DemoField:
    light = np.zeros((3, SIZE_PX, SIZE_PX))
    objects = []
    step = SIZE_PX / GRID
    for index in range(GRID * GRID):
        row, column = divmod(index, GRID)
        x, y = (step * (i + 0.5) + rng.uniform(-7, 7) for i in (column, row))
        compaction = float(rng.beta(4, 2) if rng.random() < share else rng.beta(2, 4))
        objects.append(_draw_cell(light, (x, y), compaction, rng))
    blurred = ndimage.gaussian_filter(light, (0, 1.0, 1.0))
    photons = rng.poisson(np.maximum(blurred, 0) + 40.0)
    counts = CAMERA_OFFSET + photons + rng.normal(0, 4, photons.shape)
    pixels = np.clip(np.floor(counts + 0.5), 0, CEILING).astype(np.uint16)
    return DemoField(f"s{site}", well, pixels, tuple(objects))


def _draw_cell(
    light: NDArray[Any], centre: tuple[float, float], compaction: float, rng: np.random.Generator
) -> DemoObject:
    """Add one cell to the three channels; condensed nuclei are smaller and brighter."""
    x, y = centre
    radius = 11.0 - 4.0 * compaction
    elongation, angle = rng.uniform(1.0, 1.35), rng.uniform(0, np.pi)
    window, distance, direction = _polar(centre, elongation, angle)
    nucleus = np.clip(radius - distance + 0.5, 0, 1)
    texture = 1 + 0.15 * np.sin(distance * rng.uniform(0.8, 1.4) + direction * 3)
    light[0][window] += (600 + 1700 * compaction) * nucleus * texture
    cell_radius = rng.uniform(20, 24)
    membrane = np.exp(-(((distance - cell_radius) / 2.0) ** 2))
    light[1][window] += rng.uniform(350, 600) * membrane
    fibres = 0.6 + 0.4 * np.cos(direction * int(rng.integers(7, 12)))
    inside = np.clip(cell_radius - distance, 0, 1) * (1 - nucleus)
    light[2][window] += rng.uniform(300, 500) * fibres * inside * np.exp(-distance / 30)
    half = radius * np.sqrt(elongation)
    box = Box(round(x - half), round(y - half), round(x + half), round(y + half)).clipped(SIZE_PX, SIZE_PX)
    label = CLASSES[int(compaction >= CONDENSED_FROM)]
    return DemoObject(centre, box, label, compaction, abs(compaction - CONDENSED_FROM) / 0.15)


def _polar(
    centre: tuple[float, float], elongation: float, angle: float
) -> tuple[tuple[slice, slice], NDArray[np.float64], NDArray[np.float64]]:
    """Window of the field around `centre`, with elliptic distance (px) and direction (rad) of its pixels."""
    reach = 34
    x, y = centre
    rows = slice(max(0, int(y) - reach), min(SIZE_PX, int(y) + reach))
    columns = slice(max(0, int(x) - reach), min(SIZE_PX, int(x) + reach))
    dy, dx = np.mgrid[rows, columns].astype(np.float64)
    dy, dx = dy + 0.5 - y, dx + 0.5 - x
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = dy * np.cos(angle) - dx * np.sin(angle)
    distance = np.hypot(along / np.sqrt(elongation), across * np.sqrt(elongation))
    return (rows, columns), distance, np.arctan2(across, along)
