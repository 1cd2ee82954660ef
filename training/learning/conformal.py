"""Prediction sets: the classes that a model cannot rule out, and how often they hold the truth in experiments that
it has never seen.

Scores are 1 - p of the true class (Sadinle, Lei and Wasserman 2019, doi 10.1080/01621459.2017.1395341). Crops of one
experiment resemble each other, so calibration weighs experiments alike and needs nine of them at 90 % (Dunn,
Wasserman and Ramdas 2023, doi 10.1080/01621459.2022.2060112). Coverage is meant on average over experiments like
those that were held out: nothing protects a single unlucky one but labels from it.
"""

from collections.abc import Mapping
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.learning.metrics import Floats, Indices

ALPHA = 0.1


def fewest_units(alpha: float = ALPHA) -> int:
    """How many experiments it takes for a set that rules anything out: 9 at 90 %."""
    return ceil(1 / alpha - 1 - 1e-9)


def threshold(scores: Floats, unit: Indices, alpha: float = ALPHA) -> float:
    """The score up to which a class stays in the set; infinite, for all classes, with too few units.

    `scores` (n,) of the true classes and `unit` (n,) numbers. Each unit counts alike, whatever its size.
    """
    units, number, sizes = np.unique(unit, return_inverse=True, return_counts=True)
    wanted = ceil((len(units) + 1) * (1 - alpha) - 1e-9)
    if not len(units) or wanted > len(units):
        return float("inf")
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum((1.0 / sizes)[number][order])
    return float(scores[order][np.searchsorted(reached, wanted - 1e-9)])


def sets_of(probabilities: Floats, limit: float) -> NDArray[np.bool_]:
    """Which classes are in the set of each crop (n, classes)."""
    return np.asarray(1.0 - probabilities <= limit)


def held_out_sets(probabilities: Floats, truth: Indices, unit: Indices, alpha: float = ALPHA) -> dict[str, Any]:
    """What sets at 1 - alpha would have done, each unit calibrated on the others; ready for JSON.

    `coverage` and `size` are means over units, `worst` the lowest coverage of a unit; None where too few units leave
    every class in every set. `singles` is the share of crops with one class in the set, `empty` with none.
    """
    units = np.unique(unit)
    base = {"alpha": alpha, "units": len(units), "needed": fewest_units(alpha) + 1}
    if len(units) <= fewest_units(alpha):
        return base | dict.fromkeys(("coverage", "worst", "size", "singles", "empty")) | {"text": _words(base)}
    rows = [_unit(probabilities, truth, unit, held, alpha) for held in units]
    means = [float(covered.mean()) for covered, _ in rows]
    sizes = np.concatenate([size for _, size in rows])
    found = {
        "coverage": float(np.mean(means)),
        "worst": min(means),
        "size": float(np.mean([size.mean() for _, size in rows])),
        "singles": float((sizes == 1).mean()),
        "empty": float((sizes == 0).mean()),
    }
    return base | found | {"text": _words(base | found)}


def _unit(
    probabilities: Floats, truth: Indices, unit: Indices, held: int, alpha: float
) -> tuple[NDArray[np.bool_], Indices]:
    """Whether each crop of the unit is covered, and the size of its set, calibrated on all other units."""
    own = unit == held
    scores = 1.0 - probabilities[np.arange(len(truth)), truth]
    sets = sets_of(probabilities[own], threshold(scores[~own], unit[~own], alpha))
    return sets[np.arange(len(sets)), truth[own]], sets.sum(axis=1)


def _words(found: Mapping[str, Any]) -> str:
    wanted = f"{1 - found['alpha']:.0%}"
    if found.get("coverage") is None:
        return (
            f"Sets at {wanted} need {found['needed']} held-out experiments; with {found['units']} they would name "
            "every class."
        )
    return (
        f"On average over {found['units']} experiments like these the set holds the true class in "
        f"{found['coverage']:.0%} of the crops ({wanted} was asked for), in the worst experiment in "
        f"{found['worst']:.0%}. A new experiment may do worse than all of them."
    )
