"""Golden outputs by stage and version: an output that changes without a new version fails here."""

import hashlib
import inspect
import re
import sys

import numpy as np
import pytest

from imaging.pixels.crops import CropPlan
from imaging.pixels.info import ArrayReader, ImageInfo
from imaging.pixels.normalise import scale_crops
from inference.pipeline.run import STAGES, open_field, pipeline_params
from inference.pipeline.state import CropModel, FieldContext, FieldIdentity, part_of
from inference.pipeline.tables import Table

# Digest of everything that a stage writes for the fixed field below, at its default parameters.
GOLDEN = {
    ("quality", 1): "880515f5f4e067f7",
    ("preprocess", 1): "c0cf6f98b7047d7a",
    ("segment", 1): "d4ec02d3681a4578",
    ("predict", 2): "692b21ced31fc83c",
    ("postprocess", 2): "b016623f63fc407f",
}

ADVICE = (
    "the output of stage {name!r} changed while its VERSION stayed {version}. If the change is meant, raise VERSION, "
    "say what changed in the comment above it, and add to GOLDEN: ({name!r}, VERSION): {found!r}"
)


def brightness(crops, windows):
    mean = scale_crops(crops, windows).mean(axis=(1, 2, 3), dtype=np.float64)
    return np.stack([mean, 1 - mean], axis=1)


def fixed_field() -> ArrayReader:
    """Discs of different brightness under uneven light, by whole-number arithmetic alone."""
    y, x = np.mgrid[:240, :260]
    field = np.full((2, 240, 260), 400, dtype=np.int64) + np.stack([x + y // 2, 2 * y])
    for number in range(16):
        cx, cy, radius = 30 + 57 * (number % 4) + 3 * number, 25 + 55 * (number // 4), 7 + number % 5
        field += ((x - cx) ** 2 + (y - cy) ** 2 <= radius**2) * (600 + 90 * number)
    noise = (x * 7919 + y * 104729 + x * y * 31) % 41
    pixels = (field + noise).astype(np.uint16)
    info = ImageInfo((1, 2, 240, 260), "CYX", "uint16", ("DNA", "Actin"), pixel_size_um=0.65)
    return ArrayReader(pixels[None], info)


def outputs():
    """Parameters at their defaults, and after each stage everything that it wrote."""
    model = CropModel("golden", ("bright", "dark"), 2, CropPlan(24, 32.0), brightness)
    identity = FieldIdentity("golden", "A01", "s1", 3, "A01_s1.tif", "0" * 64)
    field = open_field(FieldContext(identity, model), fixed_field())
    written = {}
    for stage, params in zip(STAGES, pipeline_params().stages, strict=True):
        field = stage.run(field, params)
        written[stage.name] = [part_of(field, name) for name in stage.writes]
    return written


def flat(value, numbers: list, texts: list) -> None:
    """Collects all numbers and all texts of a value in a fixed order."""
    if isinstance(value, Table):
        value = dict(value.columns)
    if isinstance(value, np.ndarray) and value.dtype.kind != "U":
        numbers.append(value.astype(np.float64).ravel())
    elif isinstance(value, (bool, int, float)):
        numbers.append(np.array([float(value)]))
    elif isinstance(value, dict):
        texts.extend(value)
        for name in value:
            flat(value[name], numbers, texts)
    elif isinstance(value, (list, tuple, np.ndarray)):
        for item in value:
            flat(item, numbers, texts)
    elif hasattr(value, "__dataclass_fields__"):
        for name in value.__dataclass_fields__:
            flat(getattr(value, name), numbers, texts)
    else:
        texts.append(str(value))


def golden_digest(written: list) -> str:
    """Digest of texts and of numbers at five digits: machines differ in the last bits, stages in the first."""
    numbers: list = [np.zeros(0)]
    texts: list = []
    flat(written, numbers, texts)
    values = np.concatenate(numbers)
    values[np.abs(values) < 1e-9] = 0.0
    return hashlib.sha256("\n".join([*texts, *(f"{value:.4e}" for value in values.tolist())]).encode()).hexdigest()[
        :16
    ]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_the_output_of_a_stage_changes_only_with_its_version(stage):
    found = golden_digest(outputs()[stage.name])
    advice = ADVICE.format(name=stage.name, version=stage.version, found=found)
    assert GOLDEN.get((stage.name, stage.version)) == found, advice


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_version_of_a_stage_has_its_line_of_history(stage):
    source = inspect.getsource(sys.modules[stage.run.__module__])
    history = re.search(r"((?:^#.*\n)+)VERSION = (\d+)$", source, re.MULTILINE)
    assert history is not None
    assert int(history[2]) == stage.version
    assert all(f"{number}: " in history[1] for number in range(1, stage.version + 1))
