"""Training of the network from labelled crops: seeded, resumable by repetition, with progress and
cancelling."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW

from imaging.pixels.normalise import scale_crops
from training.learning.augment import random_dihedral, random_intensity
from training.learning.batching import Windows, check_crops
from training.learning.network import Network, resized
from training.learning.recipe import Recipe
from training.learning.torch_setup import deterministic

Progress = Callable[[float, str], bool | None]
STATISTICS_CROPS = 2000
WARM_UP = 0.1
MAX_CLASS_WEIGHT = 10.0


class TrainingCancelled(Exception):
    """The progress callback answered False."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds that training may take, measured with a clock that the caller gives (e.g. time.monotonic)."""

    seconds: float
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled crops (n, channel, s, s) with display windows, target shares (n, classes) and weights (n,)."""

    crops: NDArray[np.generic]
    windows: Windows
    targets: NDArray[np.float32]
    weight: NDArray[np.float32]

    def block(self, index: NDArray[np.int64], crop_px: int, device: str) -> Tensor:
        """Scaled crops (len(index), channel, crop_px, crop_px) in [0, 1]."""
        scaled = scale_crops(np.asarray(self.crops[index]), self.windows)
        return resized(torch.from_numpy(scaled), crop_px).to(device)


def fit_network(
    crops: NDArray[np.generic],
    windows: Windows,
    labels: NDArray[np.generic],
    recipe: Recipe,
    progress: Progress | None = None,
    *,
    weight: NDArray[np.floating] | None = None,
    device: str = "cpu",
    budget: Budget | None = None,
) -> Network:
    """Network trained on crops (n, channel, s, s); the same bytes again on a CPU with as many threads.

    `labels`: class indices (n,) or shares of votes (n, classes), which also tell the number of classes.
    Crops of several experiments are scaled with their own windows first and passed with windows (0, 1).
    `progress(fraction, text)` is called after every epoch's worth of steps and cancels by returning False.
    Raises ValueError for NaN pixels, fewer than two classes or diverging training, TrainingCancelled.
    """
    examples = _checked(crops, windows, labels, weight)
    with deterministic(device, recipe.seed):
        network = Network(crops.shape[1], examples.targets.shape[1], recipe.width, recipe.crop_px).to(device)
        _set_brightness(network, examples, device)
        _train(network, examples, recipe, Schedule.of(len(crops), recipe, budget), progress or _silent)
        _settle_norms(network, examples, recipe, device)
    return network.eval()


@dataclass(frozen=True, slots=True)
class Schedule:
    """Number of steps, and how far training is: by steps, or by time where that runs out first."""

    steps: int
    per_epoch: int
    budget: Budget | None
    started: float

    @classmethod
    def of(cls, n: int, recipe: Recipe, budget: Budget | None) -> "Schedule":
        """Schedule for n crops."""
        per_epoch = max(1, n // recipe.batch_size)
        steps = max(recipe.epochs * per_epoch, recipe.min_steps)
        return cls(steps, per_epoch, budget, budget.clock() if budget else 0.0)

    def fraction(self, step: int) -> float:
        """Share of training that is done before this step, from 0; training ends at 1."""
        done = step / self.steps
        if self.budget is None:
            return done
        return max(done, (self.budget.clock() - self.started) / self.budget.seconds)


def learning_rate(fraction: float, peak: float) -> float:
    """Learning rate at a fraction of training: a short linear warm-up, then half a cosine down to 0."""
    if fraction < WARM_UP:
        return peak * (fraction + 0.01) / (WARM_UP + 0.01)
    return peak * 0.5 * (1 + float(np.cos(np.pi * (min(fraction, 1.0) - WARM_UP) / (1 - WARM_UP))))


def class_weights(targets: NDArray[np.floating], weight: NDArray[np.floating], power: float) -> NDArray[np.float32]:
    """Weight per class (classes,), (1 / n)^power, at most 10 times the smallest, 1 on average over crops."""
    mass = np.asarray(weight, dtype=np.float64) @ np.asarray(targets, dtype=np.float64)
    raw = np.where(mass > 0, np.maximum(mass, 1e-9) ** -power, 0.0)
    raw = np.minimum(raw, MAX_CLASS_WEIGHT * raw[mass > 0].min())
    return np.asarray(raw * mass.sum() / (raw * mass).sum(), dtype=np.float32)


def _train(network: Network, examples: Examples, recipe: Recipe, schedule: Schedule, progress: Progress) -> None:
    device = str(network.mean.device)
    generator = torch.Generator().manual_seed(recipe.seed)
    optimiser = AdamW(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    scale = class_weights(examples.targets, examples.weight, recipe.class_balance)
    mass = torch.from_numpy(examples.targets * scale * examples.weight[:, None])
    network.train()
    losses: list[float] = []
    for step, index in enumerate(_batches(len(examples.crops), recipe.batch_size, generator)):
        fraction = schedule.fraction(step)
        if step % schedule.per_epoch == 0:
            _report(progress, min(fraction, 1.0), losses[-schedule.per_epoch :])
        if step >= schedule.steps or (fraction >= 1 and step):
            break
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(fraction, recipe.learning_rate)
        x = _augmented(examples.block(index, recipe.crop_px, device), recipe, generator)
        target = mass[index].to(device)
        loss = -(target * functional.log_softmax(network(x), dim=1)).sum() / len(index)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        losses.append(float(loss.detach()))
        if not np.isfinite(losses[-1]):
            raise ValueError("training diverged: the loss is no longer a number; lower learning_rate")


def _batches(n: int, size: int, generator: torch.Generator) -> Iterator[NDArray[np.int64]]:
    """Endless batches of min(size, n) indices, every crop once per round; a short rest goes into the next
    round."""
    size = min(size, n)
    while True:
        order = torch.randperm(n, generator=generator).numpy()
        for start in range(0, n - size + 1, size):
            yield order[start : start + size]


def _augmented(x: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    if recipe.augment_dihedral:
        x = random_dihedral(x, generator)
    return random_intensity(x, generator) if recipe.augment_intensity else x


def _set_brightness(network: Network, examples: Examples, device: str) -> None:
    x = examples.block(_spread(len(examples.crops)), network.crop_px, device)
    network.mean.copy_(x.mean(dim=(0, 2, 3)))
    network.scale.copy_(x.std(dim=(0, 2, 3), correction=0).clamp_min(1e-3))


@torch.no_grad()
def _settle_norms(network: Network, examples: Examples, recipe: Recipe, device: str) -> None:
    """Set the normalisation statistics from plain crops: the running ones lag behind after few steps."""
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    index = _spread(len(examples.crops))
    for part in np.array_split(index, max(1, len(index) // (2 * recipe.batch_size))):
        network(examples.block(part, recipe.crop_px, device))


def _spread(n: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, n - 1, min(n, STATISTICS_CROPS)).astype(np.int64))


def _checked(
    crops: NDArray[np.generic],
    windows: Windows,
    labels: NDArray[np.generic],
    weight: NDArray[np.floating] | None,
) -> Examples:
    check_crops(crops, crops.shape[1] if crops.ndim == 4 else 0, windows)
    if len(labels) != len(crops):
        raise ValueError(f"{len(crops)} crops need as many labels, got {len(labels)}")
    targets = np.asarray(labels, dtype=np.float32) if labels.ndim == 2 else _one_hot(labels.astype(np.int64))
    weights = np.ones(len(crops), dtype=np.float32) if weight is None else np.asarray(weight, dtype=np.float32)
    if not np.isfinite(targets).all() or (targets < 0).any() or not np.isfinite(weights).all():
        raise ValueError("labels and weights must be finite and not negative")
    if (targets.sum(axis=0) > 0).sum() < 2:
        raise ValueError("training needs crops of at least two classes; label crops of another class first")
    return Examples(crops, windows, targets, weights)


def _one_hot(labels: NDArray[np.int64]) -> NDArray[np.float32]:
    if len(labels) and labels.min() < 0:
        raise ValueError("labels must be class indices from 0; leave unlabelled crops out")
    return np.eye(int(labels.max(initial=0)) + 1, dtype=np.float32)[labels]


def _report(progress: Progress, fraction: float, losses: list[float]) -> None:
    text = f"loss {np.mean(losses):.3f}" if losses else "starting"
    if progress(fraction, text) is False:
        raise TrainingCancelled(f"training was cancelled at {fraction:.0%}")


def _silent(fraction: float, text: str) -> bool:
    return True
