"""What an encoder is, and how to make one by name."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.learning.bag_of_channels import Columns
from training.learning.batching import FloatArray, Windows
from training.learning.encoder_names import BUILT_IN, EncoderError, EncoderName, parse_encoder_name
from training.learning.handcrafted import HandcraftedEncoder

ENCODERS = BUILT_IN


class Encoder(Protocol):
    """Turns crops into embeddings; the same crops give the same bytes in any batching on one class of machine."""

    name: str

    @property
    def digest(self) -> str:
        """Hex digest of the weights and the preprocessing; embeddings of different digests are never mixed."""
        ...

    @property
    def dimension(self) -> int:
        """Number of columns of an embedding."""
        ...

    @property
    def channel_columns(self) -> Columns | None:
        """Columns that depend on each channel, in the order of the channels; None where columns mix channels."""
        ...

    def encode(self, crops: NDArray[np.generic], windows: Windows) -> FloatArray:
        """Embeddings (n, dimension), float32, of crops (n, channel, height, width) under display windows."""
        ...


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """What pretrained encoders need besides their name: the folder of encoders, the device, whether the three
    channels are red, green and blue, and how many crops make a block (part of the identity)."""

    folder: Path | None = None
    device: str = "cpu"
    is_rgb: bool = False
    batch: int = 64


def make_encoder(name: str, channels: int, seed: int = 0, options: EncoderOptions | None = None) -> Encoder:
    """The encoder of that name for crops with `channels` channels; `seed` draws the untrained network's weights.

    Names are those of `parse_encoder_name`. Raises EncoderError, a ValueError, for an unknown name or unusable files.
    A `hub:` encoder is fetched where it is not there yet. PyTorch is imported for networks only.
    """
    parsed = parse_encoder_name(name)
    if name == "handcrafted":
        return HandcraftedEncoder(channels)
    if name == "untrained":
        from training.learning.untrained import UntrainedEncoder

        return UntrainedEncoder(channels, seed)
    return _pretrained(parsed, channels, options or EncoderOptions())


def _pretrained(name: EncoderName, channels: int, options: EncoderOptions) -> Encoder:
    from training.learning.encoder_files import find_encoder_files
    from training.learning.hub import ensure_downloaded

    if options.folder is None:
        raise EncoderError(f"{name.text} is looked for in a folder of encoders; name the folder")
    if name.kind == "hub":
        ensure_downloaded(name, options.folder)
    files = find_encoder_files(name, options.folder)
    from training.learning.pretrained import NetworkPlan, PretrainedEncoder

    plan = NetworkPlan(name.precision, options.batch, options.device, options.is_rgb)
    return PretrainedEncoder(name.text, files, channels, plan)
