"""Two-dimensional maps of embeddings, and how far each crop lies from the others; for workers (scikit-learn)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.learning.head import Standardisation

Floats = NDArray[np.float32]
# t-SNE of 20,000 crops takes some minutes of one core; more are placed among landmarks.
MOST_LAID_OUT = 20_000
LANDMARKS = 5_000
PLACED_BY = 5
COMPONENTS = 50
PERPLEXITY = 30.0
NEIGHBOURS = 10
REFERENCE = 5_000
CHUNK = 1024
FEWEST = 10

Tell = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class MapPlan:
    """How large a layout may be before landmarks take over; the seed makes a map repeatable."""

    seed: int = 0
    most_laid_out: int = MOST_LAID_OUT
    landmarks: int = LANDMARKS


def reduce(rows: NDArray[np.floating], norm: Standardisation, tell: Tell = lambda share: None) -> Floats:
    """The first components (n, at most 50) of standardised embeddings (n, d), read in chunks; signs are fixed so
    that the largest weight of each is positive."""
    n, width = rows.shape
    total = np.zeros((width, width))
    for start in range(0, n, CHUNK):
        part = _standard(rows, start, norm)
        total += part.T @ part
        tell(0.5 * min(start + CHUNK, n) / n)
    _, vectors = np.linalg.eigh(total)
    axes = vectors[:, ::-1][:, : min(COMPONENTS, width)]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    axes = axes * np.where(largest < 0, -1.0, 1.0)
    found = np.empty((n, axes.shape[1]), dtype=np.float32)
    for start in range(0, n, CHUNK):
        found[start : start + CHUNK] = _standard(rows, start, norm) @ axes
        tell(0.5 + 0.5 * min(start + CHUNK, n) / n)
    return found


def plane(reduced: Floats) -> Floats:
    """The first two components (n, 2), fitted into the unit square; the second is 0.5 where there is none."""
    if reduced.shape[1] < 2:
        reduced = np.hstack([reduced, np.zeros((len(reduced), 1), np.float32)])
    return fitted(reduced[:, :2])


def fitted(points: Floats) -> Floats:
    """The same points (n, 2) moved and scaled into the unit square, their proportions kept."""
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max()) or 1.0
    return np.asarray((points - (low + high) / 2) / side + 0.5, dtype=np.float32)


def neighbour_map(reduced: Floats, plan: MapPlan) -> Floats:
    """t-SNE (n, 2) in the unit square; beyond the plan's size of landmarks, among which the others are placed."""
    n = len(reduced)
    if n <= plan.most_laid_out:
        return fitted(_tsne(reduced, plan.seed))
    chosen = np.sort(np.random.default_rng([plan.seed, 7]).choice(n, plan.landmarks, replace=False))
    laid_out = _tsne(reduced[chosen], plan.seed)
    placed = _placed(reduced, reduced[chosen], laid_out)
    placed[chosen] = laid_out
    return fitted(placed)


def _tsne(rows: Floats, seed: int) -> Floats:
    # Here, so that whoever reads a map loads no scikit-learn.
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    layout = TSNE(init="pca", perplexity=perplexity, random_state=seed, n_jobs=1)
    return np.asarray(layout.fit_transform(rows), dtype=np.float32)


def _placed(rows: Floats, landmarks: Floats, laid_out: Floats) -> Floats:
    """Each row at the mean of its nearest landmarks' places, near ones counting more."""
    placed = np.empty((len(rows), 2), dtype=np.float32)
    for start in range(0, len(rows), CHUNK):
        distance = _distances(rows[start : start + CHUNK], landmarks)
        near = np.argpartition(distance, PLACED_BY - 1, axis=1)[:, :PLACED_BY]
        weight = 1 / (np.take_along_axis(distance, near, axis=1) + 1e-6)
        weight /= weight.sum(axis=1, keepdims=True)
        placed[start : start + CHUNK] = (laid_out[near] * weight[:, :, None]).sum(axis=1)
    return placed


def outlier_distance(
    rows: NDArray[np.floating], norm: Standardisation, seed: int = 0, tell: Tell = lambda share: None
) -> Floats:
    """Mean distance (n,) of each embedding (n, d) to its ten nearest others, in standard deviations per column.

    Nearest among at most 5,000 crops drawn once; a crop is no neighbour of its own.
    """
    n = len(rows)
    chosen = np.sort(np.random.default_rng([seed, 8]).permutation(n)[:REFERENCE])
    reference = _standard_rows(np.asarray(rows[chosen]), norm)
    count = min(NEIGHBOURS, len(chosen) - 1)
    found = np.empty(n, dtype=np.float32)
    for start in range(0, n, CHUNK):
        distance = _distances(_standard(rows, start, norm), reference)
        inside = np.flatnonzero((chosen >= start) & (chosen < start + CHUNK))
        distance[chosen[inside] - start, inside] = np.inf
        nearest = np.partition(distance, count - 1, axis=1)[:, :count]
        found[start : start + CHUNK] = nearest.mean(axis=1) / np.sqrt(rows.shape[1])
        tell(min(start + CHUNK, n) / n)
    return found


def _standard(rows: NDArray[np.floating], start: int, norm: Standardisation) -> NDArray[np.float64]:
    return _standard_rows(np.asarray(rows[start : start + CHUNK]), norm)


def _standard_rows(rows: NDArray[np.floating], norm: Standardisation) -> NDArray[np.float64]:
    return np.asarray((rows - norm.mean) / norm.scale, dtype=np.float64)


def _distances(rows: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """Euclidean distances (n, m)."""
    rows, others = np.asarray(rows, dtype=np.float64), np.asarray(others, dtype=np.float64)
    squares = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1)[None] - 2 * rows @ others.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))
