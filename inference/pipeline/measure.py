"""Area, shape and intensity of every object of a field, in a few passes over its pixels."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.pipeline.tables import column_parts

# Pixels handled at a time: bounds memory for slide-sized regions (about 200 MB at work).
BLOCK_PIXELS = 1 << 22
Block = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
Floats = NDArray[np.float64]


def label_blocks(labels: NDArray[np.int32]) -> Iterator[Block]:
    """Object index (label - 1), row and column of every labelled pixel, in blocks of whole rows."""
    rows = max(1, BLOCK_PIXELS // max(1, labels.shape[1]))
    for top in range(0, labels.shape[0], rows):
        strip = labels[top : top + rows]
        y, x = np.nonzero(strip)
        yield strip[y, x].astype(np.int64) - 1, y + top, x


def box_blocks(boxes: NDArray[np.int64]) -> Iterator[Block]:
    """Object index, row and column of every pixel in each box (n, 4) = x0, y0, x1, y1; boxes may overlap."""
    strips = np.array(list(_strips(boxes)), dtype=np.int64).reshape(-1, 5)
    sizes = (strips[:, 3] - strips[:, 1]) * (strips[:, 4] - strips[:, 2])
    for chunk in np.split(np.arange(len(strips)), _chunk_starts(sizes)):
        owner, x0, y0, x1, _ = strips[chunk].T
        which = np.repeat(np.arange(len(chunk)), sizes[chunk])
        inside = np.arange(len(which)) - (np.cumsum(sizes[chunk]) - sizes[chunk])[which]
        width = np.maximum(x1 - x0, 1)[which]
        yield owner[which], y0[which] + inside // width, x0[which] + inside % width


def _strips(boxes: NDArray[np.int64]) -> Iterator[tuple[int, int, int, int, int]]:
    for index, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        rows = max(1, BLOCK_PIXELS // max(1, x1 - x0))
        for top in range(y0, y1, rows):
            yield index, x0, top, x1, min(top + rows, y1)


def _chunk_starts(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    if not len(sizes):
        return np.zeros(0, dtype=np.int64)
    chunk = np.cumsum(sizes) // BLOCK_PIXELS
    return np.flatnonzero(np.diff(chunk)) + 1


class _Totals:
    """Running sums per object over blocks of pixels."""

    def __init__(self, count: int, channels: int) -> None:
        self.shape: Floats = np.zeros((6, count))
        self.sums: Floats = np.zeros((2, channels, count))
        self.low: Floats = np.full((channels, count), np.inf)
        self.high: Floats = np.full((channels, count), -np.inf)

    def add(self, block: Block, pixels: NDArray[Any]) -> None:
        index, y, x = block
        count = self.shape.shape[1]
        for row, weights in enumerate((None, x, y, x * x, y * y, x * y)):
            self.shape[row] += np.bincount(index, weights, minlength=count)
        for channel, plane in enumerate(pixels):
            values = plane[y, x].astype(np.float64)
            self.sums[0, channel] += np.bincount(index, values, minlength=count)
            self.sums[1, channel] += np.bincount(index, values * values, minlength=count)
            np.minimum.at(self.low[channel], index, values)
            np.maximum.at(self.high[channel], index, values)


def measure_objects(
    blocks: Iterator[Block], count: int, pixels: NDArray[Any], channel_names: tuple[str, ...]
) -> dict[str, Floats]:
    """AreaShape and Intensity columns for objects 0..count-1 of `pixels` (channel, height, width).

    Areas in px², lengths in px, intensities in the units of the image. Shape features equal
    skimage.measure.regionprops; StdIntensity is the population form, as in CellProfiler. An object without
    pixels has area 0 and NaN elsewhere.
    """
    totals = _Totals(count, len(pixels))
    for block in blocks:
        totals.add(block, pixels)
    columns = _shape_columns(totals.shape)
    for channel, part in enumerate(column_parts(channel_names)):
        columns |= _intensity_columns(totals, channel, part)
    return columns


def _shape_columns(sums: Floats) -> dict[str, Floats]:
    area = sums[0]
    x, y, xx, yy, xy = np.divide(sums[1:], area, where=area > 0, out=np.full_like(sums[1:], np.nan))
    vxx, vyy, vxy = xx - x * x, yy - y * y, xy - x * y
    middle, spread = (vxx + vyy) / 2, np.hypot((vxx - vyy) / 2, vxy)
    major, minor = np.maximum(middle + spread, 0), np.maximum(middle - spread, 0)
    ratio = np.divide(minor, major, where=major > 0, out=np.ones_like(major))
    return {
        "AreaShape_Area": area,
        "AreaShape_Eccentricity": np.sqrt(np.maximum(1 - ratio, 0)),
        "AreaShape_EquivalentDiameter": np.sqrt(4 * area / np.pi),
        "AreaShape_MajorAxisLength": 4 * np.sqrt(major),
        "AreaShape_MinorAxisLength": 4 * np.sqrt(minor),
    }


def _intensity_columns(totals: _Totals, channel: int, part: str) -> dict[str, Floats]:
    area, total = totals.shape[0], totals.sums[0, channel]
    nowhere = np.full_like(area, np.nan)
    mean = np.divide(total, area, where=area > 0, out=nowhere.copy())
    square = np.divide(totals.sums[1, channel], area, where=area > 0, out=nowhere.copy())
    return {
        f"Intensity_IntegratedIntensity_{part}": total,
        f"Intensity_MaxIntensity_{part}": np.where(area > 0, totals.high[channel], np.nan),
        f"Intensity_MeanIntensity_{part}": mean,
        f"Intensity_MinIntensity_{part}": np.where(area > 0, totals.low[channel], np.nan),
        f"Intensity_StdIntensity_{part}": np.sqrt(np.maximum(square - mean * mean, 0)),
    }
