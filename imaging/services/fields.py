"""Whole fields and slides: read once from the originals, then from halved copies that are kept in the data folder."""

import os
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Image
from imaging.pixels import pyramid
from imaging.pixels.digest import file_digest
from imaging.pixels.errors import UnreadableImage
from imaging.pixels.geometry import Box
from imaging.pixels.info import ImageInfo, PlaneFile, resize
from imaging.pixels.pyramid import Pyramid, downsampled
from imaging.pixels.reading import open_planes, slide_in
from imaging.pixels.slides import SlideReader
from imaging.services.storage import local_folder

PYRAMIDS = "pyramids"
# The copies can be made anew at any time: what nobody has looked at for longest goes first.
MOST_KEPT_BYTES = 8 * 1024**3
# A slide's own levels are rarely finer than every fourth: coarser tiles cost the decoding of much more than is shown.
KEEP_TILES_FROM_LEVEL = 2
# One field is decoded at a time: several at once would need the memory of all of them.
_making = threading.Lock()


def field_reader(image: Image) -> Pyramid | SlideReader:
    """A reader over the image that holds no decoded field in memory.

    Raises ImageError or OSError where the original is needed and is missing, or is no longer the one taken in.
    """
    kept = _kept(image)
    if kept is not None:
        return kept
    if len(image.files) == 1:
        slide = _slide(image.files[0]["uri"], image.files[0]["name"])
        if slide is not None:
            return slide
    with _making:
        return _kept(image) or _make(image)


def tile(image: Image, level: int, column: int, row: int) -> NDArray[Any] | None:
    """Pixels (channel, h, w) of one tile, at most 256 px a side; level 0 is full size. None where there is no tile.

    Raises like `field_reader`.
    """
    height, width = image.shape[2:]
    corners = pyramid.tile_box(width, height, level, column, row)
    if corners is None:
        return None
    reader = field_reader(image)
    if isinstance(reader, SlideReader):
        if level < KEEP_TILES_FROM_LEVEL:
            return _slide_tile(reader, level, corners)
        path = _folder(image) / f"tile-{level}-{column}-{row}.npy"
        if level > KEEP_TILES_FROM_LEVEL and reader.level_below(2.0**level + 0.5) < 2 ** (level - 1):
            return _kept_tile(path, lambda: _from_finer(image, level, column, row))
        return _kept_tile(path, lambda: _slide_tile(reader, level, corners))
    x0, y0, x1, y1 = corners
    return np.ascontiguousarray(reader.levels[level][:, y0:y1, x0:x1])


def _slide_tile(reader: SlideReader, level: int, corners: tuple[int, int, int, int]) -> NDArray[Any]:
    x0, y0, x1, y1 = corners
    box = Box(*(float(edge << level) for edge in corners)).clipped(reader.info.width, reader.info.height)
    own = reader.level_below(2.0**level + 0.5)
    # Means of the slide's own pixels, as for any other field; its levels are reduced by about a power of two.
    factor = max(1, round(2**level / own))
    return resize(downsampled(reader.region(box, downsample=own), factor), y1 - y0, x1 - x0)


def _from_finer(image: Image, level: int, column: int, row: int) -> NDArray[Any]:
    """A tile made of the four below it, which are kept: a slide without small levels is decoded only once."""
    lines = []
    for y in (2 * row, 2 * row + 1):
        parts = [tile(image, level - 1, x, y) for x in (2 * column, 2 * column + 1)]
        lines.append([part for part in parts if part is not None])
    whole = np.concatenate([np.concatenate(line, axis=2) for line in lines if line], axis=1)
    return downsampled(whole, 2)


def _kept_tile(path: Path, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    try:
        found: NDArray[Any] = np.load(path)
    except (OSError, ValueError):
        found = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
        with partial.open("wb") as stream:
            np.save(stream, found)
        partial.replace(path)
    return found


def _folder(image: Image) -> Path:
    # The shape tells how the same bytes were understood: as channels or as planes.
    return local_folder(PYRAMIDS) / f"{image.sha256}-{'x'.join(map(str, image.shape))}"


def _kept(image: Image) -> Pyramid | None:
    info = ImageInfo(tuple(image.shape), image.axes, image.dtype, tuple(image.channels), image.pixel_size_um)
    return pyramid.open_pyramid(_folder(image), info)


def _make(image: Image) -> Pyramid:
    for file in image.files:
        if file_digest(file["uri"]) != file["sha256"]:
            rule = "it is not the file that was taken in: its bytes have changed"
            raise UnreadableImage(file["name"], rule, "Put the original back")
    files = [PlaneFile(Path(file["uri"]), file["name"], file["channel"], file["z"]) for file in image.files]
    folder = _folder(image)
    pyramid.write_pyramid(folder, open_planes(files))
    pyramid.prune(folder.parent, MOST_KEPT_BYTES, keep=folder.name)
    kept = _kept(image)
    if kept is None:
        raise FileNotFoundError(folder.name)
    return kept


@lru_cache(maxsize=8)
def _slide(uri: str, name: str) -> SlideReader | None:
    return slide_in(Path(uri), name)
