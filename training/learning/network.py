"""A small residual network for crops with any number of channels; it trains in seconds on one core."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut; `stride` 2 halves height and width."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm_first = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm_second = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Activations (n, outputs, height / stride, width / stride)."""
        inner = functional.relu(self.norm_first(self.first(x)))
        return functional.relu(self.norm_second(self.second(inner)) + self.shortcut(x))


class Network(nn.Module):
    """Logits (n, classes) of crops (n, channels, crop_px, crop_px) scaled to [0, 1]; no softmax inside."""

    mean: Tensor
    scale: Tensor

    def __init__(self, channels: int, classes: int, width: int = 16, crop_px: int = 48) -> None:
        super().__init__()
        self.channels, self.classes, self.width, self.crop_px = channels, classes, width, crop_px
        # Brightness per channel in the training crops; part of the weights, so inference cannot forget it.
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))
        self.stem = nn.Conv2d(channels, width, 5, stride=2, padding=2, bias=False)
        self.norm_stem = nn.BatchNorm2d(width)
        self.stages = nn.Sequential(
            ResidualBlock(width, width, 1),
            ResidualBlock(width, 2 * width, 2),
            ResidualBlock(2 * width, 4 * width, 2),
        )
        self.head = nn.Linear(8 * width, classes)

    def features(self, x: Tensor) -> Tensor:
        """Embeddings (n, 8 * width): mean and maximum of each of the last channels."""
        x = (x - self.mean[:, None, None]) / self.scale[:, None, None]  # (n, channels, px, px)
        x = functional.relu(self.norm_stem(self.stem(x)))  # (n, width, px / 2, px / 2)
        x = self.stages(x)  # (n, 4 * width, px / 8, px / 8)
        return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, classes)."""
        logits: Tensor = self.head(self.features(x))
        return logits


def resized(x: Tensor, crop_px: int) -> Tensor:
    """Crops (n, channel, crop_px, crop_px), resampled with anti-aliasing when they have another size."""
    if x.shape[2:] == (crop_px, crop_px):
        return x
    return functional.interpolate(x, size=(crop_px, crop_px), mode="bilinear", antialias=True)
