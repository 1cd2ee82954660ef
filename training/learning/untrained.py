"""The untrained encoder: a small residual network with random weights, a baseline each trained model has to beat."""

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from imaging.pixels.digest import array_digest, mapping_digest
from imaging.pixels.normalise import NORMALISE_VERSION, scale_crops
from training.learning.batching import FloatArray, Windows, check_crops, encode_in_batches

# 1: spread by Tensor.std; 2: the same figure from squared distances to the mean.
VERSION = 2
BATCH = 64
INPUT_PX = 64
WIDTHS = (32, 64, 96)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside a 1 x 1 shortcut; halves height and width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Activations (n, outputs, height / 2, width / 2); the halves are averaged so that the scale is kept."""
        inner = self.second(functional.relu(self.first(x)))
        return functional.relu((inner + self.shortcut(x)) * 0.5**0.5)


class RandomNetwork(nn.Module):
    """Residual stages whose activations are pooled to mean and standard deviation after every stage.

    There is no normalisation layer: it would remove the absolute brightness, which tells cell-cycle phases apart.
    """

    def __init__(self, channels: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.stages = nn.ModuleList(ResidualBlock(a, b) for a, b in zip((channels, *WIDTHS), WIDTHS))
        for weight in self.parameters():
            # NumPy draws the weights: its streams stay the same across versions of PyTorch and devices.
            values = rng.standard_normal(weight.shape) * (2 / np.prod(weight.shape[1:])) ** 0.5
            weight.data = torch.from_numpy(values.astype(np.float32))
            weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (n, 2 * sum(WIDTHS)) of crops (n, channel, INPUT_PX, INPUT_PX)."""
        pooled = []
        for stage in self.stages:
            x = stage(x)
            mean = x.mean(dim=(2, 3), keepdim=True)
            # Tensor.std works pixel by pixel on a CPU and would take a third of the whole network's time.
            spread = (x - mean).square().mean(dim=(2, 3)).sqrt()
            pooled += [mean.flatten(1), spread]
        return torch.cat(pooled, dim=1)


class UntrainedEncoder:
    """Random-weight network over any number of channels; the caller sets the number of threads."""

    name = "untrained"
    dimension = 2 * sum(WIDTHS)
    # Its first layer mixes all channels.
    channel_columns = None

    def __init__(self, channels: int, seed: int = 0, device: str = "cpu") -> None:
        if channels < 1:
            raise ValueError(f"{channels} channels; an encoder needs at least one")
        self.channels = channels
        self.device = device
        self.network = RandomNetwork(channels, np.random.default_rng(seed)).eval().to(device)

    @cached_property
    def digest(self) -> str:
        """Hex digest of all weights and of the preprocessing."""
        weights = {name: array_digest(w.cpu().numpy()) for name, w in self.network.state_dict().items()}
        plan = {"encoder": self.name, "version": [VERSION, NORMALISE_VERSION], "batch": BATCH, "input_px": INPUT_PX}
        return mapping_digest({**plan, "weights": weights})

    def encode(self, crops: NDArray[np.generic], windows: Windows) -> FloatArray:
        """Embeddings (n, dimension), float32, of crops (n, channel, height, width) under display windows.

        Crops of another size are resampled to INPUT_PX. Raises ValueError for NaN or infinite pixels, a wrong
        number of channels or a window without width.
        """
        check_crops(crops, self.channels, windows)

        def encode(block: NDArray[np.generic]) -> FloatArray:
            return self._encode_block(scale_crops(block, windows))

        return encode_in_batches(encode, crops, BATCH, self.dimension)

    @torch.inference_mode()
    def _encode_block(self, scaled: FloatArray) -> FloatArray:
        """Embeddings of one block of BATCH crops in [0, 1]."""
        x = torch.from_numpy(scaled).to(self.device)
        if x.shape[2:] != (INPUT_PX, INPUT_PX):
            x = functional.interpolate(x, size=(INPUT_PX, INPUT_PX), mode="bilinear", antialias=True)
        return np.asarray(self.network(x).cpu().numpy(), dtype=np.float32)
