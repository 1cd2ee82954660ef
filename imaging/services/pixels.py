"""Pixels of crops and of their surroundings, read from shards and from the originals."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Crop, Image
from imaging.pixels.geometry import Box
from imaging.pixels.info import ImageReader, PlaneFile
from imaging.pixels.reading import open_planes
from imaging.services.storage import shard

CONTEXT_PX = 192


def crop_pixels(crop: Crop) -> NDArray[Any]:
    """The crop, (channel, size, size), in the type of the original."""
    return np.ascontiguousarray(shard(crop.shard)[crop.row])


def context_pixels(crop: Crop, scale: float) -> NDArray[Any]:
    """The surroundings of the crop, (channel, CONTEXT_PX, CONTEXT_PX); 0 outside of the image."""
    box = Box.around(crop.x, crop.y, crop.image.crop_field_px * scale)
    side = max(1, round(box.width))
    pixels = reader_of(crop.image).region(box, downsample=side / CONTEXT_PX)
    return np.ascontiguousarray(pixels)


def reader_of(image: Image) -> ImageReader:
    """A reader over the image's original files; the newest few stay open."""
    return _open(tuple((file["uri"], file["name"], file["channel"], file["z"]) for file in image.files))


@lru_cache(maxsize=8)
def _open(files: tuple[tuple[str, str, str, int | None], ...]) -> ImageReader:
    return open_planes([PlaneFile(Path(uri), name, channel, z) for uri, name, channel, z in files])
