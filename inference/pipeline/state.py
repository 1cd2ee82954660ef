"""What the pipeline knows of a field: what the caller gives, and what each stage adds."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from audit.chain.canonical import canonical_digest
from imaging.pixels.crops import CropPlan
from imaging.pixels.digest import array_digest
from imaging.pixels.geometry import Box
from imaging.pixels.info import ImageInfo, ImageReader
from imaging.pixels.objects import ObjectSet
from imaging.pixels.quality import Reason, Verdict
from inference.pipeline.stage import PipelineError
from inference.pipeline.tables import Table

Windows = tuple[tuple[float, float], ...]
Predict = Callable[[NDArray[Any], Windows], NDArray[Any]]


class Predictor(Protocol):
    """A loaded model, such as training.learning.predict gives (which needs PyTorch; this folder does not)."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns of a prediction."""
        ...

    @property
    def channels(self) -> int:
        """Number of channels a crop must have."""
        ...

    def predict(self, crops: NDArray[Any], windows: Windows) -> NDArray[Any]:
        """Probabilities (n, classes) of crops (n, channel, s, s)."""
        ...


@dataclass(frozen=True, slots=True)
class FieldIdentity:
    """Which field this is, in the words of the object table; `image_number` orders the rows of a run."""

    experiment: str = ""
    well: str = ""
    site: str = ""
    image_number: int = 1
    name: str = ""
    image_digest: str = ""


@dataclass(frozen=True, slots=True)
class CropModel:
    """A trained model as the pipeline sees it, with the preprocessing that it was trained on.

    `predict(crops, windows)` gives probabilities (n, classes) for crops (n, channel, s, s) in the image's dtype,
    computed in batches of one fixed padded shape. `windows` None: each experiment is scaled by its own.
    `preprocessing` None: trained on raw pixels, else what the preprocess stage recorded for the training fields.
    `field_um`, where known, keeps the physical field of a crop the same on images of another pixel size.
    """

    digest: str
    classes: tuple[str, ...]
    channels: int
    plan: CropPlan
    predict: Predict
    windows: Windows | None = None
    preprocessing: Mapping[str, Any] | None = None
    field_um: float | None = None

    @classmethod
    def of(cls, predictor: "Predictor", digest: str, preprocessing: Mapping[str, Any]) -> "CropModel":
        """The model of a loaded file from what its metadata say under `preprocessing`.

        Keys: size_px and field_px of the crops; where known field_um, windows (the same for all experiments)
        and stage (what the preprocess stage recorded, for a model trained on corrected pixels).
        """
        try:
            plan = CropPlan(int(preprocessing["size_px"]), float(preprocessing["field_px"]))
        except KeyError as error:
            raise PipelineError(f"the model's metadata lack {error}; train it again to record its crops") from None
        windows = preprocessing.get("windows")
        return cls(
            digest=digest,
            classes=tuple(predictor.classes),
            channels=predictor.channels,
            plan=plan,
            predict=predictor.predict,
            windows=None if windows is None else tuple((float(low), float(high)) for low, high in windows),
            preprocessing=preprocessing.get("stage"),
            field_um=preprocessing.get("field_um"),
        )

    def plan_for(self, info: ImageInfo) -> CropPlan:
        """The plan of the training crops, in the pixels of this image."""
        if self.field_um is None or info.pixel_size_um is None:
            return self.plan
        return replace(self.plan, field_px=self.field_um / info.pixel_size_um)

    @property
    def content(self) -> dict[str, Any]:
        """Everything that decides what the model says, without the function itself."""
        return {
            "digest": self.digest,
            "classes": self.classes,
            "channels": self.channels,
            "plan": asdict(self.plan),
            "windows": self.windows,
            "preprocessing": self.preprocessing,
            "field_um": self.field_um,
        }


@dataclass(frozen=True, slots=True)
class FieldContext:
    """What the caller knows besides the pixels.

    `objects`: an ObjectSet or a label image (height, width) in full-resolution pixels of the image; None lets
    the segment stage find them. `verdict`: an experiment-wide judgement that replaces that of the field alone.
    `windows`: display windows of the experiment. `ceiling`: largest value of the camera when known.
    `region`: the part of a slide or large image to run. An object belongs to the region that holds its centroid;
    `halo_px` around it are read too, so that objects at the seam of two regions are whole and counted once.
    """

    identity: FieldIdentity = field(default_factory=FieldIdentity)
    model: CropModel | None = None
    objects: ObjectSet | NDArray[Any] | None = None
    verdict: Verdict | None = None
    windows: Windows | None = None
    region: Box | None = None
    halo_px: int = 64
    ceiling: float | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """The state that goes from stage to stage; coordinates are those of `raw`, `offset` leads to the image.

    core: the part (x0, y0, x1, y1) of `raw` whose objects count, without the halo; None for all of it.
    raw, pixels: (channel, height, width) before and after the preprocess stage; labels (height, width) int32
    with label i + 1 for row i of `objects`; probabilities (objects, classes).
    """

    context: FieldContext
    reader: ImageReader
    info: ImageInfo
    raw: NDArray[Any]
    offset: tuple[int, int] = (0, 0)
    core: tuple[int, int, int, int] | None = None
    verdict: Verdict = field(default_factory=lambda: Verdict("use", ()))
    metrics: Mapping[str, Any] = field(default_factory=dict)
    pixels: NDArray[Any] | None = None
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    windows: Windows | None = None
    labels: NDArray[np.int32] | None = None
    objects: ObjectSet | None = None
    probabilities: NDArray[Any] | None = None
    table: Table | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def parts(self) -> dict[str, Any]:
        """What the caller gave, by the names under which stages declare to read it."""
        context = self.context
        return {
            "identity": context.identity,
            "model": context.model.content if context.model else None,
            "given_objects": context.objects,
            "given_verdict": context.verdict,
            "given_windows": context.windows,
            "region": [context.region, context.halo_px] if context.region else None,
            "ceiling": context.ceiling,
            "info": self.info,
        }


def part_of(state: Field, name: str) -> Any:
    """The part of the state that a stage names among those it reads or writes."""
    given = state.parts
    return given[name] if name in given else getattr(state, name)


def part_digest(value: Any) -> str:
    """SHA-256 (hex) of one part of the state, by its values alone."""
    if isinstance(value, np.ndarray):
        return array_digest(value)
    if isinstance(value, Table):
        return value.digest
    if isinstance(value, ObjectSet):
        outlines = [None if outline is None else array_digest(outline) for outline in value.contours]
        return canonical_digest([array_digest(value.boxes), array_digest(value.centroids), outlines, value.source])
    return canonical_digest(plain(value))


def plain(value: Any) -> Any:
    """The value with dataclasses as mappings and numbers that are not finite as text, ready for JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def refusal(code: str, metric: str, figures: tuple[float, float], advice: str) -> Verdict:
    """A reject verdict with one reason: what was measured, (value, limit), and what to do."""
    value, limit = figures
    return Verdict("reject", (Reason(code, "", metric, value, limit, advice),))
