"""Simulated studies for tests of the random stream: a pool, a stream drawn from it, and a queue of one's choice."""

import numpy as np
from numpy.typing import NDArray

from training.learning.head import design, standardise
from training.learning.stopping import Curve
from training.learning.stream import StreamData

POOL = 3000


def stream_study(
    seed: int,
    *,
    queue: int = 300,
    stream: int = 60,
    prior: tuple[float, ...] = (0.5, 0.3, 0.2),
    dimension: int = 6,
    separation: float = 1.8,
    experiments: int = 2,
    balanced_queue: bool = False,
    stream_trains: bool = True,
) -> StreamData:
    """Answers to a Gaussian pool. The queue is random too, or draws every class equally often (`balanced_queue`)."""
    rng = np.random.default_rng(seed)
    classes = len(prior)
    label = rng.choice(classes, POOL, p=prior)
    centres = np.zeros((classes, dimension))
    centres[np.arange(classes), np.arange(classes)] = separation
    rows = centres[label] + rng.normal(size=(POOL, dimension))
    experiment = rng.integers(experiments, size=POOL)
    order = rng.permutation(POOL)
    drawn, rest = order[:stream], order[stream:]
    chances = 1 / np.bincount(label, minlength=classes)[label[rest]] if balanced_queue else np.ones(len(rest))
    asked = rng.choice(rest, queue, replace=False, p=chances / chances.sum())
    crops = rng.permutation(np.concatenate([drawn, asked]))
    norm, targets = standardise(rows), np.eye(classes)[label[crops]]
    in_stream = np.isin(crops, drawn)
    return StreamData(
        phi=design(rows[crops], norm.mean, norm.scale),
        targets=targets,
        in_stream=in_stream,
        truth=targets * in_stream[:, None],
        weight=np.ones(len(crops)),
        experiment=experiment[crops],
        group=experiment[crops] * 6 + rng.integers(6, size=len(crops)),
        stream_trains=stream_trains,
    )


def planted_curve(seed: int, law: tuple[float, float, float], *, crops: int = 200, most: int = 400) -> Curve:
    """A curve whose expectation is the law (c, a, b); a crop mostly keeps its luck from one size to the next."""
    rng = np.random.default_rng(seed)
    c, a, b = law
    sizes = np.unique(np.geomspace(12, most, 10).astype(np.int64))
    kept = rng.random((crops, len(sizes))) < 0.9
    luck = np.where(kept, rng.random((crops, 1)), rng.random((crops, len(sizes))))
    truth = np.eye(2)[rng.integers(2, size=crops)]
    return Curve(sizes, curve_parts(luck < c - a * sizes.astype(float) ** -b, truth))


def curve_parts(right: NDArray[np.bool_], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums as in `Curve.parts` from which crops are right (crops, sizes), and their truth (crops, K)."""
    return np.concatenate([right[:, None, :] * truth[:, :, None], truth[:, :, None]], axis=2)
