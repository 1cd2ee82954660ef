"""Where things lie in the pictures around a crop: its outline, its surroundings, its place in the whole field."""

import hashlib
from typing import Any

from django.urls import reverse

from imaging.models import Crop, Experiment
from imaging.pixels.geometry import Box
from imaging.pixels.pyramid import TILE_PX, level_count
from imaging.services.pixels import (
    CONTEXT_PX,
    LARGEST_SIDE_PX,
    context_box,
    crop_box,
    shown_channels,
)
from imaging.services.storage import shard
from labeling.models import Study

CONTEXT_SCALES = (2, 4, 16)
CONTEXT_SCALE = 4
# A crop that was made this much smaller than the original is fetched again, sharper, when somebody looks closer.
SHARPER_FROM = 1.25


def crop_frames(study: Study, crop: Crop) -> dict[str, Any]:
    """How the crop's pictures lie in the field: surroundings, outline, scale, planes, and what is image in them."""
    side = shard(crop.shard).shape[-1]
    box = crop_box(crop)
    size_um = crop.image.pixel_size_um
    contexts = [] if crop.image.object_source == "whole" else [_context(study, crop, at) for at in CONTEXT_SCALES]
    middle = next((found for found in contexts if found["scale"] == CONTEXT_SCALE), None)
    return {
        "contexts": contexts,
        "context": middle["url"] if middle else None,
        "box_in_context": _within(box, context_box(crop, CONTEXT_SCALE), CONTEXT_PX),
        "inside": _inside(crop, box, side),
        "um_per_px": size_um * box.width / side if size_um else None,
        "contour": _outline(crop, box, side),
        "dot": _place(crop.x, crop.y, box, side),
        "depth": crop.image.shape[0],
        "field": reverse("labeling-api:study-crop-field", args=[study.pk, crop.pk]),
        "detail": _detail_url(study, crop, box.width, side),
    }


def field_payload(study: Study, crop: Crop) -> dict[str, Any]:
    """The whole field around the crop, without a name: sizes in pixels, tiles, windows, the object's place."""
    image = crop.image
    height, width = image.shape[2:]
    box = crop_box(crop)
    return {
        "width": width,
        "height": height,
        "tile_px": TILE_PX,
        "levels": level_count(width, height),
        "tiles": reverse("labeling-api:study-crop-field", args=[study.pk, crop.pk]),
        "version": version_of(crop),
        "channels": shown_channels(image),
        "dtype": image.dtype,
        "um_per_px": image.pixel_size_um,
        "is_rgb": image.sample.experiment.modality == Experiment.Modality.BRIGHTFIELD,
        "dot": [crop.x, crop.y],
        "box": [box.x0, box.y0, box.x1, box.y1],
        "contour": crop.contour or None,
    }


def version_of(crop: Crop) -> str:
    """The pixels' own name, a part of their address: a browser may keep them and never shows them for others.

    Hashed: the name of a shard would tell which crops are of one experiment.
    """
    return hashlib.sha256(f"{crop.shard}-{crop.row}".encode()).hexdigest()[:16]


def _context(study: Study, crop: Crop, scale: int) -> dict[str, Any]:
    address = reverse("labeling-api:study-crop-context", args=[study.pk, crop.pk])
    around = context_box(crop, scale)
    return {
        "scale": scale,
        "url": f"{address}?scale={scale}&v={version_of(crop)}",
        "box": _within(crop_box(crop), around, CONTEXT_PX),
        "dot": _place(crop.x, crop.y, around, CONTEXT_PX),
        "inside": _inside(crop, around, CONTEXT_PX),
    }


def _detail_url(study: Study, crop: Crop, field_px: float, side: int) -> str | None:
    sharper = min(LARGEST_SIDE_PX, round(field_px))
    if sharper < SHARPER_FROM * side:
        return None
    address = reverse("labeling-api:study-crop-context", args=[study.pk, crop.pk])
    return f"{address}?scale=1&side={sharper}&v={version_of(crop)}"


def _place(x: float, y: float, frame: Box, side: int) -> list[float]:
    scale = side / frame.width
    return [round((x - frame.x0) * scale, 2), round((y - frame.y0) * scale, 2)]


def _within(box: Box, frame: Box, side: int) -> list[float]:
    return _place(box.x0, box.y0, frame, side) + _place(box.x1, box.y1, frame, side)


def _inside(crop: Crop, frame: Box, side: int) -> list[float] | None:
    """The part of a picture that is image, where some of it lies beyond the border; else None."""
    height, width = crop.image.shape[2:]
    part = frame.clipped(width, height)
    return None if part == frame else _within(part, frame, side)


def _outline(crop: Crop, frame: Box, side: int) -> list[list[float]] | None:
    return [_place(x, y, frame, side) for x, y in crop.contour] if crop.contour else None
