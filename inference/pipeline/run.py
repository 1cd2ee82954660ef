"""The pipeline: its stages in order, and the run of all of them over one field with a record of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.chain.canonical import canonical_digest
from imaging.pixels.errors import ImageError
from imaging.pixels.geometry import Box
from imaging.pixels.info import MAX_REGION_PIXELS, READ_DTYPES, ArrayReader, ImageInfo, ImageReader
from imaging.pixels.quality import Verdict
from inference.pipeline import postprocess, predict, preprocess, quality, segment
from inference.pipeline.aggregate import FieldCounts
from inference.pipeline.stage import ParamsError, Stage, nearest, params_digest, params_mapping
from inference.pipeline.state import Field, FieldContext, FieldIdentity, part_digest, part_of, plain, refusal
from inference.pipeline.tables import Table

STAGES: tuple[Stage[Field, Any], ...] = (
    quality.STAGE,
    preprocess.STAGE,
    segment.STAGE,
    predict.STAGE,
    postprocess.STAGE,
)
# What stops a field before the first stage: there are no pixels to record anything of.
READING = "reading"


@dataclass(frozen=True, slots=True)
class StageRecord:
    """What one stage did to one field. `seconds` is no part of `content`, so that a replay compares equal."""

    name: str
    version: int
    params: Mapping[str, Any]
    params_digest: str
    input_digest: str
    output_digest: str
    outputs: Mapping[str, str]
    seconds: float = 0.0

    @property
    def content(self) -> dict[str, Any]:
        """Everything but the time it took."""
        return {
            "name": self.name,
            "version": self.version,
            "params_digest": self.params_digest,
            "input_digest": self.input_digest,
            "output_digest": self.output_digest,
        }


@dataclass(frozen=True, slots=True)
class FieldResult:
    """What came out for one field. `stopped_at` names the stage that refused it ("" when none did).

    A refused field has no table. The first pixel of `labels` lies at `origin` (x, y) of the image.
    """

    identity: FieldIdentity
    verdict: Verdict
    stopped_at: str
    records: tuple[StageRecord, ...]
    metrics: Mapping[str, Any]
    counts: Mapping[str, int]
    table: Table | None = None
    labels: NDArray[np.int32] | None = None
    origin: tuple[int, int] = (0, 0)

    @property
    def refused(self) -> bool:
        """Whether some stage refused the field."""
        return bool(self.stopped_at)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of identity, verdict and every stage's digests; equal for an exact replay."""
        stages = [record.content for record in self.records]
        return canonical_digest(plain([self.identity, self.verdict, self.stopped_at, stages]))

    @property
    def field_counts(self) -> FieldCounts:
        """The same result in the words of aggregate: the sample is the well."""
        classes = {name[6:]: number for name, number in self.counts.items() if name.startswith("class:")}
        # Without a model objects have no class, and still count.
        classes = classes or {"": self.counts.get("objects", 0)}
        uncertain = self.counts.get("uncertain", 0)
        return FieldCounts(self.identity.well, self.identity.site, self.refused, classes, uncertain)


@dataclass(frozen=True, slots=True)
class PipelineParams:
    """Parameters of every stage, in the order of STAGES."""

    stages: tuple[Any, ...]

    @property
    def content(self) -> list[dict[str, Any]]:
        """Stages with versions and all parameters, ready to be stored as JSON."""
        return [
            {"name": stage.name, "version": stage.version, "params": params_mapping(params)}
            for stage, params in zip(STAGES, self.stages, strict=True)
        ]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) that identifies the pipeline: the same as RunRecord.pipeline_digest."""
        return canonical_digest(self.content)


def pipeline_params(mapping: Mapping[str, Mapping[str, object]] | None = None) -> PipelineParams:
    """Parameters from {stage name: {parameter: value}}, defaults filled in; ParamsError names what is unknown."""
    given = mapping or {}
    names = [stage.name for stage in STAGES]
    for name in given:
        if name not in names:
            raise ParamsError(f"the stage {name!r} is not known; {nearest(name, names)}")
    return PipelineParams(tuple(stage.parse(given.get(stage.name, {})) for stage in STAGES))


def run_field(
    context: FieldContext,
    source: ImageReader | NDArray[Any],
    params: PipelineParams,
    clock: Callable[[], float] = float,
) -> FieldResult:
    """The result of all stages over one field: an open image, or an array (channel, height, width).

    A field that cannot be read, measured or predicted is a result with a reject verdict and reasons; only a
    caller's mistake raises PipelineError. `clock` counts seconds (time.perf_counter); without it all are 0.
    """
    try:
        field = open_field(context, source)
    except ImageError as error:
        verdict = refusal("unreadable", "image", (0.0, 1.0), str(error))
        return FieldResult(context.identity, verdict, READING, (), {}, {})
    records: list[StageRecord] = []
    digests: dict[str, str] = {}
    for stage, chosen in zip(STAGES, params.stages, strict=True):
        field, record = _run_stage(stage, chosen, field, (digests, clock))
        records.append(record)
        if field.verdict.verdict == "reject":
            return _result(field, stage.name, records)
    return _result(field, "", records)


def open_field(context: FieldContext, source: ImageReader | NDArray[Any]) -> Field:
    """The state of a field before the first stage; ImageError where there are no pixels to run on."""
    reader = array_reader(source) if isinstance(source, np.ndarray) else source
    if context.region is None:
        return Field(context, reader, reader.info, _whole(reader))
    region = context.region.clipped(reader.info.width, reader.info.height)
    if not region.is_proper:
        raise ImageError("region", "it lies outside the image", "Give a box inside the image, in pixels")
    x0, y0, x1, y1 = region.rounded()
    halo = context.halo_px
    read = Box(x0 - halo, y0 - halo, x1 + halo, y1 + halo).clipped(reader.info.width, reader.info.height)
    left, top, _, _ = read.rounded()
    core = (x0 - left, y0 - top, x1 - left, y1 - top)
    return Field(context, reader, reader.info, reader.region(read), offset=(left, top), core=core)


def array_reader(pixels: NDArray[Any]) -> ArrayReader:
    """A reader over (channel, height, width) or (height, width); ImageError for types that no image has."""
    stack = pixels[None] if pixels.ndim == 2 else pixels
    if stack.ndim != 3 or 0 in stack.shape:
        raise ImageError("array", f"its shape is {pixels.shape}", "Give (channel, height, width), none of them 0")
    stack = stack.astype(np.float32) if stack.dtype == np.float64 else stack
    if stack.dtype.name not in READ_DTYPES:
        raise ImageError("array", f"it is {pixels.dtype}", f"Convert it to {', '.join(READ_DTYPES)}")
    names = tuple(f"channel {number + 1}" for number in range(len(stack)))
    return ArrayReader(stack[None], ImageInfo((1, *stack.shape), "CYX", stack.dtype.name, names))


def _whole(reader: ImageReader) -> NDArray[Any]:
    info = reader.info
    if info.is_slide:
        raise ImageError("slide", "it is too large to run as one field", "Run it region by region")
    if info.width * info.height > MAX_REGION_PIXELS:
        raise ImageError("image", f"{info.width} x {info.height} px is too large", "Run it region by region")
    return reader.field()


def _run_stage(
    stage: Stage[Field, Any], params: Any, field: Field, tools: tuple[dict[str, str], Callable[[], float]]
) -> tuple[Field, StageRecord]:
    digests, clock = tools
    before = {name: _digest(name, field, digests) for name in stage.reads}
    started = clock()
    field = stage.run(field, params)
    seconds = clock() - started
    for name in stage.writes:
        digests.pop(name, None)
    outputs = {name: _digest(name, field, digests) for name in stage.writes}
    record = StageRecord(
        name=stage.name,
        version=stage.version,
        params=params_mapping(params),
        params_digest=params_digest(params),
        input_digest=canonical_digest(before),
        output_digest=canonical_digest(outputs),
        outputs=outputs,
        seconds=seconds,
    )
    return field, record


def _digest(name: str, field: Field, known: dict[str, str]) -> str:
    # Hashing the pixels once is enough: only what a stage writes can change.
    if name not in known:
        known[name] = part_digest(part_of(field, name))
    return known[name]


def _result(field: Field, stopped_at: str, records: list[StageRecord]) -> FieldResult:
    return FieldResult(
        identity=field.context.identity,
        verdict=field.verdict,
        stopped_at=stopped_at,
        records=tuple(records),
        metrics=field.metrics,
        counts=field.counts,
        table=None if stopped_at else field.table,
        labels=field.labels,
        origin=field.offset,
    )
