"""The rows behind a label-efficiency report: one per arm, seed, fold, tested part and number of queries."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from training.learning.efficiency.outcome import Outcome, tested_rows
from training.learning.efficiency.plan import Index
from training.learning.efficiency.resample import balanced

Cell = str | int | float


def curve_rows(outcome: Outcome, classes: Sequence[str]) -> Iterator[dict[str, Cell]]:
    """Balanced accuracy, recall of each class and number of "not sure" at every point of every run.

    What is held apart has rows of its own; a class that is not tested in a part has an empty recall.
    """
    for arm, (seed, fold) in product(outcome.arms, outcome.cells()):
        run = outcome.found[arm.name, seed, fold]
        tested = tested_rows(outcome.partition, outcome.partition.folds[fold])
        for (part, kept), (at, queries) in product(_parts(outcome, fold), enumerate(outcome.points)):
            row: dict[str, Cell] = {"annotator": outcome.plan.annotator.name, "strategy": arm.name, "seed": seed}
            row |= {"fold": fold + 1, "part": part, "queries": queries, "not_sure": int(run.not_sure[at])}
            yield row | _scores(outcome.data.labels[tested[kept]], run.predicted[at][kept], classes)


def _parts(outcome: Outcome, fold: int) -> list[tuple[str, NDArray[np.bool_]]]:
    """Names of what a fold tests, and which of its tested rows belong to each."""
    partition = outcome.partition
    tested = tested_rows(partition, partition.folds[fold])
    apart = np.arange(len(tested)) >= len(partition.folds[fold][1])
    units = np.unique(partition.unit[partition.apart])
    return [("test", ~apart)] + [(str(unit), apart & (partition.unit[tested] == unit)) for unit in units]


def _scores(labels: Index, predicted: NDArray[np.int16], classes: Sequence[str]) -> dict[str, Cell]:
    hits = np.bincount(labels[predicted == labels], minlength=len(classes)).astype(np.float64)
    totals = np.bincount(labels, minlength=len(classes)).astype(np.float64)
    row: dict[str, Cell] = {"tested_crops": len(labels), "balanced_accuracy": round(float(balanced(hits, totals)), 6)}
    for name, hit, total in zip(classes, hits, totals):
        row[f"recall {name}"] = round(float(hit / total), 6) if total else ""
    return row
