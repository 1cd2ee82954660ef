"""Fields and objects per CPU second through the five stages, and where the time goes."""

import time
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.fields import nuclei_crops, nuclei_field
from benchmarks.rows import Row
from imaging.pixels.crops import CropPlan
from imaging.pixels.quality import Verdict
from inference.pipeline.run import pipeline_params, run_field
from inference.pipeline.state import CropModel, FieldContext, FieldIdentity
from training.learning.handcrafted import HandcraftedEncoder
from training.learning.head import fit_head
from training.learning.predict import HandcraftedPredictor

FIELDS = 6
CHANNELS, CROP_PX = 2, 64
CLASSES = ("dim", "bright")
WINDOWS = ((150.0, 2500.0),) * CHANNELS


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds in all and by stage, and the objects that were found."""

    total: float
    stages: dict[str, float]
    objects: int


def measure() -> list[Row]:
    """Rates over fields of 1080 x 1080 x 2 with 200 nuclei, judged when they were taken in (as in every run of the
    site) or by the first stage; and each stage's share of the CPU time in the second case."""
    context = FieldContext(FieldIdentity(name="computed"), make_model(), windows=WINDOWS, ceiling=4095.0)
    judged, whole = _run(replace(context, verdict=Verdict("use"))), _run(context)
    shares = whole.stages | {"provenance_digests": whole.total - sum(whole.stages.values())}
    return [
        Row("fields", FIELDS / judged.total, "fields per CPU-s", ">= 3"),
        Row("objects", judged.objects / judged.total, "objects per CPU-s", ">= 600"),
        Row("fields_not_judged_before", FIELDS / whole.total, "fields per CPU-s", ">= 2"),
        *(Row(f"share_{name}", seconds / whole.total, "of CPU time") for name, seconds in shares.items()),
    ]


def _run(context: FieldContext) -> Spent:
    params = pipeline_params()
    run_field(context, nuclei_field(99), params)
    stages: dict[str, float] = defaultdict(float)
    objects, total = 0, 0.0
    for seed in range(FIELDS):
        field = nuclei_field(seed)
        started = time.process_time()
        result = run_field(context, field, params, clock=time.process_time)
        total += time.process_time() - started
        objects += result.counts["objects"]
        for record in result.records:
            stages[record.name] += record.seconds
    return Spent(total, stages, objects)


def make_model() -> CropModel:
    """A logistic head on handcrafted features, fitted to tell dim crops from bright ones."""
    crops = nuclei_crops(1, 200, CHANNELS, CROP_PX)
    bright = crops.mean(axis=(1, 2, 3)) > np.median(crops.mean(axis=(1, 2, 3)))
    rows = HandcraftedEncoder(CHANNELS).encode(crops, WINDOWS)
    predictor = HandcraftedPredictor.from_head(fit_head(rows, np.eye(2)[bright.astype(int)]), CLASSES, CHANNELS)
    return CropModel("0" * 64, CLASSES, CHANNELS, CropPlan(CROP_PX, float(CROP_PX)), predictor.predict, WINDOWS)
