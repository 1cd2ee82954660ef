"""Halved copies of fields: their tiles are what a plain mean of the original gives, and they are only a cache."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.pixels.geometry import Box
from imaging.pixels.info import ArrayReader, ImageInfo
from imaging.pixels.pyramid import (
    TILE_PX,
    downsampled,
    level_count,
    level_size,
    open_pyramid,
    prune,
    tile_box,
    write_pyramid,
)


def reader_of(stack: NDArray[np.generic]) -> ArrayReader:
    names = tuple(f"channel {number}" for number in range(stack.shape[1]))
    return ArrayReader(stack, ImageInfo(stack.shape, "ZCYX", str(stack.dtype), names))


def noise(*shape: int, seed: int = 0) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 65536, shape).astype(np.uint16)


def plain_means(plane: NDArray[np.generic], factor: int) -> NDArray[np.float64]:
    """The mean of each block, one by one; blocks at the border are smaller."""
    rows, columns = (range(0, side, factor) for side in plane.shape)
    return np.array([[plane[y : y + factor, x : x + factor].astype(float).mean() for x in columns] for y in rows])


@pytest.mark.parametrize("shape", [(8, 8), (13, 7), (1, 1), (5, 16)])
@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_a_level_is_the_rounded_mean_of_its_blocks(shape: tuple[int, int], factor: int) -> None:
    plane = noise(*shape)
    assert (downsampled(plane[None], factor)[0] == np.floor(plain_means(plane, factor) + 0.5)).all()
    floats = (plane / 1000).astype(np.float32)
    assert np.allclose(downsampled(floats[None], factor)[0], plain_means(floats, factor), rtol=1e-6)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (256, 256), (257, 10), (2220, 2967), (100_000, 3)])
def test_tiles_cover_every_level_once_and_the_last_level_is_one_tile(width: int, height: int) -> None:
    levels = level_count(width, height)
    assert max(level_size(width, height, levels - 1)) <= TILE_PX
    assert levels == 1 or max(level_size(width, height, levels - 2)) > TILE_PX
    for level in {levels - 1, levels // 2}:
        across, down = level_size(width, height, level)
        columns, rows = -(-across // TILE_PX), -(-down // TILE_PX)
        boxes = [tile_box(width, height, level, column, row) for row in range(rows) for column in range(columns)]
        assert sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in filter(None, boxes)) == across * down
        assert tile_box(width, height, level, columns, 0) is None and tile_box(width, height, level, 0, rows) is None
    assert tile_box(width, height, levels, 0, 0) is None


def test_a_kept_field_gives_the_pixels_of_the_original(tmp_path: Path) -> None:
    reader = reader_of(noise(3, 2, 300, 520))
    write_pyramid(tmp_path / "kept", reader)
    kept = open_pyramid(tmp_path / "kept", reader.info)
    assert kept is not None and (kept.field() == reader.field()).all()
    box = Box(-10, 250, 60, 320)
    for z in (None, 0, 2):
        assert (kept.region(box, z) == reader.region(box, z)).all()
    assert (kept.levels[1] == downsampled(reader.field(), 2)).all()
    whole = kept.region(Box(0, 0, 520, 300), downsample=8)
    assert whole.shape == (2, 38, 65)
    assert np.abs(whole.astype(float) - reader.region(Box(0, 0, 520, 300), downsample=8)).mean() < 1500


def test_writing_twice_keeps_the_first_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    reader = reader_of(noise(1, 1, 20, 20))
    for _ in range(2):
        write_pyramid(tmp_path / "kept", reader)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert open_pyramid(tmp_path / "other", reader.info) is None


def test_what_was_not_looked_at_for_longest_goes_first(tmp_path: Path) -> None:
    reader = reader_of(noise(1, 1, 100, 100))
    for name in ("first", "second", "third"):
        write_pyramid(tmp_path / name, reader)
    for age, name in enumerate(("second", "third", "first")):
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    size = sum(path.stat().st_size for path in (tmp_path / "first").iterdir())
    prune(tmp_path, 2 * size, keep="first")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]
    prune(tmp_path, 0, keep="first")
    assert [path.name for path in tmp_path.iterdir()] == ["first"]
