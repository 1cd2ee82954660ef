"""Fourth stage: crops cut and scaled as in training, and the model's probabilities for every object."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.crops import cut_crops
from imaging.pixels.info import ArrayReader, ImageInfo
from imaging.pixels.quality import Verdict
from inference.pipeline.stage import PipelineError, Stage, bounded
from inference.pipeline.state import CropModel, Field, refusal

# 1: crops around centroids by the model's plan, from raw pixels or from those it was trained on.
# 2: without a model the field passes on, without probabilities; before, it was refused.
VERSION = 2

SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Params:
    """`crops_at_a_time` bounds memory only: the model's own batches have one fixed shape."""

    crops_at_a_time: int = 4096

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense."""
        bounded("crops_at_a_time", self.crops_at_a_time, (1, 1_000_000))


def run(field: Field, params: Params) -> Field:
    """The field with `probabilities` (objects, classes), float64, rows summing to one; as it was without a model.

    An unfitting model is a refusal (see unfit); probabilities that are not raise PipelineError.
    """
    model = field.context.model
    if model is None:
        return field
    problem = unfit(model, field.info) or _other_preprocessing(model, field)
    if problem is not None or field.objects is None:
        return replace(field, verdict=problem or field.verdict)
    reader, shift = _source(field, model)
    centroids = field.objects.centroids + shift
    plan, step = model.plan_for(field.info), params.crops_at_a_time
    rows = [_predicted(model, field, cut_crops(reader, part, plan)) for part in _slices(centroids, step)]
    return replace(field, probabilities=np.concatenate([np.zeros((0, len(model.classes))), *rows]))


def unfit(model: CropModel, info: ImageInfo) -> Verdict | None:
    """Why the model cannot be used on such an image, as a refusal; None when it can.

    Callers may ask before a run, to say it once instead of for every field.
    """
    if model.channels != info.shape[1]:
        advice = (
            f"the model reads {model.channels} channels and this image has {info.shape[1]} "
            f"({', '.join(info.channel_names)}); choose a model trained on such images"
        )
        return refusal("model_channels", "channels", (float(info.shape[1]), float(model.channels)), advice)
    return None


def _other_preprocessing(model: CropModel, field: Field) -> Verdict | None:
    if model.preprocessing is None:
        return None
    wanted = {key: value for key, value in model.preprocessing.items() if key != "windows_from"}
    found = {key: value for key, value in field.preprocessing.items() if key != "windows_from"}
    if wanted == found:
        return None
    advice = f"the model was trained on fields prepared with {wanted}; this run uses {found}: use the same"
    return refusal("model_preprocessing", "preprocessing", (0.0, 1.0), advice)


def _source(field: Field, model: CropModel) -> tuple[Any, NDArray[np.float64]]:
    """Where crops are cut, and what leads from the field's coordinates to its own.

    Raw crops come from the whole image, so that an object at the edge of a region keeps its surroundings.
    """
    if model.preprocessing is None or field.pixels is None:
        return field.reader, np.array(field.offset, dtype=np.float64)
    return ArrayReader(field.pixels[None], field.info), np.zeros(2)


def _slices(centroids: NDArray[np.float64], step: int) -> list[NDArray[np.float64]]:
    return [centroids[start : start + step] for start in range(0, len(centroids), step)]


def _predicted(model: CropModel, field: Field, crops: NDArray[Any]) -> NDArray[np.float64]:
    probabilities = np.asarray(model.predict(crops, field.windows or ()), dtype=np.float64)
    if probabilities.shape != (len(crops), len(model.classes)):
        raise PipelineError(
            f"the model gave shape {probabilities.shape} for {len(crops)} crops and {len(model.classes)} classes; "
            "its label list does not belong to its weights"
        )
    sums = probabilities.sum(axis=1)
    if not np.isfinite(sums).all() or (probabilities < 0).any() or (abs(sums - 1) > SUM_TOLERANCE).any():
        raise PipelineError("the model gave numbers that are no probabilities; train it again or choose another")
    return probabilities


STAGE = Stage(
    name="predict",
    version=VERSION,
    params=Params,
    run=run,
    reads=("raw", "pixels", "windows", "preprocessing", "identity", "region", "objects", "model"),
    writes=("probabilities", "verdict"),
)
