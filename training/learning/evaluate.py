"""The report on held-out crops: every figure with n and an interval over units, ready for JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.intervals import Estimate
from training.learning.calibrate import (
    BINS,
    bin_sums,
    brier,
    calibration_curve,
    ece_floor,
    ece_from_sums,
    negative_log_likelihood,
)
from training.learning.conformal import held_out_sets
from training.learning.curves import abstention, ranked_classes
from training.learning.metrics import (
    Floats,
    Indices,
    accuracy,
    balanced_accuracy,
    confusion_per_unit,
    macro_f1,
    recall_per_class,
    wilson,
)
from training.learning.promotion import gate, paired_difference, with_comparisons
from training.learning.unit_intervals import Scope, describe, jackknife_error, t_quantile, unit_estimate

NO_SETS = "No experiment was held out as a whole, so nothing tells what prediction sets would do in a new one."

__all__ = ["evaluate", "gate", "paired_difference", "with_comparisons"]


def evaluate(
    probabilities: Floats,
    truth: Indices,
    unit: NDArray[Any],
    classes: Sequence[str],
    level: str = "experiment",
) -> dict[str, Any]:
    """Report of held-out probabilities (n, classes) against the truth (n,), with intervals over `unit` (n,).

    `level` says what a unit is. At level "crop" every crop is its own unit and the report says that the
    intervals
    are too narrow for a new experiment. Undefined figures are None with a `reason`. Classes that are absent
    from the
    truth are listed in `not_evaluable` and left out of averages. Raises ValueError on empty or broken input.
    """
    _check(probabilities, truth, unit, classes)
    names, number = np.unique(unit, return_inverse=True)
    if level == "crop":
        names, number = np.arange(len(truth)).astype(np.str_), np.arange(len(truth))
    confusion = confusion_per_unit(truth, probabilities.argmax(axis=1), number, len(classes))
    scope = Scope(len(truth), level)
    figures = {"balanced_accuracy": balanced_accuracy, "macro_f1": macro_f1, "accuracy": accuracy}
    recalls = [_recall(confusion, k, name, scope) for k, name in enumerate(classes)]
    return {
        "n": len(truth),
        "n_units": len(names),
        "level": level,
        "interval": describe(len(names), level),
        "classes": list(classes),
        "not_evaluable": [entry["class"] for entry in recalls if entry["value"] is None],
        **{name: asdict(unit_estimate(confusion, figure, scope)) for name, figure in figures.items()},
        "recall": recalls,
        "confusion": confusion.sum(axis=0).astype(int).tolist(),
        "per_unit": [] if level == "crop" else _per_unit(names, confusion, classes),
        "ranked": ranked_classes(probabilities, truth, number, classes),
        "abstention": abstention(probabilities, truth),
        "sets": {"text": NO_SETS} if level == "crop" else held_out_sets(probabilities, truth, number),
        **_calibration(probabilities, truth, number, scope),
    }


def class_prior(labels: Indices, n_classes: int, n: int) -> Floats:
    """Probabilities (n, classes) of the baseline that knows only how frequent each class is among all
    labelled crops."""
    share = np.bincount(labels, minlength=n_classes) / max(len(labels), 1)
    return np.tile(share, (n, 1))


def _recall(confusion: Floats, k: int, name: str, scope: Scope) -> dict[str, Any]:
    """Recall of one class with a Wilson interval whose n is reduced where units differ more than crops
    explain."""
    rows = confusion[confusion[:, k].sum(axis=1) > 0][:, k]
    n = int(rows.sum())
    if n == 0:
        reason = f"not evaluable: no held-out crop is {name}"
        return {"class": name, **asdict(Estimate(None, None, None, 0, reason)), "n_units": 0}
    share = float(rows[:, k].sum() / n)
    effective, reason = float(n), ""
    if len(rows) < 2:
        reason = f"seen in one {scope.level} only: the interval is over its crops"
    elif 0 < share < 1:
        error = jackknife_error(np.stack([rows[:, k], rows.sum(axis=1)], axis=1), lambda s: s[:, 0] / s[:, 1])
        # Design effect as in survey statistics (Korn and Graubard 1998), with t for the few units.
        effective = min(n, share * (1 - share) / max(error**2, 1e-12) * (1.96 / t_quantile(len(rows))) ** 2)
    low, high = wilson(share, effective)
    return {"class": name, **asdict(Estimate(share, low, high, n, reason)), "n_units": len(rows)}


def _per_unit(names: NDArray[Any], confusion: Floats, classes: Sequence[str]) -> list[dict[str, Any]]:
    """One entry per unit, worst balanced accuracy first."""
    balanced, f1, plain = balanced_accuracy(confusion), macro_f1(confusion), accuracy(confusion)
    recalls = recall_per_class(confusion)
    entries = [
        {
            "unit": str(names[u]),
            "n": int(confusion[u].sum()),
            "balanced_accuracy": float(balanced[u]),
            "macro_f1": float(f1[u]),
            "accuracy": float(plain[u]),
            "counts": {name: int(confusion[u, k].sum()) for k, name in enumerate(classes)},
            "recall": {name: _number(recalls[u, k]) for k, name in enumerate(classes)},
        }
        for u in range(len(names))
    ]
    return sorted(entries, key=lambda entry: (entry["balanced_accuracy"], entry["unit"]))


def _calibration(probabilities: Floats, truth: Indices, number: Indices, scope: Scope) -> dict[str, Any]:
    scores = {"nll": negative_log_likelihood(probabilities, truth), "brier": brier(probabilities, truth)}
    found: dict[str, Any] = {}
    for name, score in scores.items():
        parts = np.zeros((number.max() + 1, 2))
        np.add.at(parts, number, np.stack([score, np.ones(len(score))], axis=1))
        open_ended = Scope(scope.n, scope.level, highest=np.inf, is_share=False)
        found[name] = asdict(unit_estimate(parts, lambda sums: sums[:, 0] / sums[:, 1], open_ended))
    bins, sums = bin_sums(probabilities, truth)
    value = np.zeros((number.max() + 1, BINS, 3))
    np.add.at(value, (number, bins), sums)
    mean, p95 = ece_floor(probabilities)
    bounded = Scope(scope.n, scope.level, is_share=False)
    return {
        **found,
        "ece": asdict(unit_estimate(value, ece_from_sums, bounded)),
        "ece_floor": {"mean": mean, "p95": p95},
        "calibration": calibration_curve(probabilities, truth),
    }


def _check(probabilities: Floats, truth: Indices, unit: NDArray[Any], classes: Sequence[str]) -> None:
    if not len(truth):
        raise ValueError("nothing to evaluate: no held-out crop")
    if probabilities.shape != (len(truth), len(classes)) or len(unit) != len(truth):
        raise ValueError(
            f"probabilities {probabilities.shape}, {len(truth)} labels, {len(unit)} units and "
            f"{len(classes)} classes do not fit together"
        )
    if not np.isfinite(probabilities).all() or not np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-3):
        raise ValueError("probabilities must be finite and sum to 1 for every crop")
    if truth.min() < 0 or truth.max() >= len(classes):
        raise ValueError(f"labels must be class indices from 0 to {len(classes) - 1}")


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
