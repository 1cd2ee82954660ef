"""What an encoder is, and how to make one by name."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.learning.batching import FloatArray, Windows
from training.learning.handcrafted import HandcraftedEncoder

ENCODERS = ("handcrafted", "untrained")


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

    def encode(self, crops: NDArray[np.generic], windows: Windows) -> FloatArray:
        """Embeddings (n, dimension), float32, of crops (n, channel, height, width) under display windows."""
        ...


def make_encoder(name: str, channels: int, seed: int = 0) -> Encoder:
    """The encoder of that name for crops with `channels` channels; `seed` draws the untrained network's weights.

    Raises ValueError for an unknown name, listing the known ones. PyTorch is imported for "untrained" only.
    """
    if name == "handcrafted":
        return HandcraftedEncoder(channels)
    if name == "untrained":
        from training.learning.untrained import UntrainedEncoder

        return UntrainedEncoder(channels, seed)
    raise ValueError(f"unknown encoder {name!r}; choose one of {', '.join(ENCODERS)}")
