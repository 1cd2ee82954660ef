"""Compares the crops of an image with the objects of a new segmentation; changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imaging.models import Crop, CropMove, Image
from imaging.pixels.digest import crop_key
from imaging.pixels.matching import Matching, Relative, match_objects
from imaging.pixels.objects import ObjectSet
from imaging.worker.storing import outline_of


@dataclass(frozen=True, slots=True)
class Found:
    """A crop whose object is number `new` of the new ones."""

    crop: Crop
    new: int
    overlap: float
    distance_px: float


@dataclass(frozen=True, slots=True)
class Change:
    """What a segmentation means for an image: crops that were found, objects that are new, crops that are gone.

    `relation_of_fresh`, by key, and `relation_of_gone`, by number of the crop, say what those without a partner have
    to do with a crop that is there, as columns of a CropMove.
    """

    found: tuple[Found, ...]
    fresh: tuple[int, ...]
    gone: tuple[Crop, ...]
    relation_of_fresh: dict[str, dict[str, Any]]
    relation_of_gone: dict[int, dict[str, Any]]


def compare(image: Image, objects: ObjectSet) -> Change:
    """Standing crops find their objects first; what is left may be an object that was gone before."""
    rows = list(Crop.objects.filter(image=image).order_by("id"))
    standing, gone = [row for row in rows if row.gone_at is None], [row for row in rows if row.gone_at is not None]
    first = match_objects(as_objects(standing), objects)
    found = [_found(standing, pair.old, pair.new, pair.overlap, pair.distance_px) for pair in first.pairs]
    left = np.array(first.fresh, dtype=np.int64)
    again = match_objects(as_objects(gone), _subset(objects, left))
    found += [_found(gone, pair.old, int(left[pair.new]), pair.overlap, pair.distance_px) for pair in again.pairs]
    crop_of = {item.new: item.crop for item in found}
    fresh = _distinct(image, objects, [int(left[number]) for number in again.fresh])
    return Change(
        found=tuple(found),
        fresh=fresh,
        gone=tuple(standing[number] for number in first.gone),
        relation_of_fresh=_relations_of_fresh(image, objects, standing, first, set(fresh)),
        relation_of_gone={
            standing[row.index].pk: _relation(row, crop_of.get(row.other)) for row in first.gone_relatives
        },
    )


def kind_of(found: Found, objects: ObjectSet) -> CropMove.Kind | None:
    """What happened to a crop whose object was found: None where outline and place are as they were."""
    crop = found.crop
    if crop.gone_at is not None:
        return CropMove.Kind.BACK
    if crop_key("", *objects.centroids[found.new]) != crop_key("", crop.x, crop.y):
        return CropMove.Kind.MOVED
    same = outline_of(objects, found.new) == {"box": [crop.x0, crop.y0, crop.x1, crop.y1], "contour": crop.contour}
    return None if same else CropMove.Kind.OUTLINE


def as_objects(crops: Sequence[Crop]) -> ObjectSet:
    """The objects that the crops show."""
    return ObjectSet(
        np.array([(row.x0, row.y0, row.x1, row.y1) for row in crops], dtype=np.float64).reshape(-1, 4),
        np.array([(row.x, row.y) for row in crops], dtype=np.float64).reshape(-1, 2),
        tuple(None if row.contour is None else np.array(row.contour, dtype=np.float64) for row in crops),
        "crops",
    )


def _found(rows: Sequence[Crop], old: int, new: int, overlap: float, distance_px: float) -> Found:
    return Found(rows[old], new, overlap, distance_px)


def _subset(objects: ObjectSet, rows: Any) -> ObjectSet:
    contours = tuple(objects.contours[row] for row in rows.tolist())
    return ObjectSet(objects.boxes[rows], objects.centroids[rows], contours, objects.source)


def _distinct(image: Image, objects: ObjectSet, rows: Sequence[int]) -> tuple[int, ...]:
    """The objects without those on a pixel where a crop, or an earlier one of them, lies already."""
    taken = set(Crop.objects.filter(image=image).values_list("key", flat=True))
    kept = []
    for row in rows:
        key = crop_key(image.sha256, *objects.centroids[row])
        if key not in taken:
            taken.add(key)
            kept.append(row)
    return tuple(kept)


def _relations_of_fresh(
    image: Image, objects: ObjectSet, standing: Sequence[Crop], first: Matching, fresh: set[int]
) -> dict[str, dict[str, Any]]:
    return {
        crop_key(image.sha256, *objects.centroids[row.index]): _relation(row, standing[row.other])
        for row in first.fresh_relatives
        if row.index in fresh
    }


def _relation(row: Relative, other: Crop | None) -> dict[str, Any]:
    return {"relation": row.kinship.value, "other": other, "overlap": row.overlap}
