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

# Numbers (count, sum, sum of squares, sum weighted by place) and texts of everything that a stage writes.
GOLDEN = {
    ("quality", 1): ([41.0, 299.611, 4062.75, 168.599], "b0bb3b5182308e25"),
    ("preprocess", 1): ([124806.0, 1386760.0, 15954300.0, 708185.0], "a2b076ff459ed1da"),
    ("segment", 1): ([63184.0, 43726.5, 443069.0, 27840.3], "a501ed20ac9f0f00"),
    ("predict", 1): ([28.0, 188.345, 1278.35, 98.4776], "a3b142af6e97cfc3"),
    ("postprocess", 1): ([440.0, 4464.44, 57927.7, 2323.52], "cc9313af510faa98"),
}

ADVICE = (
    "the output of stage {name!r} changed while its VERSION stayed {version}. If the change is meant, raise VERSION, "
    "say what changed in the comment above it, and add to GOLDEN: ({name!r}, VERSION): {found}"
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


def summary(written: list) -> tuple[list[float], str]:
    numbers: list = [np.zeros(0)]
    texts: list = []
    flat(written, numbers, texts)
    # The logarithm lets a share count beside an area.
    values = np.arcsinh(1e3 * np.nan_to_num(np.concatenate(numbers), nan=-1.0))
    place = np.arange(1, len(values) + 1) / max(1, len(values))
    figures = [len(values), values.sum(), (values**2).sum(), (values * place).sum()]
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    # Six digits: libraries and processors differ in the last bits, a changed stage differs in the first.
    return [float(f"{figure:.6g}") for figure in figures], digest


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_the_output_of_a_stage_changes_only_with_its_version(stage):
    figures, digest = found = summary(outputs()[stage.name])
    advice = ADVICE.format(name=stage.name, version=stage.version, found=found)
    expected = GOLDEN.get((stage.name, stage.version))
    assert expected is not None, advice
    assert figures == pytest.approx(expected[0], rel=1e-5), advice
    assert digest == expected[1], advice


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_version_of_a_stage_has_its_line_of_history(stage):
    source = inspect.getsource(sys.modules[stage.run.__module__])
    history = re.search(r"((?:^#.*\n)+)VERSION = (\d+)$", source, re.MULTILINE)
    assert history is not None
    assert int(history[2]) == stage.version
    assert all(f"{number}: " in history[1] for number in range(1, stage.version + 1))
