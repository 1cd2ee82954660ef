"""Figures that need no threshold: how well each class is ranked, and what is left when the model may abstain."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from labeling.agreement.intervals import Estimate
from training.learning.metrics import Floats, Indices, accuracy, balanced_accuracy, confusion_per_unit
from training.learning.unit_intervals import t_quantile

# Units are left out in so many groups at most: more take longer and change little.
MOST_GROUPS = 20
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)

Score = Callable[[Indices, Floats], float]


def ranked_classes(
    probabilities: Floats, truth: Indices, unit: Indices, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """For each class against the rest: `average_precision` and `roc_auc` with intervals over units, and its share.

    The average precision of a model that guesses is the share of the class; the area under the ROC curve is 0.5.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score  # here: the web process starts without it

    found = []
    for place, name in enumerate(classes):
        own = (truth == place).astype(np.int64)
        found.append(
            {
                "class": name,
                "share": float(own.mean()),
                "average_precision": asdict(_over_units(average_precision_score, own, probabilities[:, place], unit)),
                "roc_auc": asdict(_over_units(roc_auc_score, own, probabilities[:, place], unit)),
            }
        )
    return found


def _over_units(score: Score, own: Indices, said: Floats, unit: Indices) -> Estimate:
    """The score of all units together; its interval by leaving out groups of units, with Student's t."""
    n = len(own)
    if own.min() == own.max():
        return Estimate(None, None, None, n, "every held-out crop or none is of this class")
    value = float(score(own, said))
    groups = _groups(unit)
    left_out = [_without(score, own, said, groups != group) for group in np.unique(groups)]
    known = np.array([one for one in left_out if np.isfinite(one)])
    if len(known) < 2:
        return Estimate(value, None, None, n, "no interval: the class stands in one unit only")
    error = np.sqrt((len(known) - 1) / len(known) * ((known - known.mean()) ** 2).sum())
    half = t_quantile(len(known)) * float(error)
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), n)


def _without(score: Score, own: Indices, said: Floats, kept: Any) -> float:
    return float(score(own[kept], said[kept])) if 0 < own[kept].sum() < kept.sum() else float("nan")


def _groups(unit: Indices) -> Indices:
    """The group of each crop: its unit, or one of twenty of like size where there are more units."""
    number = np.unique(unit, return_inverse=True)[1]
    return np.asarray(number % MOST_GROUPS if number.max(initial=0) >= MOST_GROUPS else number)


def abstention(probabilities: Floats, truth: Indices) -> list[dict[str, Any]]:
    """What is right among the surest crops: for each share that is answered its `n`, accuracy, balanced accuracy, and
    the `confidence` from which on the model answers."""
    sure = probabilities.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    found = []
    for share in COVERAGES:
        kept = order[: max(1, round(share * len(order)))]
        zeros = np.zeros(len(kept), dtype=np.int64)
        table = confusion_per_unit(truth[kept], probabilities[kept].argmax(axis=1), zeros, probabilities.shape[1])
        found.append(
            {
                "coverage": share,
                "n": len(kept),
                "accuracy": float(accuracy(table)[0]),
                "balanced_accuracy": float(balanced_accuracy(table)[0]),
                "confidence": float(sure[kept[-1]]),
            }
        )
    return found
