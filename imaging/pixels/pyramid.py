"""A field at halved sizes, kept as memory-mapped files: what deep zoom, surroundings and z planes are read from."""

import math
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.errors import ImageError
from imaging.pixels.geometry import Box
from imaging.pixels.info import ArrayReader, ImageInfo, ImageReader, output_size, resize

TILE_PX = 256
PLANES = "planes.npy"


def level_count(width: int, height: int) -> int:
    """How many sizes a field of this size in pixels has: each half of the one before, the last within one tile."""
    return 1 + max(0, math.ceil(math.log2(max(width, height) / TILE_PX)))


def level_size(width: int, height: int, level: int) -> tuple[int, int]:
    """Width and height in pixels at this level; level 0 is the full size, and what is left of a pixel is one."""
    return -(-width >> level), -(-height >> level)


def tile_box(width: int, height: int, level: int, column: int, row: int) -> tuple[int, int, int, int] | None:
    """Corners (x0, y0, x1, y1) of a tile in pixels of its level, cut at the border; None where there is no tile."""
    if not 0 <= level < level_count(width, height):
        return None
    across, down = level_size(width, height, level)
    x0, y0 = column * TILE_PX, row * TILE_PX
    if not (0 <= x0 < across and 0 <= y0 < down):
        return None
    return x0, y0, min(x0 + TILE_PX, across), min(y0 + TILE_PX, down)


def downsampled(pixels: NDArray[Any], factor: int) -> NDArray[Any]:
    """Means over blocks of `factor` x `factor` pixels of (channel, height, width), in the same dtype.

    Halves are rounded up; blocks at the border average the pixels that are there.
    """
    if factor == 1:
        return pixels
    return np.stack([_block_means(plane, factor) for plane in pixels])


def _block_means(plane: NDArray[Any], factor: int) -> NDArray[Any]:
    whole = plane.dtype.kind == "u"
    starts = [np.arange(0, side, factor) for side in plane.shape]
    sums = np.add.reduceat(plane, starts[0], axis=0, dtype=np.uint64 if whole else np.float64)
    sums = np.add.reduceat(sums, starts[1], axis=1)
    rows, columns = (np.minimum(factor, side - start) for side, start in zip(plane.shape, starts, strict=True))
    counts = np.outer(rows, columns).astype(sums.dtype)
    means = (2 * sums + counts) // (2 * counts) if whole else sums / counts
    return np.asarray(means.astype(plane.dtype))


@dataclass(frozen=True, slots=True)
class Pyramid:
    """A field as memory maps: `levels` (channel, height, width) from full size down, `planes` (z, ...) of a stack."""

    levels: tuple[NDArray[Any], ...]
    planes: NDArray[Any] | None
    info: ImageInfo

    def region(self, box: Box, z: int | None = None, downsample: float = 1.0) -> NDArray[Any]:
        """Pixels (channel, h, w) of the box, read from the coarsest level that is still twice as fine."""
        height, width = output_size(box, downsample)
        if z is not None:
            return self._stack().region(box, z, downsample)
        level = min(max(0, math.floor(math.log2(downsample / 2))), len(self.levels) - 1)
        scale = 2**level
        small = Box(box.x0 / scale, box.y0 / scale, box.x1 / scale, box.y1 / scale)
        if level == 0 or 0 in _size(small):
            return ArrayReader(self.levels[0][None], self.info).region(box, downsample=downsample)
        return resize(ArrayReader(self.levels[level][None], self.info).region(small), height, width)

    def field(self) -> NDArray[Any]:
        """All pixels (channel, height, width), maximum over z."""
        return self.levels[0]

    def _stack(self) -> ArrayReader:
        return ArrayReader(self.levels[0][None] if self.planes is None else self.planes, self.info)


def _size(box: Box) -> tuple[int, int]:
    x0, y0, x1, y1 = box.rounded()
    return x1 - x0, y1 - y0


def write_pyramid(folder: Path, reader: ImageReader) -> None:
    """Keep the reader's field under `folder`, all of it or nothing; one that is there already stays."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        _write(partial, reader)
        partial.rename(folder)
    except OSError:
        # Another process was faster: a folder with files in it is never replaced.
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write(folder: Path, reader: ImageReader) -> None:
    depth, channels, height, width = reader.info.shape
    field = reader.field()
    for level in range(level_count(width, height)):
        np.save(folder / f"level-{level}.npy", downsampled(field, 2**level))
    if depth == 1:
        return
    shape = (depth, channels, height, width)
    planes = np.lib.format.open_memmap(folder / PLANES, mode="w+", dtype=field.dtype, shape=shape)
    for z in range(depth):
        planes[z] = reader.region(Box(0, 0, width, height), z)
    planes.flush()


def open_pyramid(folder: Path, info: ImageInfo) -> Pyramid | None:
    """The kept field, or None where none is kept; marks it as used now."""
    names = [folder / f"level-{level}.npy" for level in range(level_count(info.width, info.height))]
    try:
        os.utime(folder)
        levels = tuple(np.load(name, mmap_mode="r") for name in names)
        planes = np.load(folder / PLANES, mmap_mode="r") if info.shape[0] > 1 else None
    except FileNotFoundError:
        return None
    if levels[0].shape != info.shape[1:]:
        raise ImageError(folder.name, "the kept field has another shape than the image", "Delete it: it is made anew")
    return Pyramid(levels, planes, info)


def prune(folder: Path, most_bytes: int, keep: str) -> None:
    """Remove the kept fields that were used longest ago until the rest fits; `keep` always stays."""
    found = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    by_age = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for path in sorted(by_age, key=lambda path: path.name != keep):
        total += sum(file.stat().st_size for file in path.iterdir())
        if total > most_bytes and path.name != keep:
            shutil.rmtree(path, ignore_errors=True)
