"""ResNets with the tensor names of torchvision and timm, told by their shapes and renamed for transformers."""

import re
from collections.abc import Mapping
from typing import Any

BLOCK = re.compile(r"layer(\d)\.(\d+)\.(conv|bn)(\d)\.(.+)")
SHORTCUT = re.compile(r"layer(\d)\.(\d+)\.downsample\.([01])\.(.+)")
STEM = {"conv1.": "embedder.embedder.convolution.", "bn1.": "embedder.embedder.normalization."}
PART = {"conv": "convolution", "bn": "normalization", "0": "convolution", "1": "normalization"}


def resnet_config(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any] | None:
    """The config that these shapes by tensor name follow; None where they are no plain ResNet's.

    Both forms are known: two 3 x 3 convolutions per block (18, 34 layers) and three with a bottleneck (50 and more).
    """
    stem = shapes.get("conv1.weight", ())
    blocks = {(int(m[1]), int(m[2])) for m in map(BLOCK.fullmatch, shapes) if m}
    if len(stem) != 4 or stem[2:] != (7, 7) or {stage for stage, _ in blocks} != {1, 2, 3, 4}:
        return None
    is_bottleneck = "layer1.0.conv3.weight" in shapes
    last = "conv3" if is_bottleneck else "conv2"
    ends = [shapes.get(f"layer{stage}.0.{last}.weight", ()) for stage in (1, 2, 3, 4)]
    if not all(ends):
        return None
    return {
        "model_type": "resnet",
        "num_channels": stem[1],
        "embedding_size": stem[0],
        "hidden_sizes": [shape[0] for shape in ends],
        "depths": [sum(stage == number for stage, _ in blocks) for number in (1, 2, 3, 4)],
        "layer_type": "bottleneck" if is_bottleneck else "basic",
    }


def transformers_name(name: str) -> str:
    """The name of a tensor in transformers; names that are none of torchvision's stay as they are."""
    for old, new in STEM.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    if found := BLOCK.fullmatch(name):
        stage, block, kind, number, rest = found.groups()
        return f"{_block(stage, block)}.layer.{int(number) - 1}.{PART[kind]}.{rest}"
    if found := SHORTCUT.fullmatch(name):
        stage, block, kind, rest = found.groups()
        return f"{_block(stage, block)}.shortcut.{PART[kind]}.{rest}"
    return name


def _block(stage: str, block: str) -> str:
    return f"encoder.stages.{int(stage) - 1}.layers.{block}"
