"""Pixels of crops and of their surroundings, read from shards and from the originals."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Crop, Image
from imaging.pixels.geometry import Box
from imaging.pixels.info import ImageInfo, ImageReader, PlaneFile
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
    """A reader over the image's original files, with the channel names and pixel size that were stored for it.

    The newest few stay open.
    """
    files = tuple((file["uri"], file["name"], file["channel"], file["z"]) for file in image.files)
    return _open(files, tuple(image.channels), image.pixel_size_um)


@lru_cache(maxsize=8)
def _open(
    files: tuple[tuple[str, str, str, int | None], ...], channels: tuple[str, ...], pixel_size_um: float | None
) -> ImageReader:
    reader = open_planes([PlaneFile(Path(uri), name, channel, z) for uri, name, channel, z in files])
    described = replace(reader.info, channel_names=channels, pixel_size_um=pixel_size_um)
    return Described(reader, described)


@dataclass(frozen=True, slots=True)
class Described:
    """A reader whose facts are those that were stored, where the user knew more than the file."""

    reader: ImageReader
    info: ImageInfo

    def region(self, box: Box, z: int | None = None, downsample: float = 1.0) -> NDArray[Any]:
        """Pixels (channel, h, w) of the box; see ImageReader."""
        return self.reader.region(box, z, downsample)

    def field(self) -> NDArray[Any]:
        """All pixels (channel, height, width); see ImageReader."""
        return self.reader.field()


def shown_channels(image: Image) -> list[dict[str, Any]]:
    """Name, colour, display window (low, high) and whether it starts switched on, for each channel of the image.

    The window is that of the experiment, or of the image's batch where the experiment has several.
    """
    return [
        _shown(row, image.sample.site) for row in image.sample.experiment.channels if row["name"] in image.channels
    ]


def _shown(row: dict[str, Any], batch: str) -> dict[str, Any]:
    low, high = row.get("batches", {}).get(batch, (row["low"], row["high"]))
    return {"name": row["name"], "color": row["color"], "low": low, "high": high, "on": row.get("on", True)}
