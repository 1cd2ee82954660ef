"""What is held out in a label-efficiency run: whole experiments where there are several, else parts of the one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.learning.efficiency.plan import Index
from training.learning.splits import NotEvaluable, Split, SplitRules, Units, choose_split, satisfies, unit_names

SMALLEST_TEST_SHARE = 0.3
NO_ROWS = np.empty(0, dtype=np.int64)

Fold = tuple[Index, Index]


@dataclass(frozen=True, slots=True)
class Partition:
    """Folds of (pool, test) rows; rows held `apart` are tested in every fold and are in no pool.

    `unit` names what each crop was held out with; `why` explains the split in words.
    """

    level: str
    why: str
    folds: tuple[Fold, ...]
    apart: Index
    unit: NDArray[np.str_]
    not_evaluable: tuple[NotEvaluable, ...] = ()

    @property
    def smallest_pool(self) -> int:
        """Number of crops in the smallest pool."""
        return min(len(pool) for pool, _ in self.folds)

    @property
    def test_share(self) -> float:
        """Smallest share of a test part in its fold, 0 to 1."""
        return min(len(test) / (len(pool) + len(test)) for pool, test in self.folds)


def hold_out(units: Units, labels: Index, rules: SplitRules) -> Partition:
    """The folds of labelled crops (labels -1: not sure, never tested alone).

    By experiment where at least two of them (joined by the subjects they share) hold enough of two classes. Where
    only one does, the folds are made inside it, and the others are held apart and tested whole. Raises ValueError
    when there are too few labels.
    """
    named = np.flatnonzero(labels >= 0)
    split = choose_split(units, labels[named], rules, named)
    home = np.flatnonzero(_home(units, labels, rules))
    if split.level == "experiment" or len(home) in (0, len(labels)):
        return _partition(split, units, labels, named)
    inner = home[labels[home] >= 0]
    split = choose_split(_taken(units, home), labels[inner], rules, np.searchsorted(home, inner))
    folds = tuple((inner[train], inner[test]) for train, test in split.folds)
    unit = unit_names(units, "experiment").astype(object)
    unit[home] = split.unit_of_pool
    apart = np.setdiff1d(named, home)
    others = ", ".join(np.unique(unit[apart]).astype(str))
    why = f"{_inside(split.why, unit_names(units, 'experiment')[home[0]])} Held apart and tested whole: {others}."
    folds = _with_not_sure(widen_folds(folds), unit, np.setdiff1d(home, inner))
    return Partition(split.level, why, folds, apart, unit.astype(np.str_), split.not_evaluable)


def _home(units: Units, labels: Index, rules: SplitRules) -> NDArray[np.bool_]:
    """Crops of the only experiment that can be judged; none when several or no experiment can."""
    names = unit_names(units, "experiment")
    able = [name for name in np.unique(names) if satisfies(labels[(names == name) & (labels >= 0)], rules)]
    return names == able[0] if len(able) == 1 else np.zeros(len(names), dtype=bool)


def _partition(split: Split, units: Units, labels: Index, named: Index) -> Partition:
    """The split of all crops as it is, its test parts widened."""
    folds = widen_folds([(named[train], named[test]) for train, test in split.folds])
    unit = split.unit_of_pool
    why = split.why
    if split.level != "experiment" and len(np.unique(unit_names(units, "experiment"))) == 1:
        why = _inside(why, str(units.experiment[0]))
    unsure = np.flatnonzero(labels < 0)
    return Partition(split.level, why, _with_not_sure(folds, unit, unsure), NO_ROWS, unit, split.not_evaluable)


def _inside(why: str, experiment: str) -> str:
    return f"Within one experiment ({experiment or 'unnamed'}), by grouped cross-validation. {why}"


def _with_not_sure(
    folds: Sequence[Fold], unit: NDArray[np.object_] | NDArray[np.str_], unsure: Index
) -> tuple[Fold, ...]:
    """The folds with crops that people were not sure of in every pool, unless their unit is tested there."""
    return tuple(
        (np.union1d(pool, unsure[~np.isin(unit[unsure].astype(str), unit[test].astype(str))]), test)
        for pool, test in folds
    )


def _taken(units: Units, rows: Index) -> Units:
    crop = None if units.crop is None else units.crop[rows]
    return Units(units.experiment[rows], units.subject[rows], units.sample[rows], units.field[rows], crop)


def widen_folds(folds: Sequence[Fold], share: float = SMALLEST_TEST_SHARE) -> tuple[Fold, ...]:
    """Folds whose test parts hold at least `share` of the crops: each joins the next ones until it does.

    Joining whole test parts keeps experiments and subjects on one side. Raises ValueError when a fold would lose
    its training crops.
    """
    wide = []
    for first in range(len(folds)):
        train, test = folds[first]
        total = len(train) + len(test)
        following = first
        while len(test) < share * total - 1e-9:
            following = (following + 1) % len(folds)
            if following == first:
                raise ValueError(f"all test parts together hold less than {share:.0%} of the crops; use other folds")
            test = np.union1d(test, folds[following][1])
            train = np.setdiff1d(train, test)
        if len(train) == 0:
            raise ValueError(f"fold {first} has no training crops left beside a test part of {share:.0%}")
        wide.append((np.asarray(train), np.asarray(test)))
    return tuple(wide)
