"""Predictions of a model version in one canonical form: fixed padded batches, so the batching of a request
is invisible."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from imaging.pixels.normalise import scale_crops
from training.learning.batching import FloatArray, Windows, check_crops, encode_in_batches
from training.learning.calibrate import tempered
from training.learning.encoders import Encoder, make_encoder
from training.learning.head import Head, design
from training.learning.network import Network, resized
from training.learning.torch_setup import deterministic

CPU_BATCH, GPU_BATCH = 16, 64
LINEAR_BATCH = 64


class Predictor(Protocol):
    """A model version that can be asked for class probabilities."""

    @property
    def kind(self) -> str:
        """ "network" or "handcrafted"."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the columns of a prediction."""
        ...

    @property
    def channels(self) -> int:
        """Number of channels a crop must have."""
        ...

    @property
    def temperature(self) -> float:
        """Divisor of the logits, fitted on held-out crops."""
        ...

    def logits(self, crops: NDArray[np.generic], windows: Windows) -> FloatArray:
        """Logits (n, classes), float32, before the temperature."""
        ...

    def predict(self, crops: NDArray[np.generic], windows: Windows) -> NDArray[np.float64]:
        """Probabilities (n, classes) of crops (n, channel, s, s) under display windows, one per channel."""
        ...


@dataclass(frozen=True)
class NetworkPredictor:
    """A trained network with its class names and temperature; batches of 16 on a CPU and 64 on a GPU."""

    network: Network
    classes: tuple[str, ...]
    temperature: float = 1.0

    kind = "network"

    @property
    def channels(self) -> int:
        """Number of channels a crop must have."""
        return self.network.channels

    @property
    def device(self) -> str:
        """Where the network lives, "cpu" or "cuda:0"."""
        return str(self.network.mean.device)

    def logits(self, crops: NDArray[np.generic], windows: Windows) -> FloatArray:
        """Logits (n, classes), float32, before the temperature; the same bytes however the crops are
        batched."""
        return self._in_batches(crops, windows, self.network, self.network.classes)

    def features(self, crops: NDArray[np.generic], windows: Windows) -> FloatArray:
        """Embeddings (n, 8 * width), float32, of the layer below the logits."""
        return self._in_batches(crops, windows, self.network.features, 8 * self.network.width)

    def predict(self, crops: NDArray[np.generic], windows: Windows) -> NDArray[np.float64]:
        """Probabilities (n, classes). Raises ValueError for NaN pixels or another number of channels."""
        return tempered(self.logits(crops, windows).astype(np.float64), self.temperature)

    def _in_batches(self, crops: NDArray[np.generic], windows: Windows, forward: Any, dimension: int) -> FloatArray:
        check_crops(crops, self.channels, windows)

        def encode(block: NDArray[np.generic]) -> FloatArray:
            x = resized(torch.from_numpy(scale_crops(block, windows)), self.network.crop_px)
            return np.asarray(forward(x.to(self.device)).cpu().numpy(), dtype=np.float32)

        size = GPU_BATCH if self.device.startswith("cuda") else CPU_BATCH
        self.network.eval()
        with deterministic(self.device), torch.inference_mode():
            return encode_in_batches(encode, crops, size, dimension)


@dataclass(frozen=True)
class HandcraftedPredictor:
    """Handcrafted features, standardised, under a logistic head: weights (d + 1, classes), last row the
    bias."""

    weights: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    classes: tuple[str, ...]
    channels: int
    temperature: float = 1.0
    encoder_digest: str = ""

    kind = "handcrafted"

    @classmethod
    def from_head(cls, head: Head, classes: tuple[str, ...], channels: int) -> "HandcraftedPredictor":
        """Predictor with the weights and temperature of a fitted head on handcrafted embeddings."""
        digest = make_encoder("handcrafted", channels).digest
        return cls(head.weights, head.mean, head.scale, classes, channels, head.temperature, digest)

    @cached_property
    def encoder(self) -> Encoder:
        """The handcrafted encoder; ValueError when its features are no longer those the weights were fitted
        on."""
        encoder = make_encoder("handcrafted", self.channels)
        if self.encoder_digest and encoder.digest != self.encoder_digest:
            raise ValueError("this model was fitted on another version of the handcrafted features; train it again")
        return encoder

    def logits(self, crops: NDArray[np.generic], windows: Windows) -> FloatArray:
        """Logits (n, classes), float32, before the temperature; the same bytes however the crops are
        batched."""
        check_crops(crops, self.channels, windows)
        return self.logits_of_embeddings(self.encoder.encode(crops, windows))

    def logits_of_embeddings(self, embeddings: NDArray[np.floating]) -> FloatArray:
        """Logits (n, classes) of cached handcrafted embeddings (n, d)."""

        def encode(block: NDArray[np.generic]) -> FloatArray:
            rows = design(block.astype(np.float64), self.mean, self.scale)
            return np.asarray(rows @ self.weights, dtype=np.float32)

        return encode_in_batches(encode, embeddings, LINEAR_BATCH, len(self.classes))

    def predict(self, crops: NDArray[np.generic], windows: Windows) -> NDArray[np.float64]:
        """Probabilities (n, classes). Raises ValueError for NaN pixels or another number of channels."""
        return tempered(self.logits(crops, windows).astype(np.float64), self.temperature)


Model = TypeVar("Model", NetworkPredictor, HandcraftedPredictor)


def with_temperature(predictor: Model, temperature: float) -> Model:
    """The same model with another temperature."""
    return replace(predictor, temperature=temperature)
