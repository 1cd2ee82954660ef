"""Third stage: the objects of a field, found or given, as a label image and as boxes and centroids."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.colour import is_colour
from imaging.pixels.objects import ObjectSet, from_label_image
from imaging.pixels.segmentation import SegmentationParams
from imaging.pixels.segmentation import segment as segment_pixels
from inference.pipeline.stage import ParamsError, PipelineError, Stage
from inference.pipeline.state import Field, refusal

# 1: imaging.pixels.segmentation version 1; given objects are cut to the field and numbered from 1.
VERSION = 1


@dataclass(frozen=True, slots=True)
class Params:
    """Those of imaging.pixels.segmentation, and which pixels it sees.

    The default is raw pixels: the crops that people labelled were found there, and an object found again keeps
    its key.
    """

    smoothing_px: float = 1.0
    min_area_px: int = 30
    max_area_px: int = 1_000_000
    min_distance_px: float = 5.0
    channel: int = 0
    polarity: Literal["auto", "bright", "dark"] = "auto"
    pixels: Literal["raw", "corrected"] = "raw"

    def __post_init__(self) -> None:
        """Refuse what the segmentation refuses."""
        try:
            self.segmentation()
        except ValueError as error:
            raise ParamsError(str(error)) from error
        if self.channel < 0:
            raise ParamsError(f"channel = {self.channel} is below 0; channels are counted from 0")

    def segmentation(self) -> SegmentationParams:
        """The same parameters for imaging.pixels.segmentation."""
        return SegmentationParams(
            smoothing_px=self.smoothing_px,
            min_area_px=self.min_area_px,
            max_area_px=self.max_area_px,
            min_distance_px=self.min_distance_px,
            channel=self.channel,
            polarity=self.polarity,
        )


def run(field: Field, params: Params) -> Field:
    """The field with `labels` (int32, 0 = background) and `objects` in its own coordinates.

    Given boxes may overlap: the label image then shows the later one, measurements use each box whole.
    A channel that the field does not have is a refusal with the code `no_such_channel`.
    """
    given = field.context.objects
    if isinstance(given, ObjectSet):
        objects = cut_to_field(given, field)
        return replace(field, objects=objects, labels=paint(objects, field.raw.shape[1:]))
    if given is None:
        if params.channel >= len(field.raw) and not is_colour(field.raw):
            return replace(field, verdict=_no_channel(params.channel, len(field.raw)))
        labels = segment_pixels(_seen(field, params), params.segmentation())
    else:
        labels = numbered(_window(given, field))
    labels, objects = within_core(labels, from_label_image(labels), field)
    return replace(field, objects=objects, labels=labels)


def numbered(labels: NDArray[Any]) -> NDArray[np.int32]:
    """Label image with the numbers 1 to n in the order of the given ones; 0 stays background."""
    values, inverse = np.unique(labels, return_inverse=True)
    ranks = np.cumsum(values > 0) * (values > 0)
    return np.asarray(ranks[inverse.reshape(labels.shape)], dtype=np.int32)


def within_core(labels: NDArray[np.int32], objects: ObjectSet, field: Field) -> tuple[NDArray[np.int32], ObjectSet]:
    """Labels and objects without those whose centroid lies in the halo: another region counts them."""
    inside = _in_core(objects.centroids, field)
    if inside.all():
        return labels, objects
    numbers = np.concatenate([[0], np.cumsum(inside) * inside]).astype(np.int32)
    return numbers[labels], _chosen(objects, inside)


def cut_to_field(objects: ObjectSet, field: Field) -> ObjectSet:
    """The objects whose centroid lies in the field's core, in its coordinates, boxes clipped to it."""
    height, width = field.raw.shape[1:]
    shift = np.array(field.offset, dtype=np.float64)
    # A low corner stays on a pixel of the field, a high one beyond it: no box is ever empty or outside.
    low = np.clip(objects.boxes[:, :2] - shift, 0, (width - 1, height - 1))
    high = np.clip(np.maximum(objects.boxes[:, 2:] - shift, low), 1, (width, height))
    moved = replace(
        objects,
        boxes=np.hstack([low, high]),
        centroids=objects.centroids - shift,
        contours=tuple(None if outline is None else outline - shift for outline in objects.contours),
    )
    return _chosen(moved, _in_core(moved.centroids, field))


def _in_core(centroids: NDArray[np.float64], field: Field) -> NDArray[np.bool_]:
    height, width = field.raw.shape[1:]
    x0, y0, x1, y1 = field.core or (0, 0, width, height)
    return np.asarray(((centroids >= (x0, y0)) & (centroids < (x1, y1))).all(axis=1))


def _chosen(objects: ObjectSet, inside: NDArray[np.bool_]) -> ObjectSet:
    rows = np.flatnonzero(inside)
    return replace(
        objects,
        boxes=objects.boxes[rows],
        centroids=objects.centroids[rows],
        contours=tuple(objects.contours[row] for row in rows),
        labels=tuple(objects.labels[row] for row in rows) if objects.labels else (),
    )


def paint(objects: ObjectSet, shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Label image (height, width) of outlines, or of boxes where there is no outline; later ones lie on top."""
    labels = np.zeros(shape, dtype=np.int32)
    for number, (corners, outline) in enumerate(zip(pixel_boxes(objects), objects.contours, strict=True), 1):
        x0, y0, x1, y1 = corners
        window = labels[y0:y1, x0:x1]
        inside = True if outline is None else _inside(outline - (x0, y0), window.shape)
        window[inside] = number
    return labels


def pixel_boxes(objects: ObjectSet) -> NDArray[np.int64]:
    """Boxes (n, 4) on whole pixels; a box keeps every pixel whose centre lies in it, and at least one."""
    rounded = np.floor(objects.boxes + 0.5).astype(np.int64)
    empty = rounded[:, 2:] <= rounded[:, :2]
    # A box below one pixel stands for the pixel that holds its centre.
    middle = np.floor((objects.boxes[:, :2] + objects.boxes[:, 2:]) / 2).astype(np.int64)
    low = np.where(empty, middle, rounded[:, :2])
    return np.hstack([low, np.where(empty, low + 1, rounded[:, 2:])])


def _inside(outline: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    from skimage import draw

    # Outlines count from pixel edges, scikit-image from pixel centres.
    untyped: Any = draw
    return np.asarray(untyped.polygon2mask(shape, outline[:, ::-1] - 0.5), dtype=bool)


def _seen(field: Field, params: Params) -> NDArray[Any]:
    corrected = params.pixels == "corrected" and field.pixels is not None
    return field.pixels if corrected and field.pixels is not None else field.raw


def _window(labels: NDArray[Any], field: Field) -> NDArray[Any]:
    """The part of a given label image that belongs to the field."""
    full = field.reader.info.shape[2:]
    if labels.shape != full or labels.dtype.kind not in "iub":
        raise PipelineError(
            f"the given label image is {labels.dtype} {labels.shape} and the image {full}; "
            "give whole numbers for every pixel of the image"
        )
    (x, y), (height, width) = field.offset, field.raw.shape[1:]
    return labels[y : y + height, x : x + width]


def _no_channel(channel: int, channels: int) -> Any:
    advice = f"segment on a channel from 0 to {channels - 1}"
    return refusal("no_such_channel", "channel", (float(channel), float(channels - 1)), advice)


STAGE = Stage(
    name="segment",
    version=VERSION,
    params=Params,
    run=run,
    reads=("raw", "pixels", "info", "region", "given_objects"),
    writes=("labels", "objects", "verdict"),
)
