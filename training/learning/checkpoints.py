"""Model versions as files: safetensors with everything that inference needs to know in the header; nothing
is unpickled."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from imaging.pixels.digest import file_digest
from training.learning.network import Network
from training.learning.predict import HandcraftedPredictor, NetworkPredictor

FORMAT = "parfocal-model"
FORMAT_VERSION = 1
HEADER_KEY = "parfocal"
KINDS = ("network", "handcrafted")
Model = NetworkPredictor | HandcraftedPredictor
Arrays = dict[str, NDArray[Any]]


class CheckpointError(ValueError):
    """A model file that cannot be used; the message names the file, the rule and the way out."""


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to predict, what its file says about it, and the digest of the file."""

    predictor: Model
    meta: dict[str, Any]
    digest: str


def save_model(path: Path, model: Model, meta: Mapping[str, Any]) -> str:
    """Digest (hex SHA-256) of the model file, written whole or not at all; the same model gives the same
    bytes.

    `meta` is anything JSON (recipe, preprocessing, snapshot, figures); kind, classes, channels, temperature
    and the
    format version are added. Raises ValueError for weights that are not finite.
    """
    arrays = _arrays(model)
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise ValueError(f"the model holds NaN or infinite weights in {', '.join(broken)}; train it again")
    header = {**meta, **_description(model)}
    text = json.dumps(header, sort_keys=True, allow_nan=False, separators=(",", ":"))
    content = save_arrays(arrays, metadata={HEADER_KEY: text})
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    with partial.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
    return file_digest(path)


def load_model(path: Path, device: str = "cpu") -> LoadedModel:
    """The model in a file that `save_model` wrote, on a device.

    Raises CheckpointError for any other format (pickles are refused unread), a truncated file, a newer format
    version, and weights that do not fit what the header says.
    """
    _refuse_other_formats(path)
    try:
        meta = _header(path)
        arrays: Arrays = load_arrays(path.read_bytes())
    except SafetensorError as error:
        raise CheckpointError(
            f"{path.name} is truncated or not a safetensors file ({error}); copy it again"
        ) from None
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise CheckpointError(f"{path.name} holds NaN or infinite weights in {', '.join(broken)}; train it again")
    build = _network if meta["kind"] == "network" else _handcrafted
    try:
        predictor = build(meta, arrays, device)
    except (KeyError, TypeError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path.name}: the weights do not fit its header: {_first_lines(error)}") from None
    return LoadedModel(predictor, meta, file_digest(path))


def model_digest(path: Path) -> str:
    """Hex SHA-256 of a model file: the identity of a model version."""
    return file_digest(path)


def read_meta(path: Path) -> dict[str, Any]:
    """What a model file says about itself, without reading its weights; CheckpointError as in
    `load_model`."""
    _refuse_other_formats(path)
    try:
        return _header(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path.name} is truncated or not a safetensors file ({error})") from None


def _arrays(model: Model) -> Arrays:
    if isinstance(model, HandcraftedPredictor):
        named = {"weights": model.weights, "mean": model.mean, "scale": model.scale}
        return {name: np.ascontiguousarray(array, dtype=np.float64) for name, array in named.items()}
    state = model.network.state_dict()
    return {name: np.array(tensor.cpu().numpy(), order="C") for name, tensor in state.items()}


def _description(model: Model) -> dict[str, Any]:
    shared = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": model.kind,
        "classes": list(model.classes),
        "channels": model.channels,
        "temperature": float(model.temperature),
    }
    if isinstance(model, HandcraftedPredictor):
        return {**shared, "encoder": "handcrafted", "encoder_digest": model.encoder_digest}
    return {**shared, "width": model.network.width, "crop_px": model.network.crop_px}


def _refuse_other_formats(path: Path) -> None:
    with path.open("rb") as stream:
        start = stream.read(9)
    if start[:1] == b"\x80" or start[:2] == b"PK":
        raise CheckpointError(
            f"{path.name} is a pickle or a PyTorch archive, which can run code when opened; "
            "only safetensors files written by this application are loaded"
        )
    if len(start) < 9 or start[8:9] != b"{":
        raise CheckpointError(f"{path.name} is truncated or not a safetensors file; copy it again")


def _header(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="np") as handle:
        text = (handle.metadata() or {}).get(HEADER_KEY)
    try:
        meta = json.loads(text or "null")
    except json.JSONDecodeError:
        meta = None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT:
        raise CheckpointError(f"{path.name} holds weights but was not written by this application")
    if meta.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path.name} has format version {meta.get('format_version')}, this application reads "
            f"{FORMAT_VERSION}; update the application"
        )
    if meta.get("kind") not in KINDS:
        raise CheckpointError(f"{path.name} is of the unknown kind {meta.get('kind')!r}; known: {', '.join(KINDS)}")
    return meta


def _network(meta: dict[str, Any], arrays: Arrays, device: str) -> NetworkPredictor:
    classes = tuple(map(str, meta["classes"]))
    # The shapes are compared before a layer is made: a header must not decide how much memory is taken.
    _expect(arrays, "head.weight", (len(classes), 8 * meta["width"]))
    _expect(arrays, "mean", (meta["channels"],))
    if not 16 <= meta["crop_px"] <= 1024:
        raise ValueError(f"crop_px {meta['crop_px']} is out of range")
    network = Network(meta["channels"], len(classes), meta["width"], meta["crop_px"])
    network.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in arrays.items()})
    return NetworkPredictor(network.to(device).eval(), classes, _temperature(meta))


def _handcrafted(meta: dict[str, Any], arrays: Arrays, device: str) -> HandcraftedPredictor:
    classes = tuple(map(str, meta["classes"]))
    d = len(arrays["mean"])
    _expect(arrays, "weights", (d + 1, len(classes)))
    _expect(arrays, "scale", (d,))
    digest = str(meta["encoder_digest"])
    shape = (arrays["weights"], arrays["mean"], arrays["scale"])
    return HandcraftedPredictor(*shape, classes, int(meta["channels"]), _temperature(meta), digest)


def _expect(arrays: Arrays, name: str, shape: tuple[int, ...]) -> None:
    if arrays[name].shape != shape:
        raise ValueError(f"{name} has shape {arrays[name].shape}, the header asks for {shape}")


def _temperature(meta: dict[str, Any]) -> float:
    temperature = float(meta["temperature"])
    if not 0 < temperature < 1000:
        raise ValueError(f"temperature {temperature} is out of range")
    return temperature


def _first_lines(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
