"""Encoders from pretrained networks: frozen weights from a safetensors file, any number of channels."""

import re
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from imaging.pixels.digest import file_digest, mapping_digest
from imaging.pixels.normalise import NORMALISE_VERSION, scale_crops
from training.learning.bag_of_channels import Columns, encode_bag, equal_blocks
from training.learning.batching import FloatArray, Windows, check_crops, encode_in_batches
from training.learning.encoder_files import ARCHITECTURES, EncoderFiles, count_of
from training.learning.encoder_names import EncoderError
from training.learning.resnet_names import transformers_name
from training.learning.torch_setup import deterministic

# Raised when anything below changes what a network is shown or how it is read.
VERSION = 1
CONVOLUTION_PX = 64
TRANSFORMER_PX = 96
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Tensors that take part in an embedding, with or without the name of the model in front.
INSIDE = re.compile(r"(\w+\.)?(encoder|embedder|layers?\d*|blocks|stages|patch_embed|embeddings(?!\.mask_token))\.")
# What the library raises for a config of impossible sizes.
MAKES_NONE = (
    ValueError, TypeError, RuntimeError, KeyError, AttributeError, ArithmeticError, StrictDataclassError,
)  # fmt: skip
CLASSES = {
    "dinov2": ("Dinov2Config", "Dinov2Model"),
    "dinov2_with_registers": ("Dinov2WithRegistersConfig", "Dinov2WithRegistersModel"),
    "vit": ("ViTConfig", "ViTModel"),
    "resnet": ("ResNetConfig", "ResNetModel"),
    "convnext": ("ConvNextConfig", "ConvNextModel"),
    "convnextv2": ("ConvNextV2Config", "ConvNextV2Model"),
}


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """How a network is run: `precision` "fp32" or "bf16", crops per block, the device, and whether the three channels
    of a crop are red, green and blue, which are then read together."""

    precision: str = "fp32"
    batch: int = 64
    device: str = "cpu"
    is_rgb: bool = False


class PretrainedEncoder:
    """A frozen pretrained network over any number of channels; the caller sets the number of threads.

    Raises EncoderError where weights and architecture do not fit each other or weights are not finite.
    """

    def __init__(self, name: str, files: EncoderFiles, channels: int, plan: NetworkPlan | None = None) -> None:
        if channels < 1:
            raise ValueError(f"{channels} channels; an encoder needs at least one")
        self.name, self.channels, self.plan = name, channels, plan or NetworkPlan()
        self._files = files
        self._inputs = int(files.config.get("num_channels", 3))
        self.reads_colour = self.plan.is_rgb and channels == 3 == self._inputs
        self.input_px = input_px(files.config)
        self._network = _prepared(load_network(files), self.plan)
        self._mean, self._std = (_per_channel(files.preprocessor, self._inputs, kind) for kind in ("mean", "std"))
        self._width = self._measured_width()

    @property
    def dimension(self) -> int:
        """Number of columns of an embedding."""
        return self._width if self.reads_colour else self._width * self.channels

    @property
    def channel_columns(self) -> Columns | None:
        """Columns of each channel; None where the network reads colours together."""
        return None if self.reads_colour else equal_blocks(self.channels, self.dimension)

    @cached_property
    def digest(self) -> str:
        """Hex digest of the weights' bytes, the architecture, the preprocessing and the shape of a block."""
        return mapping_digest(
            {
                "encoder": "pretrained",
                "version": [VERSION, NORMALISE_VERSION],
                "weights": file_digest(self._files.weights),
                "config": mapping_digest(self._files.config),
                "mean": self._mean.flatten().tolist(),
                "std": self._std.flatten().tolist(),
                "input_px": self.input_px,
                "batch": self.plan.batch,
                "precision": self.plan.precision,
                "channels": self.channels,
                "reads_colour": self.reads_colour,
            }
        )

    def encode(self, crops: NDArray[np.generic], windows: Windows) -> FloatArray:
        """Embeddings (n, dimension), float32, of crops (n, channel, height, width) under display windows.

        Crops of another size are resampled to `input_px`. Raises ValueError for NaN or infinite pixels, a wrong
        number of channels or a window without width.
        """
        check_crops(crops, self.channels, windows)
        with deterministic(self.plan.device), torch.inference_mode():
            if not self.reads_colour:
                return encode_bag(self._encode_block, crops, windows, (self.plan.batch, self._width))

            def encode(block: NDArray[np.generic]) -> FloatArray:
                return self._encode_block(scale_crops(block, windows))

            return encode_in_batches(encode, crops, self.plan.batch, self._width)

    def _encode_block(self, scaled: NDArray[np.generic]) -> FloatArray:
        """Embeddings (batch, width) of one block (batch, 1 or 3, height, width) in [0, 1]."""
        x = torch.from_numpy(np.ascontiguousarray(scaled, dtype=np.float32)).to(self.plan.device)
        if x.shape[2:] != (self.input_px, self.input_px):
            x = functional.interpolate(x, size=(self.input_px, self.input_px), mode="bilinear", antialias=True)
        # One channel becomes as many equal ones as the network reads.
        x = ((x - self._mean) / self._std).to(dtype=_dtype(self.plan), memory_format=torch.channels_last)
        return np.asarray(self.read(x).float().cpu().numpy(), dtype=np.float32)

    def read(self, x: Tensor) -> Tensor:
        """Embeddings (n, width) of normalised pictures (n, 1 or 3, input_px, input_px) on the device."""
        more = {"interpolate_pos_encoding": True} if self._files.config["model_type"] == "vit" else {}
        out = self._network(pixel_values=x, **more)
        is_token = ARCHITECTURES[self._files.config["model_type"]] == "token"
        found: Tensor = out.last_hidden_state[:, 0] if is_token else out.pooler_output.flatten(1)
        return found

    @torch.inference_mode()
    def _measured_width(self) -> int:
        self._mean, self._std = self._mean.to(self.plan.device), self._std.to(self.plan.device)
        shown = torch.zeros(1, self._inputs, self.input_px, self.input_px, device=self.plan.device)
        return int(self.read(shown.to(_dtype(self.plan))).shape[1])


def input_px(config: dict[str, Any]) -> int:
    """Side in pixels at which a network sees crops: 64 for convolutions, about 96 in whole patches for transformers.

    Crops have 64 px as a rule; transformers need some patches to tell shapes.
    """
    if ARCHITECTURES[config["model_type"]] == "pool":
        return CONVOLUTION_PX
    patch = int(config.get("patch_size", 16))
    return max(round(TRANSFORMER_PX / patch), 1) * patch


def load_network(files: EncoderFiles) -> nn.Module:
    """The network with the file's weights, fp32, frozen; EncoderError where they do not fit the architecture.

    Only classes named in this file are made: a config cannot bring code of its own.
    """
    named = files.weights.name
    config_class, model_class = (getattr(transformers, name) for name in CLASSES[files.config["model_type"]])
    try:
        config = config_class(**_of_architecture(config_class, files.config))
        with torch.device("meta"):
            needed = sum(weight.numel() for weight in _bare(model_class, config).parameters())
        if needed > count_of(files.shapes):
            raise EncoderError(
                f"{named} holds {count_of(files.shapes)} weights, its config needs {needed}; bring the config that "
                "belongs to these weights"
            )
        weights = {transformers_name(key): value for key, value in load_file(files.weights).items()}
        network, report = _filled(model_class, config, weights)
    except EncoderError:
        raise
    except (SafetensorError, OSError) as error:
        raise EncoderError(f"{named} cannot be read: {error}; copy it again") from error
    except MAKES_NONE as error:
        raise EncoderError(f"the config of {named} makes no network: {_short(error)}; copy it again") from error
    _check_fit(named, report)
    if not all(bool(torch.isfinite(value).all()) for value in network.state_dict().values()):
        raise EncoderError(f"{named} holds weights that are not finite; bring a whole file")
    return network.eval().requires_grad_(False)


def _of_architecture(config_class: Any, config: dict[str, Any]) -> dict[str, Any]:
    """The sizes and switches of the architecture itself.

    The rest of a config is left aside: it can name attention code to be fetched from the hub and run, or a million
    labels to be listed in memory, and changes no embedding.
    """
    general = {entry.name for entry in fields(transformers.PretrainedConfig)}
    own = {entry.name for entry in fields(config_class)} - general
    return {key: value for key, value in config.items() if key in own}


def _more(model_class: Any) -> dict[str, Any]:
    """Plain ViTs have a layer on top that checkpoints lack and the class token does not need."""
    return {"add_pooling_layer": False} if model_class.__name__ == "ViTModel" else {}


def _bare(model_class: Any, config: Any) -> nn.Module:
    network: nn.Module = model_class(config, **_more(model_class))
    return network


def _filled(model_class: Any, config: Any, weights: dict[str, Tensor]) -> tuple[nn.Module, dict[str, Any]]:
    """The network with these weights, and what did not fit; the library translates names of its older versions."""
    chatter = transformers.utils.logging
    was_verbose, was_showing = chatter.get_verbosity(), chatter.is_progress_bar_enabled()
    chatter.set_verbosity_error()  # type: ignore[no-untyped-call]
    chatter.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        network, report = model_class.from_pretrained(
            None,
            config=config,
            state_dict=weights,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            trust_remote_code=False,
            use_safetensors=True,
            **_more(model_class),
        )
    finally:
        chatter.set_verbosity(was_verbose)
        if was_showing:
            chatter.enable_progress_bar()  # type: ignore[no-untyped-call]
    return network, report


def _check_fit(named: str, report: dict[str, Any]) -> None:
    """EncoderError where a tensor is missing or has another shape, so that it would be random, or is left over.

    Heads for classes and tokens for masking are left over as a rule.
    """
    if report["mismatched_keys"]:
        key, found, wanted = min(report["mismatched_keys"], key=lambda entry: str(entry[0]))
        raise EncoderError(
            f"{named} has '{key}' of shape {tuple(found)}, its config needs {tuple(wanted)}; bring the config that "
            "belongs to these weights"
        )
    beyond = sorted(key for key in map(str, report["unexpected_keys"]) if INSIDE.match(key))
    if beyond:
        raise EncoderError(
            f"{named} has {len(beyond)} tensors that its config does not know, such as '{beyond[0]}'; bring the "
            "config that belongs to these weights"
        )
    if report["missing_keys"]:
        raise EncoderError(
            f"{named} lacks {len(report['missing_keys'])} tensors that its config needs, such as "
            f"'{min(report['missing_keys'])}'; bring the config that belongs to these weights"
        )


def _prepared(network: nn.Module, plan: NetworkPlan) -> nn.Module:
    """The network ready to run: normalisation folded into the convolutions before it, precision and memory layout."""
    for module in network.modules():
        convolution, normalization = (getattr(module, kind, None) for kind in ("convolution", "normalization"))
        if isinstance(convolution, nn.Conv2d) and isinstance(normalization, nn.BatchNorm2d):
            module.convolution = fuse_conv_bn_eval(convolution, normalization)
            module.normalization = nn.Identity()
    # The stubs of PyTorch know the layout for tensors only.
    return network.to(plan.device, _dtype(plan)).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _dtype(plan: NetworkPlan) -> torch.dtype:
    return torch.bfloat16 if plan.precision == "bf16" else torch.float32


def _per_channel(preprocessor: dict[str, Any], inputs: int, kind: str) -> Tensor:
    """Mean or standard deviation (1, inputs, 1, 1) that normalises pictures in [0, 1]; ImageNet's by default."""
    default = IMAGENET_MEAN if kind == "mean" else IMAGENET_STD
    if preprocessor.get("do_normalize") is False:
        default = (0.0,) * 3 if kind == "mean" else (1.0,) * 3
        preprocessor = {}
    given = preprocessor.get(f"image_{kind}", preprocessor.get(kind, default[:inputs]))
    try:
        values = np.array(given, dtype=np.float32).reshape(-1)
        sane = len(values) == inputs and np.isfinite(values).all() and (kind == "mean" or bool((values > 0).all()))
    except (TypeError, ValueError):
        sane = False
    if not sane:
        raise EncoderError(f"the preprocessor config has no usable image_{kind} for {inputs} channels; copy it again")
    return torch.from_numpy(values).reshape(1, -1, 1, 1)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
