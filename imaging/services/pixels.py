"""Pixels of crops and of their surroundings, read from shards and from the originals."""

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Crop, Image
from imaging.pixels.crops import CropPlan, cut_box, cut_crop
from imaging.pixels.geometry import Box
from imaging.pixels.info import ImageInfo, ImageReader, PlaneFile
from imaging.pixels.reading import open_planes
from imaging.services.fields import field_reader
from imaging.services.storage import shard

CONTEXT_PX = 192
LARGEST_SCALE = 16
LARGEST_SIDE_PX = 512


def crop_pixels(crop: Crop) -> NDArray[Any]:
    """The crop, (channel, size, size), in the type of the original."""
    return np.ascontiguousarray(shard(crop.shard)[crop.row])


def crop_plane(crop: Crop, z: int) -> NDArray[Any]:
    """The crop cut from plane `z` of the original instead of the maximum over z; raises ImageError or OSError."""
    size = shard(crop.shard).shape[-1]
    plan = CropPlan(size, crop.image.crop_field_px)
    return np.ascontiguousarray(cut_crop(field_reader(crop.image), crop.x, crop.y, plan, z))


def crop_box(crop: Crop) -> Box:
    """What the crop covers, in full-resolution pixels; may reach beyond the image."""
    return cut_box(crop.x, crop.y, crop.image.crop_field_px)


def context_box(crop: Crop, scale: float) -> Box:
    """What the surroundings at this scale cover, in full-resolution pixels; may reach beyond the image."""
    return cut_box(crop.x, crop.y, crop.image.crop_field_px * scale)


def context_pixels(crop: Crop, scale: float, side: int = CONTEXT_PX) -> NDArray[Any]:
    """The surroundings of the crop, (channel, side, side); 0 outside of the image."""
    box = context_box(crop, scale)
    pixels = field_reader(crop.image).region(box, downsample=box.width / side)
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
