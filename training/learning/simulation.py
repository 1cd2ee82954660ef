"""Simulated annotators, for benchmarks and demonstrations: errors, and "not sure" near the class boundary."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from training.learning.head import HeadSettings, fit_head, probabilities

NOT_SURE = -1


@dataclass(frozen=True, slots=True)
class SimulatedAnnotator:
    """A person who errs at `error_rate` and says "not sure" the more often, the nearer a crop is to the boundary.

    not_sure_rate_near_boundary: probability of "not sure" on the boundary itself; it falls to half at distance 1 and
    to nothing far away. Both rates lie in [0, 1].
    """

    name: str
    error_rate: float = 0.0
    not_sure_rate_near_boundary: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for rate in (self.error_rate, self.not_sure_rate_near_boundary):
            if not 0 <= rate <= 1:
                raise ValueError(f"annotator {self.name}: rates lie in 0 to 1, got {rate}")

    def generator(self, crop_key: str) -> np.random.Generator:
        """Random numbers for one crop: its answer depends neither on when it is asked nor on what came before."""
        text = f"{self.seed}\x1f{self.name}\x1f{crop_key}".encode()
        return np.random.default_rng(int.from_bytes(hashlib.sha256(text).digest()[:16], "little"))

    def answer(
        self, truth_index: int, distance_to_boundary: float | None, n_classes: int, rng: np.random.Generator
    ) -> int:
        """Class index of the answer, or NOT_SURE.

        distance_to_boundary: at least 0, in units in which 1 is half as doubtful as the boundary; None when
        unknown, and then the annotator is never unsure. Raises ValueError when the truth is not one of the classes.
        """
        if not 0 <= truth_index < n_classes:
            raise ValueError(f"class {truth_index} is not one of {n_classes} classes")
        unsure, slip, other = rng.random(3)
        if distance_to_boundary is not None:
            if not distance_to_boundary >= 0:
                raise ValueError(f"distance to the boundary must be at least 0, got {distance_to_boundary}")
            if unsure < self.not_sure_rate_near_boundary * 2.0 ** -(distance_to_boundary**2):
                return NOT_SURE
        if slip < self.error_rate and n_classes > 1:
            return (truth_index + 1 + int(other * (n_classes - 1))) % n_classes
        return truth_index

    def answer_crop(self, crop_key: str, truth_index: int, distance_to_boundary: float | None, n_classes: int) -> int:
        """The answer to one crop by its key: the same whenever and in whatever order it is asked."""
        return self.answer(truth_index, distance_to_boundary, n_classes, self.generator(crop_key))


def boundary_distance(probabilities: np.ndarray[tuple[int], np.dtype[np.float64]], truth_index: int) -> float:
    """Distance of a crop to the class boundary: |log odds| of its class against the rest, from p (K,)."""
    p = float(np.clip(probabilities[truth_index], 1e-9, 1 - 1e-9))
    return abs(float(np.log(p / (1 - p))))


def boundary_distances(
    embeddings: NDArray[np.floating], labels: NDArray[np.integer], classes: int, folds: int = 5
) -> NDArray[np.float64]:
    """Distance of every crop (n,) to the class boundary, by heads that did not learn from it (cross-validation).

    0 for labels below 0. Classes are dealt to the folds evenly in the order of the crops.
    """
    fold = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        fold[rows] = np.arange(len(rows)) % folds
    distance = np.zeros(len(labels))
    for number in range(folds):
        known = np.flatnonzero((fold != number) & (labels >= 0))
        asked = np.flatnonzero((fold == number) & (labels >= 0))
        head = fit_head(embeddings[known], np.eye(classes)[labels[known]], settings=HeadSettings())
        found = probabilities(head, embeddings[asked])
        distance[asked] = [boundary_distance(p, int(label)) for p, label in zip(found, labels[asked])]
    return distance


def scaled_to_share(distance: NDArray[np.float64], rate: float, share: float) -> NDArray[np.float64]:
    """Distances (n,) in the unit in which an annotator of this rate is not sure of `share` of all crops.

    Raises ValueError unless 0 < share < rate: no unit gives more doubt than the boundary itself.
    """
    if not 0 < share < rate <= 1:
        raise ValueError(f"a share of {share:.0%} not sure needs a rate on the boundary above it, got {rate:.0%}")
    scale = max(float(np.median(distance)), 1e-9)

    def excess(log_unit: float) -> float:
        return float(np.mean(rate * 2.0 ** -((distance / (scale * np.exp(log_unit))) ** 2))) - share

    return np.asarray(distance / (scale * np.exp(brentq(excess, -30.0, 30.0))))
