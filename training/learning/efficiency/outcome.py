"""What all runs of a comparison found, counted up per arm, seed, point and held-out unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from training.learning.efficiency.folds import Fold, Partition
from training.learning.efficiency.jobs import Tell, run_all
from training.learning.efficiency.plan import Arm, EfficiencyPlan, Index, LabelledPool
from training.learning.efficiency.replay import Replay, Run, full_pool_predictions
from training.learning.efficiency.resample import Tally

# With fewer units than this a bootstrap over them says nothing: the folds are resampled instead.
FEWEST_UNITS = 5


@dataclass(frozen=True, slots=True)
class Clusters:
    """What intervals resample beside the seeds: number per row of the data, and its name in words."""

    of_row: Index
    by_fold: bool
    count: int
    words: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything a report is made from. `found` holds the replays by arm name, seed and fold; `full` the classes
    that a head with all labels of each fold's pool gives."""

    plan: EfficiencyPlan
    data: LabelledPool
    partition: Partition
    points: list[int]
    found: dict[tuple[str, int, int], Replay]
    full: list[NDArray[np.int16]]

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that were run."""
        return self.plan.arms()

    def tally(self, name: str) -> Tally:
        """Right answers of an arm on the test parts, by seed, point and cluster."""
        folds = range(len(self.partition.folds))
        return self._tally([[self.found[name, seed, fold].predicted for fold in folds] for seed in self.plan.seeds])

    def full_tally(self) -> Tally:
        """The same for the head that learns from every label of a pool: one seed, one point."""
        return self._tally([self.full])

    def _tally(self, predicted: Sequence[Sequence[NDArray[np.int16]]]) -> Tally:
        groups, labels = clusters(self.partition), self.data.labels
        hits = np.zeros((len(predicted), len(predicted[0][0]), groups.count, self.data.classes))
        totals = np.zeros(hits.shape[2:])
        for fold, (_, test) in enumerate(self.partition.folds):
            place = np.full(len(test), fold) if groups.by_fold else groups.of_row[test]
            np.add.at(totals, (place, labels[test]), 1)
            for seed, folds in enumerate(predicted):
                right = folds[fold][:, : len(test)] == labels[test]
                np.add.at(hits[seed].transpose(1, 2, 0), (place, labels[test]), right.T)
        return Tally(hits, totals)

    def not_sure_share(self, name: str) -> float:
        """Share of answers "not sure" among the queries of the whole budget, over seeds and folds."""
        runs = [self.found[name, seed, fold] for seed, fold in self.cells()]
        return float(np.mean([run.not_sure[-1] for run in runs])) / self.points[-1]

    def cells(self) -> list[tuple[int, int]]:
        """Every seed with every fold."""
        return list(product(self.plan.seeds, range(len(self.partition.folds))))

    def recall_in(self, name: str, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Recall (K,) of an arm at the full budget on some rows, mean over seeds and folds; NaN where not tested."""
        hits, totals = np.zeros(self.data.classes), np.zeros(self.data.classes)
        for seed, fold in self.cells():
            tested = tested_rows(self.partition, self.partition.folds[fold])
            kept = rows[tested]
            labels = self.data.labels[tested[kept]]
            np.add.at(hits, labels, self.found[name, seed, fold].predicted[-1][kept] == labels)
            np.add.at(totals, labels, 1)
        return np.asarray(hits / np.where(totals > 0, totals, np.nan))


def tested_rows(partition: Partition, fold: Fold) -> Index:
    """Rows that a run on the fold predicts: its test part, then what is held apart."""
    return np.concatenate([fold[1], partition.apart])


def clusters(partition: Partition) -> Clusters:
    """Held-out units where there are at least five, else the folds."""
    tested = np.unique(np.concatenate([test for _, test in partition.folds]))
    names, number = np.unique(partition.unit[tested], return_inverse=True)
    of_row = np.full(len(partition.unit), -1, dtype=np.int64)
    of_row[tested] = number
    if len(names) >= FEWEST_UNITS:
        return Clusters(of_row, False, len(names), f"{len(names)} {partition.level}s")
    return Clusters(of_row, True, len(partition.folds), f"{len(partition.folds)} folds only")


def compare_arms(plan: EfficiencyPlan, data: LabelledPool, partition: Partition, tell: Tell) -> Outcome:
    """The outcome of every arm with every seed on every fold.

    A budget above the smallest pool is cut to it. Raises ValueError when a pool is smaller than one step.
    """
    smallest = partition.smallest_pool
    if smallest < plan.step:
        raise ValueError(
            f"a fold has {smallest} training crops, fewer than one step of {plan.step}; label more crops"
        )
    points = plan.points(smallest)
    folds = [(fold[0], tested_rows(partition, fold)) for fold in partition.folds]
    runs = [Run(*parts) for parts in product(plan.arms(), plan.seeds, range(len(folds)))]
    replays = run_all(runs, (plan, data, folds, points), tell)
    found = {(run.arm.name, run.seed, run.fold): one for run, one in zip(runs, replays)}
    full = [full_pool_predictions(data, fold, plan.ranking.head) for fold in folds]
    return Outcome(plan, data, partition, points, found, full)
