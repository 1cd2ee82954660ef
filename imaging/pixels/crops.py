"""Crops around objects: a fixed physical field, the object in the centre, zeros beyond the border."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.geometry import Box
from imaging.pixels.info import ImageInfo, ImageReader, resize
from imaging.pixels.objects import ObjectSet

DEFAULT_SIZE_PX = 64
MAX_SIZE_PX = 512
WHOLE_IMAGE_PX = 128
DEFAULT_FIELD_UM = 32.0
# Room around an object, so that its surroundings are seen.
BOX_MARGIN = 1.6
# Beyond this reduction the reader is asked for a coarser level instead of all full-resolution pixels.
MAX_FULL_READ = 8.0


@dataclass(frozen=True, slots=True)
class CropPlan:
    """`size_px`: side of the crop in output pixels; `field_px`: full-resolution pixels it covers."""

    size_px: int = DEFAULT_SIZE_PX
    field_px: float = float(DEFAULT_SIZE_PX)

    def __post_init__(self) -> None:
        """Refuse sizes that no crop can have."""
        if not 4 <= self.size_px <= MAX_SIZE_PX:
            raise ValueError(f"size_px={self.size_px}: a crop has 4 to {MAX_SIZE_PX} px")
        if not (math.isfinite(self.field_px) and 1 <= self.field_px <= 65_535):
            raise ValueError(f"field_px={self.field_px}: a crop covers 1 to 65535 px")


def plan_for(info: ImageInfo, objects: ObjectSet, field_um: float | None = None) -> CropPlan:
    """Plan for the crops of one field, the same for every field of equal pixel size.

    Whole images: their larger side, at most 128 px out. Known pixel size: `field_um` (default 32 um).
    Otherwise as `plan_without_scale` for this field alone.
    """
    if objects.source == "whole":
        side = max(info.width, info.height)
        return CropPlan(size_px=max(4, min(side, WHOLE_IMAGE_PX)), field_px=float(side))
    if info.pixel_size_um is not None:
        field_px = (field_um or DEFAULT_FIELD_UM) / info.pixel_size_um
        return CropPlan(DEFAULT_SIZE_PX, min(max(field_px, 1.0), 65_535.0))
    return plan_without_scale([objects])


def plan_without_scale(fields: Sequence[ObjectSet]) -> CropPlan:
    """One plan for all fields of an experiment whose pixel size nobody knows: the same magnification for each.

    64 px, or 1.6 times the median object of all fields when that is more (always a multiple of 16).
    """
    return CropPlan(DEFAULT_SIZE_PX, float(_field_of_boxes(np.concatenate([item.boxes for item in fields]))))


def _field_of_boxes(boxes: NDArray[np.float64]) -> int:
    if not len(boxes):
        return DEFAULT_SIZE_PX
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    wanted = 16 * math.ceil(BOX_MARGIN * float(np.median(sides)) / 16)
    return min(max(DEFAULT_SIZE_PX, wanted), 65_535)


def cut_crops(reader: ImageReader, centroids: NDArray[Any], plan: CropPlan) -> NDArray[Any]:
    """Crops (n, channel, size, size) in the image's dtype around `centroids` (n, 2) x, y in pixels.

    Beyond the border lie zeros. When field and size differ, pixels are resampled with anti-aliasing.
    """
    shape = (len(centroids), reader.info.shape[1], plan.size_px, plan.size_px)
    crops = np.empty(shape, dtype=np.dtype(reader.info.dtype))
    for i, (x, y) in enumerate(np.asarray(centroids, dtype=np.float64).reshape(-1, 2)):
        crops[i] = cut_crop(reader, float(x), float(y), plan)
    return crops


def cut_box(x: float, y: float, field_px: float) -> Box:
    """The whole pixels that a crop around (x, y) covers, in full-resolution pixels."""
    side = max(1, round(field_px))
    left, top = math.floor(x - side / 2 + 0.5), math.floor(y - side / 2 + 0.5)
    return Box(left, top, left + side, top + side)


def cut_crop(reader: ImageReader, x: float, y: float, plan: CropPlan, z: int | None = None) -> NDArray[Any]:
    """One crop (channel, size, size) around (x, y); z=None is the maximum over z."""
    box = cut_box(x, y, plan.field_px)
    reduction = box.width / plan.size_px
    coarser = 2.0 ** math.floor(math.log2(reduction / 2)) if reduction > MAX_FULL_READ else 1.0
    return resize(reader.region(box, z, coarser), plan.size_px, plan.size_px)
