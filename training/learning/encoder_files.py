"""The files of a pretrained network: found, checked and read without PyTorch, and never unpickled."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.learning.encoder_names import EncoderError, EncoderName
from training.learning.resnet_names import resnet_config

WEIGHTS, CONFIG, PREPROCESSOR = "model.safetensors", "config.json", "preprocessor_config.json"
LARGEST_HEADER = 64 * 2**20
LARGEST_JSON = 2**20
# Architectures whose embedding is well defined: the class token of a transformer, the pooled map of the others.
ARCHITECTURES = {
    "dinov2": "token",
    "dinov2_with_registers": "token",
    "vit": "token",
    "resnet": "pool",
    "convnext": "pool",
    "convnextv2": "pool",
}
DEEPEST, WIDEST, LARGEST_PATCH_PX = 500, 20_000, 64
FORMAT = "bring the weights as a safetensors file (save_pretrained of transformers writes one)"
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class EncoderFiles:
    """A pretrained network on disk: its weights, their shapes by name, its architecture and its preprocessing."""

    weights: Path
    shapes: Shapes
    config: dict[str, Any]
    preprocessor: dict[str, Any]


def find_encoder_files(name: EncoderName, folder: Path) -> EncoderFiles:
    """The checked files of a `file:` or downloaded `hub:` encoder in the folder of encoders.

    A folder holds config.json and model.safetensors. A lone .safetensors file carries its config in its header
    (`config`), in a .json file of the same name beside it, or is a ResNet with the names of torchvision or timm.
    Raises EncoderError for whatever is missing, cut, too large, of another architecture or not safetensors.
    """
    place = folder / (name.folder if name.kind == "hub" else name.place)
    if name.kind == "file" and not place.exists() and place.with_name(f"{place.name}.safetensors").exists():
        place = place.with_name(f"{place.name}.safetensors")
    inside = [place / file for file in (WEIGHTS, CONFIG, PREPROCESSOR)]
    for path in (place, place.with_suffix(".json"), *inside):
        if not path.resolve().is_relative_to(folder.resolve()):
            raise EncoderError(f"{path.name} lies outside the folder 'encoders'; put the file itself there")
    if not place.exists():
        raise EncoderError(
            f"{place.name} is not in the folder 'encoders' of the data folder; put a safetensors file, or a folder "
            f"with {CONFIG} and {WEIGHTS}, there"
        )
    weights = place / WEIGHTS if place.is_dir() else place
    if not weights.is_file():
        raise EncoderError(f"{place.name} holds no {WEIGHTS}; {FORMAT}")
    shapes, metadata = read_header(weights)
    beside = place if place.is_dir() else None
    config = _config_of(weights, beside, metadata, shapes)
    preprocessor = _json_of(beside / PREPROCESSOR) if beside else _parsed(metadata.get("preprocessor", ""), weights)
    return EncoderFiles(weights, shapes, config, preprocessor or config.get("pretrained_cfg") or {})


def read_header(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Shape of every tensor and the free texts of a safetensors file; EncoderError where it is cut or none."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        if start[:2] == b"PK" or start[:1] == b"\x80":
            raise EncoderError(
                f"{path.name} is a pickle named like a safetensors file, and is never opened; {FORMAT}"
            )
        if size < 10 or not 2 <= length <= LARGEST_HEADER or 8 + length > size:
            raise EncoderError(f"{path.name} is cut or not a safetensors file ({size} bytes); copy it again")
        text = stream.read(length)
    try:
        header = json.loads(text)
        metadata = {str(key): str(value) for key, value in (header.pop("__metadata__", None) or {}).items()}
        ends = [int(entry["data_offsets"][1]) for entry in header.values()]
        shapes = {str(key): tuple(int(n) for n in entry["shape"]) for key, entry in header.items()}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise EncoderError(f"{path.name} has no safetensors header; {FORMAT}") from error
    whole = 8 + length + max(ends, default=0)
    if size != whole:
        raise EncoderError(f"{path.name} is cut: {size} of {whole} bytes; copy it again")
    if not shapes:
        raise EncoderError(f"{path.name} holds no weights; {FORMAT}")
    return shapes, metadata


def _config_of(weights: Path, beside: Path | None, metadata: Mapping[str, str], shapes: Shapes) -> dict[str, Any]:
    path = beside / CONFIG if beside else weights.with_suffix(".json")
    config = _json_of(path) or (_parsed(metadata.get("config", ""), weights) if beside is None else {})
    if "model_type" not in config:
        found = resnet_config(shapes)
        if found is None:
            raise EncoderError(
                f"{weights.name} comes without a config that names its architecture (model_type); put the model's "
                f"{CONFIG} beside it, in the form of transformers (such as facebook/dinov2-small)"
            )
        config = found | {"pretrained_cfg": config.get("pretrained_cfg", {})}
    return checked_config(config, weights.name)


def checked_config(config: dict[str, Any], named: str) -> dict[str, Any]:
    """The config, when its architecture is known and its sizes are sane; else EncoderError."""
    kind = config["model_type"]
    if not isinstance(kind, str) or kind not in ARCHITECTURES:
        raise EncoderError(
            f"the config of {named} names the architecture {kind!r}; known are {', '.join(ARCHITECTURES)}"
        )
    if not isinstance(config.get("pretrained_cfg") or {}, dict):
        raise EncoderError(f"the config of {named} has a 'pretrained_cfg' that is no JSON object; copy it again")
    if config.get("quantization_config"):
        raise EncoderError(f"the weights of {named} are quantised; bring them in full precision")
    try:
        depths = [int(n) for n in config.get("depths", [config.get("num_hidden_layers", 1)])]
        widths = [int(n) for n in config.get("hidden_sizes", [config.get("hidden_size", 1)])]
        channels, patch = int(config.get("num_channels", 3)), int(config.get("patch_size", 16))
    except (TypeError, ValueError, OverflowError) as error:
        raise EncoderError(f"the config of {named} has sizes that are no numbers; copy it again") from error
    if not (1 <= sum(depths) <= DEEPEST and all(1 <= n <= WIDEST for n in widths) and min(depths) >= 0):
        raise EncoderError(f"the config of {named} asks for {sum(depths)} layers of {widths} columns; copy it again")
    if not 1 <= patch <= LARGEST_PATCH_PX:
        raise EncoderError(f"the config of {named} cuts patches of {patch} px; copy it again")
    if channels not in (1, 3):
        raise EncoderError(f"the config of {named} reads {channels} channels; networks for 1 or 3 channels are used")
    return config


def count_of(shapes: Shapes) -> int:
    """Number of weights."""
    return sum(math.prod(shape) for shape in shapes.values())


def _json_of(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is no such file."""
    if not path.is_file():
        return {}
    if path.stat().st_size > LARGEST_JSON:
        raise EncoderError(f"{path.name} is larger than a config can be; copy it again")
    return _parsed(path.read_text("utf-8", errors="replace"), path)


def _parsed(text: str, path: Path) -> dict[str, Any]:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EncoderError(f"{path.name} holds no readable JSON config; copy it again") from error
    if not isinstance(found, dict):
        raise EncoderError(f"{path.name} holds no JSON object; copy it again")
    return found
