"""Everything that the command `agreement` answers: the summary of the overview, the consensus model, the suspects."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from labeling.agreement.dawid_skene import Consensus, Fit, consensus
from labeling.agreement.summary import summarise
from labeling.agreement.suspects import suspects
from labeling.agreement.table import ReadTable, without_label


def full_report(table: ReadTable, ordered: Sequence[str] | None = None) -> dict[str, Any]:
    """`summarise` with `dawid_skene` and `suspects`, which take longer than a page may wait for."""
    return summarise(table, ordered) | {
        "dawid_skene": dawid_skene_of(table),
        "suspects": [asdict(found) for found in suspects(table)],
    }


def dawid_skene_of(table: ReadTable) -> dict[str, Any]:
    """The consensus model in words and numbers. "Not sure" is no class that an item can have, so it is left out."""
    sure = without_label(table, table.not_sure)
    return told_model(sure, consensus(sure))


def told_model(sure: ReadTable, found: Consensus) -> dict[str, Any]:
    """A fit over a table in words and numbers."""
    base: dict[str, Any] = {"start": found.start, "smoothing": 0.0, "reason": found.reason, "would_change": []}
    if found.fit is None:
        return base | {"log_likelihood": None, "prevalence": None, "best_log_likelihood": None}
    return base | _told(sure, found, found.fit)


def _told(table: ReadTable, found: Consensus, fit: Fit) -> dict[str, Any]:
    return {
        "log_likelihood": fit.log_likelihood,
        "prevalence": dict(zip(table.labels, map(float, fit.prevalence))),
        "best_log_likelihood": found.best_log_likelihood,
        "would_change": [{"item": item, "now": now, "other": other} for item, now, other in found.would_change],
        "confusion": {name: _rows(matrix) for name, matrix in zip(table.annotators, fit.confusion)},
        "labels": list(table.labels),
        "rounds": fit.rounds,
        "converged": fit.converged,
    }


def _rows(matrix: np.ndarray[Any, np.dtype[np.float64]]) -> list[list[float | None]]:
    return [[float(value) if np.isfinite(value) else None for value in row] for row in matrix]
