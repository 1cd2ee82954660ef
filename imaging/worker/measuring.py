"""Reads one listed field: its objects, its crops, and its quality metrics."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels import objects as sources
from imaging.pixels.crops import CropPlan, cut_crops, plan_for, plan_without_scale
from imaging.pixels.digest import array_digest, file_digest, mapping_digest
from imaging.pixels.errors import UnreadableImage
from imaging.pixels.geometry import Box
from imaging.pixels.info import ImageInfo, ImageReader
from imaging.pixels.listing import FieldEntry, object_source
from imaging.pixels.objects import ObjectSet
from imaging.pixels.objects_check import check_mask_shape, inside_image
from imaging.pixels.quality import measure
from imaging.pixels.reading import open_planes
from imaging.pixels.segmentation import SegmentationParams, segment

SLIDE_TILE_PX = 1024
# A slide without marked objects is sampled: the evenly spread tiles keep one slide from filling the pool.
SLIDE_TILES_AT_MOST = 64
OVERVIEW_PX = 1024


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """What is kept of one field: its files with digests, its pixels' layout, objects, crops and metrics.

    `dropped`: objects of its mask or object file that have no area or lie outside of the image.
    """

    entry: FieldEntry
    files: list[dict[str, Any]]
    digest: str
    info: ImageInfo
    objects: ObjectSet
    source: str
    plan: CropPlan
    crops: NDArray[Any]
    metrics: dict[str, float]
    samples: NDArray[Any]
    dropped: int = 0


def read_field(
    entry: FieldEntry, channel_names: tuple[str, ...], pixel_size_um: float | None, bit_depth: int | None
) -> FieldFacts:
    """Everything about one field. ImageError where a file cannot be read; nothing is stored here."""
    reader = open_planes(entry.files)
    info = described(reader.info, channel_names, pixel_size_um, entry.name)
    source = object_source(entry, info)
    found, dropped = inside_image(find_objects(entry, reader, info, source), info)
    plan = plan_for(info, found)
    # Planes without a channel's name sort first, and so are the first channel.
    renamed = {"": info.channel_names[0]} | dict(zip(reader.info.channel_names, info.channel_names))
    files = [
        {
            "name": file.name,
            "uri": str(file.path),
            "sha256": file_digest(file.path),
            "channel": file.channel,
            # What the channel is called here: the user's name for it, where one was given.
            "shown_as": renamed.get(file.channel, file.channel),
            "z": file.z,
        }
        for file in entry.files
    ]
    overview = overview_of(reader, info)
    ceiling = float(2**bit_depth - 1) if bit_depth else info.ceiling
    return FieldFacts(
        entry=entry,
        files=files,
        digest=image_digest(files),
        info=info,
        objects=found,
        source=source,
        plan=plan,
        crops=cut_crops(reader, found.centroids, plan),
        metrics=measure(overview, ceiling, info.channel_names),
        samples=thin(overview),
        dropped=dropped,
    )


def with_common_plan(facts: Sequence[FieldFacts]) -> list[FieldFacts]:
    """The fields of one experiment, cut at one magnification where no pixel size settles it.

    Fields whose own objects had suggested another one are opened and cut again.
    """
    unscaled = [item.objects for item in facts if _is_unscaled(item)]
    if not unscaled:
        return list(facts)
    plan = plan_without_scale(unscaled)
    return [_cut_again(item, plan) if _is_unscaled(item) and item.plan != plan else item for item in facts]


def _is_unscaled(item: FieldFacts) -> bool:
    return item.info.pixel_size_um is None and item.source != "whole"


def _cut_again(item: FieldFacts, plan: CropPlan) -> FieldFacts:
    crops = cut_crops(open_planes(item.entry.files), item.objects.centroids, plan)
    return replace(item, plan=plan, crops=crops)


def described(
    info: ImageInfo, channel_names: tuple[str, ...], pixel_size_um: float | None, name: str = ""
) -> ImageInfo:
    """The facts with the user's channel names, and their pixel size where the file tells none.

    Raises UnreadableImage, with `name`, when there are more or fewer names than channels.
    """
    if channel_names and len(channel_names) != info.shape[1]:
        rule = f"{len(channel_names)} channel names were given, but it has {info.shape[1]} channels"
        raise UnreadableImage(name, rule, "Name each channel once, or take these images in on their own")
    names = channel_names or info.channel_names
    return replace(info, channel_names=names, pixel_size_um=info.pixel_size_um or pixel_size_um)


def image_digest(files: list[dict[str, Any]]) -> str:
    """Digest of a field: of its only file, else of all its files with their channels and planes."""
    if len(files) == 1:
        return str(files[0]["sha256"])
    return mapping_digest({"planes": sorted([f["sha256"], f["channel"], f["z"] or 0] for f in files)})


def objects_digest(item: FieldFacts) -> str:
    """Digest of where the field's crops lie."""
    return centres_digest(item.objects.centroids)


def centres_digest(centres: NDArray[np.float64]) -> str:
    """Digest of the centres (n, 2) of objects, to a hundredth of a pixel."""
    return array_digest(centres.round(2))


def content_digest(fields: Iterable[tuple[str, str]]) -> str:
    """Digest of an experiment's images with their objects, from (digest, objects_digest) of each field."""
    return mapping_digest({"fields": sorted([digest, objects] for digest, objects in fields)})


def overview_of(reader: ImageReader, info: ImageInfo) -> NDArray[Any]:
    """The field, or for a slide a picture of it at most OVERVIEW_PX wide."""
    if not info.is_slide:
        return reader.field()
    whole = Box(0, 0, info.width, info.height)
    return reader.region(whole, downsample=max(1.0, max(info.width, info.height) / OVERVIEW_PX))


def find_objects(entry: FieldEntry, reader: ImageReader, info: ImageInfo, source: str) -> ObjectSet:
    """The field's objects from the source that the listing names, else by segmentation."""
    if source == "whole":
        return sources.whole_image(info)
    if source == "box":
        return sources.from_boxes(entry.boxes, info)
    if source == "mask" and entry.mask is not None:
        mask = sources.read_mask(entry.mask)
        check_mask_shape(mask, info, entry.mask.name)
        return sources.from_label_image(mask, source="mask")
    if source == "geojson" and entry.objects_file is not None:
        return sources.from_geojson(entry.objects_file)
    if source == "table" and entry.objects_file is not None:
        return sources.from_cellprofiler_table(entry.objects_file, entry.name)
    if info.is_slide:
        return _segment_slide(reader, info)
    return sources.from_label_image(segment(reader.field(), SegmentationParams()))


def thin(field: NDArray[Any], at_most: int = 100_000) -> NDArray[Any]:
    """A regular sample of the pixels, (1, channel, n), for the display window of the experiment."""
    flat = field.reshape(field.shape[0], -1)
    return flat[None, :, :: max(1, flat.shape[1] // at_most)]


def _segment_slide(reader: ImageReader, info: ImageInfo) -> ObjectSet:
    found = [_segment_tile(reader, x, y, info) for x, y in _tiles(info)]
    boxes = np.concatenate([part.boxes for part in found])
    centroids = np.concatenate([part.centroids for part in found])
    contours = tuple(contour for part in found for contour in part.contours)
    return ObjectSet(boxes, centroids, contours, "segmentation")


def _tiles(info: ImageInfo) -> list[tuple[int, int]]:
    corners = [(x, y) for y in range(0, info.height, SLIDE_TILE_PX) for x in range(0, info.width, SLIDE_TILE_PX)]
    picked = np.linspace(0, len(corners) - 1, min(len(corners), SLIDE_TILES_AT_MOST)).round().astype(int)
    return [corners[index] for index in picked]


def _segment_tile(reader: ImageReader, x: int, y: int, info: ImageInfo) -> ObjectSet:
    width, height = min(SLIDE_TILE_PX, info.width - x), min(SLIDE_TILE_PX, info.height - y)
    pixels = reader.region(Box(x, y, x + width, y + height))
    local = sources.from_label_image(segment(pixels, SegmentationParams()))
    # Objects cut by the edge of a tile are left out: their centroid would not be the cell's.
    inside = (local.boxes[:, :2] > 0).all(axis=1) & (local.boxes[:, 2:] < (width, height)).all(axis=1)
    shift = np.array([x, y], dtype=float)
    return ObjectSet(
        local.boxes[inside] + np.tile(shift, 2),
        local.centroids[inside] + shift,
        tuple(
            contour + shift if contour is not None else None for contour, keep in zip(local.contours, inside) if keep
        ),
        "segmentation",
    )
