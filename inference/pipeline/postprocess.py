"""Last stage: rows of the object table, flags for what a person should look at, and counts of the field."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.digest import crop_key
from imaging.pixels.objects import ObjectSet
from inference.pipeline.measure import Block, box_blocks, label_blocks, measure_objects
from inference.pipeline.segment import pixel_boxes
from inference.pipeline.stage import PipelineError, Stage, bounded
from inference.pipeline.state import Field
from inference.pipeline.tables import Table, column_parts

# 1: uncertain by top probability or entropy; border and area flags; counts over the rows that are kept.
# 2: without a model objects are measured and counted, not classified; names of fields are whole.
VERSION = 2

# Objects from these sources may overlap, so each is measured in its own box.
BOX_SOURCES = ("whole", "box", "table")


@dataclass(frozen=True, slots=True)
class Params:
    """An object is uncertain when its best class is below `min_top_probability` or its entropy, as a share of
    the largest possible one, is above `max_entropy`. Objects below `min_area_px2` are left out of the table,
    those within `border_px` of the edge are flagged, and left out with `drop_border`.
    """

    min_top_probability: float = 0.6
    max_entropy: float = 0.9
    min_area_px2: float = 0.0
    border_px: float = 1.0
    drop_border: bool = False

    def __post_init__(self) -> None:
        """Refuse percents where shares are meant."""
        bounded("min_top_probability", self.min_top_probability, (0, 1), "give a share, such as 0.6")
        bounded("max_entropy", self.max_entropy, (0, 1), "give a share of the largest entropy")
        bounded("min_area_px2", self.min_area_px2, (0, 1e9), "give square pixels")
        bounded("border_px", self.border_px, (0, 10_000), "give pixels")


def run(field: Field, params: Params) -> Field:
    """The field with its `table` (one row per object that is kept) and `counts`.

    Counts: objects, uncertain, touching_border, dropped, and one per class as `class:NAME`. Without a model there
    are no columns and counts of classes.
    """
    model = field.context.model
    if field.objects is None or (model is not None and field.probabilities is None):
        raise PipelineError("postprocess needs objects and probabilities; run segment and predict before it")
    classes = model.classes if model is not None else ()
    columns = _names(field) | _places(field, params) | _measures(field)
    if field.probabilities is not None:
        columns |= classified(field.probabilities, classes, params)
    table = Table(columns)
    keep = table.columns["AreaShape_Area"] >= params.min_area_px2
    if params.drop_border:
        keep &= ~table.columns["Location_TouchesBorder"]
    kept = table.take(keep)
    return replace(field, table=kept, counts=_counts(kept, classes, int((~keep).sum())))


def classified(
    probabilities: NDArray[np.float64], classes: tuple[str, ...], params: Params
) -> dict[str, NDArray[Any]]:
    """Columns of one probability per class, the best class, and whether the model is unsure of it."""
    columns: dict[str, NDArray[Any]] = {
        f"Classify_{part}_Probability": probabilities[:, index] for index, part in enumerate(column_parts(classes))
    }
    best = probabilities.argmax(axis=1)
    top = probabilities[np.arange(len(best)), best]
    spread = entropy(probabilities)
    return columns | {
        "Classify_Predicted": np.array(classes, dtype=np.str_)[best],
        "Classify_TopProbability": top,
        "Classify_Entropy": spread,
        "Classify_Uncertain": (top < params.min_top_probability) | (spread > params.max_entropy),
    }


def entropy(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Entropy of each row over that of equal shares, in [0, 1], higher = less sure; 0 with a single class."""
    classes = probabilities.shape[1]
    if classes < 2:
        return np.zeros(len(probabilities))
    logs = np.log(probabilities, where=probabilities > 0, out=np.zeros_like(probabilities))
    # Minus zero would be another byte pattern than zero in the table.
    shares: NDArray[np.float64] = -(probabilities * logs).sum(axis=1) / np.log(classes)
    return np.clip(shares, 0.0, 1.0) + 0.0


def _names(field: Field) -> dict[str, NDArray[Any]]:
    identity, objects = field.context.identity, _objects(field)
    count = len(objects)
    places = objects.centroids + np.array(field.offset)
    keys = [crop_key(identity.image_digest, x, y) for x, y in places.tolist()]
    # np.full takes the length of a text from its value; a dtype of np.str_ would keep one character of it.
    return {
        "ImageNumber": np.full(count, identity.image_number, dtype=np.int64),
        "ObjectNumber": np.arange(1, count + 1, dtype=np.int64),
        "Metadata_Experiment": np.full(count, identity.experiment),
        "Metadata_Well": np.full(count, identity.well),
        "Metadata_Site": np.full(count, identity.site),
        "Metadata_FileName": np.full(count, identity.name),
        "Metadata_RegionX": np.full(count, field.offset[0], dtype=np.int64),
        "Metadata_RegionY": np.full(count, field.offset[1], dtype=np.int64),
        "Metadata_CropKey": np.array(keys, dtype=np.str_),
    }


def _places(field: Field, params: Params) -> dict[str, NDArray[Any]]:
    """Places in the whole image. CellProfiler counts from the centre of the first pixel, boxes from its edge."""
    objects, (left, top) = _objects(field), field.offset
    height, width = field.raw.shape[1:]
    x0, y0, x1, y1 = pixel_boxes(objects).T
    near = params.border_px
    touching = (x0 < near) | (y0 < near) | (x1 > width - near) | (y1 > height - near)
    return {
        "Location_Center_X": objects.centroids[:, 0] + left - 0.5,
        "Location_Center_Y": objects.centroids[:, 1] + top - 0.5,
        "Location_TouchesBorder": touching,
        "AreaShape_BoundingBoxMinimum_X": x0 + left,
        "AreaShape_BoundingBoxMinimum_Y": y0 + top,
        "AreaShape_BoundingBoxMaximum_X": x1 + left,
        "AreaShape_BoundingBoxMaximum_Y": y1 + top,
    }


def _measures(field: Field) -> dict[str, NDArray[np.float64]]:
    objects = _objects(field)
    pixels = field.raw if field.pixels is None else field.pixels
    return measure_objects(_blocks(field, objects), len(objects), pixels, field.info.channel_names)


def _blocks(field: Field, objects: ObjectSet) -> Iterator[Block]:
    if objects.source in BOX_SOURCES or field.labels is None:
        return box_blocks(pixel_boxes(objects))
    return label_blocks(field.labels)


def _objects(field: Field) -> ObjectSet:
    if field.objects is None:
        raise PipelineError("the field has no objects yet; run the segment stage first")
    return field.objects


def _counts(table: Table, classes: tuple[str, ...], dropped: int) -> dict[str, int]:
    counts = {
        "objects": len(table),
        "touching_border": int(table.columns["Location_TouchesBorder"].sum()),
        "dropped": dropped,
    }
    if not classes:
        return counts
    predicted = table.columns["Classify_Predicted"]
    return counts | {
        "uncertain": int(table.columns["Classify_Uncertain"].sum()),
        **{f"class:{name}": int((predicted == name).sum()) for name in classes},
    }


STAGE = Stage(
    name="postprocess",
    version=VERSION,
    params=Params,
    run=run,
    reads=("raw", "pixels", "info", "identity", "region", "labels", "objects", "probabilities", "model"),
    writes=("table", "counts"),
)
