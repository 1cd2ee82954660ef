"""Label efficiency: compares the strategies on labelled crops, tells how far it is, and writes the report."""

import csv
import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.learning.efficiency.folds import hold_out
from training.learning.efficiency.outcome import Outcome, compare_arms
from training.learning.efficiency.plan import EfficiencyPlan, LabelledPool
from training.learning.efficiency.plot import draw
from training.learning.efficiency.report import make_report
from training.learning.efficiency.rows import curve_rows
from training.learning.simulation import SimulatedAnnotator, boundary_distances, scaled_to_share
from training.learning.splits import SplitRules
from training.worker.efficiency_manifest import Labelled

# Three folds leave test parts of a third: large enough to tell strategies apart.
FOLDS = 3
TELL_SECONDS = 10.0
FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Real annotation sets hold 10 to 30 % of answers "not sure".
NOT_SURE_SHARE = 0.25

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The report as plain values, and everything it was made from."""

    report: dict[str, Any]
    outcome: Outcome
    classes: tuple[str, ...]


def compare_strategies(labelled: Labelled, plan: EfficiencyPlan, tell: Tell) -> Comparison:
    """The figures of every strategy on the labelled crops, with the split in words; ValueError where it cannot be."""
    pool = labelled.pool
    rules = SplitRules(classes=labelled.classes, max_folds=FOLDS)
    partition = hold_out(labelled.units, pool.labels, rules)
    if plan.annotator.not_sure_rate_near_boundary > 0:
        pool = replace(pool, distance=_doubt(pool, plan.annotator))
    tell(f"{len(plan.arms())} arms, {len(plan.seeds)} seeds, {len(partition.folds)} folds. {partition.why}")
    outcome = compare_arms(plan, pool, partition, progress(tell))
    report = labelled.about | make_report(outcome, labelled.classes)
    return Comparison(report, outcome, labelled.classes)


def _doubt(pool: LabelledPool, person: SimulatedAnnotator) -> NDArray[np.float64]:
    """Distance of each crop to the boundary, in the unit that makes a quarter of all answers "not sure"."""
    distance = boundary_distances(pool.embeddings, pool.labels, pool.classes)
    return scaled_to_share(distance, person.not_sure_rate_near_boundary, NOT_SURE_SHARE)


def progress(tell: Tell) -> Callable[[int, int], None]:
    """A listener that tells at most every ten seconds how many runs are done and when the rest will be."""
    began = last = time.monotonic()

    def listen(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= TELL_SECONDS or done == total:
            last = now
            minutes, seconds = divmod(round((now - began) / done * (total - done)), 60)
            tell(f"{done} of {total} runs, about {minutes} min {seconds} s left")

    return listen


def write_files(comparison: Comparison, folder: Path) -> list[str]:
    """Paths of report.json, curves.csv, curves.svg and curves.png in the folder, each complete or not there."""
    texts = {
        "report.json": json.dumps(comparison.report, indent=1, ensure_ascii=False, allow_nan=False).encode(),
        "curves.csv": _table(comparison).encode(),
        **{f"curves.{kind}": draw(comparison.report, kind) for kind in ("svg", "png")},
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in texts.items():
        temporary = folder / f".{name}.{os.getpid()}.tmp"
        temporary.write_bytes(content)
        temporary.replace(folder / name)
    return [str(folder / name) for name in texts]


def _table(comparison: Comparison) -> str:
    rows = list(curve_rows(comparison.outcome, comparison.classes))
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow([as_cell(name) for name in rows[0]])
    table.writerows([as_cell(value) for value in row.values()] for row in rows)
    return stream.getvalue()


def as_cell(value: str | int | float) -> str | int | float:
    """The value as a cell; a spreadsheet runs text that begins like a formula: an apostrophe keeps it text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in FORMULA else value
