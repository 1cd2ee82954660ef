"""A model's held-out predictions beside the people who read the same crops: as one more reader, and as one voice of
their consensus."""

from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.crowdlab import Weighed, crowdlab, majority
from labeling.agreement.intervals import Estimate
from labeling.agreement.model_reader import Against, ModelReader, model_beside
from labeling.agreement.table import ReadTable, from_long, recoded
from labeling.models import Study
from labeling.services.progress import COUNTS_FOR, NOT_SURE_LABEL, independent_reads
from training.worker.examples import Examples

# Enough to talk about in one sitting; the crops stand with the least likely answer first.
MOST_DOUBTED = 50
DOUBTFUL = 0.5


def beside_readers(study: Study, examples: Examples, predictions: NDArray[np.float64]) -> dict[str, Any]:
    """What the report says of the model (pool, classes) and the study's readers, or {"reason"} where nothing can be.

    Only independent reads count: no bulk answer, no accepted suggestion, nothing out of a file. Readers stand in it
    by number: names stand in the user table alone.
    """
    rows_read = independent_reads(study).values_list("crop__key", "annotator_id", COUNTS_FOR)
    told = ((crop, str(annotator), label or NOT_SURE_LABEL) for crop, annotator, label in rows_read)
    table = _by_class(from_long(told, not_sure=NOT_SURE_LABEL), examples.classes)
    rows = _rows(examples, table)
    if not len(rows) or (rows < 0).all():
        return {"reason": "nobody read a crop of the pool on its own"}
    known = predictions[rows] * (rows >= 0)[:, None]
    predicted = np.where(rows >= 0, known.argmax(axis=1), -1).astype(np.int64)
    return _compared(model_beside(table, predicted, known[rows >= 0])) | {
        "consensus": _consensus(examples, table, rows, known)
    }


def _by_class(table: ReadTable, classes: list[str]) -> ReadTable:
    """The table with the model's classes for labels: "not sure" and classes that are no longer open are missing."""
    places = {key: code for code, key in enumerate(classes)}
    codes = np.array([places.get(label, -1) for label in table.labels], dtype=np.int64)
    return recoded(table, codes, tuple(classes))


def _rows(examples: Examples, table: ReadTable) -> NDArray[np.int64]:
    """Row of the pool for each item of the table, -1 for crops that are no longer in it."""
    places = {key: row for row, key in enumerate(examples.pool.crop_keys)}
    return np.array([places.get(item, -1) for item in table.items], dtype=np.int64)


def _compared(found: ModelReader) -> dict[str, Any]:
    return {
        "without_model": asdict(found.without),
        "with_model": asdict(found.with_model),
        "against": [_row(one) for one in found.against],
        "winning_rate": found.winning_rate,
        "advantage": found.advantage,
        "passes": found.passes,
        "ceiling": found.ceiling,
    }


def _row(found: Against) -> dict[str, Any]:
    told = asdict(found) | {"annotator": int(found.annotator), "kappa": _estimate(found.kappa)}
    return {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in told.items()}


def _estimate(found: Estimate) -> dict[str, Any]:
    return asdict(found)


def _consensus(
    examples: Examples, table: ReadTable, rows: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> dict[str, Any]:
    """The word of CROWDLAB on the crops that were read: where it differs from the votes, and what it doubts most."""
    read = (table.codes >= 0).any(axis=1) & (rows >= 0)
    codes, known = table.codes[read], probabilities[read]
    try:
        found = crowdlab(codes, known)
    except ValueError as error:
        return {"reason": str(error)}
    votes = majority(codes, np.full_like(known, 1.0))
    keys = [table.items[at] for at in np.flatnonzero(read)]
    return {
        "crops": len(keys),
        "changed": int((found.labels != votes).sum()),
        "model_weight": found.model_weight,
        "annotator_weights": dict(zip(table.annotators, map(float, found.annotator_weights))),
        "doubted": _doubted(examples, keys, votes, found),
    }


def _doubted(examples: Examples, keys: list[str], votes: NDArray[np.int64], found: Weighed) -> list[dict[str, Any]]:
    """Crops whose voted class the consensus finds less likely than not, the least likely first."""
    chance = found.posterior[np.arange(len(votes)), votes]
    order = [at for at in np.argsort(chance, kind="stable") if chance[at] < DOUBTFUL][:MOST_DOUBTED]
    numbers = dict(zip(examples.pool.crop_keys, map(int, examples.pool.crop_ids)))
    return [
        {
            "crop": numbers[keys[at]],
            "voted": examples.classes[votes[at]],
            "likelier": examples.classes[int(found.labels[at])],
            "chance": float(chance[at]),
        }
        for at in order
    ]
