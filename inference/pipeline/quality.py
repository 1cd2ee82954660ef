"""First stage: is the field good enough to be measured? A refusal is a value with reasons, not an error."""

from dataclasses import replace

import numpy as np

from imaging.pixels.quality import QualityRules, judge, measure
from inference.pipeline.stage import Stage
from inference.pipeline.state import Field, refusal

# 1: absolute rules of imaging.pixels.quality; a judgement of the whole experiment replaces them.
VERSION = 1

MIN_SIDE_PX = 8


def run(field: Field, params: QualityRules) -> Field:
    """The field with its `metrics` and `verdict` (use, use_part or reject).

    A field alone is held against absolute limits only; a given judgement is taken as it is. A field of a
    few pixels, or with pixels that are no numbers, is rejected at once.
    """
    side = min(field.raw.shape[1:])
    if side < MIN_SIDE_PX:
        advice = f"leave it out: a field has at least {MIN_SIDE_PX} px on each side"
        return replace(field, verdict=refusal("too_small", "side_px", (float(side), float(MIN_SIDE_PX)), advice))
    broken = int(np.count_nonzero(~np.isfinite(field.raw))) if field.raw.dtype.kind == "f" else 0
    if broken:
        advice = "replace NaN and infinite pixels and export the image again"
        return replace(field, verdict=refusal("not_finite", "pixels", (float(broken), 0.0), advice))
    if field.context.verdict is not None:
        # Whoever judged the experiment measured these pixels already; that is most of this stage's time.
        return replace(field, verdict=field.context.verdict)
    metrics = measure(field.raw, _ceiling(field), field.info.channel_names)
    return replace(field, metrics=metrics, verdict=judge([metrics], params)[0])


def _ceiling(field: Field) -> float | None:
    return field.context.ceiling if field.context.ceiling is not None else field.info.ceiling


STAGE = Stage(
    name="quality",
    version=VERSION,
    params=QualityRules,
    run=run,
    reads=("raw", "info", "ceiling", "given_verdict"),
    writes=("metrics", "verdict"),
)
