"""Objects that other programs marked, checked against the image they are said to lie in."""

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.errors import UnreadableImage
from imaging.pixels.info import ImageInfo
from imaging.pixels.objects import ObjectSet


def inside_image(objects: ObjectSet, info: ImageInfo) -> tuple[ObjectSet, int]:
    """Objects with boxes clipped to the image, and how many were dropped: without area, or centred outside."""
    size = np.array([info.width, info.height], dtype=np.float64)
    boxes = np.clip(objects.boxes, 0.0, np.tile(size, 2))
    has_area = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    # Comparisons with NaN are false, so a centroid that is no number counts as outside.
    keep = has_area & ((objects.centroids >= 0) & (objects.centroids < size)).all(axis=1)
    kept = np.flatnonzero(keep).tolist()
    found = ObjectSet(
        boxes[keep],
        objects.centroids[keep],
        tuple(objects.contours[index] for index in kept),
        objects.source,
        tuple(objects.labels[index] for index in kept) if objects.labels else (),
    )
    return found, len(objects) - len(found)


def check_mask_shape(mask: NDArray[np.int32], info: ImageInfo, name: str) -> None:
    """Raise UnreadableImage when a mask (height, width) is not as large as its image."""
    height, width = mask.shape
    if (height, width) != (info.height, info.width):
        rule = f"the mask is {width} x {height} px, but its image is {info.width} x {info.height} px"
        raise UnreadableImage(name, rule, "Export the mask in the image's full resolution")
