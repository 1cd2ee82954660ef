"""Which labelled crops are held out together: by experiment where the labels allow it, else by the next
level down."""

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import GroupKFold, StratifiedKFold

Indices = NDArray[np.int64]
Names = NDArray[np.str_]
Fold = tuple[Indices, Indices]

LEVELS = ("experiment", "subject", "sample", "field", "crop")


@dataclass(frozen=True, slots=True)
class Units:
    """Where each crop comes from, one name per crop; an empty name means that it is not known."""

    experiment: Names
    subject: Names
    sample: Names
    field: Names


@dataclass(frozen=True, slots=True)
class SplitRules:
    """What both sides of a split must hold: `min_classes` classes with at least `min_per_class` crops
    each."""

    min_classes: int = 2
    min_per_class: int = 5
    max_folds: int = 5
    seed: int = 0
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotEvaluable:
    """An experiment that cannot be held out alone, and why."""

    experiment: str
    reason: str
    one_class: bool = False


@dataclass(frozen=True, slots=True)
class Split:
    """Folds of (train, test) indices; no unit of `level` is on both sides of a fold. `why` explains it in
    words."""

    level: str
    why: str
    folds: tuple[Fold, ...]
    unit_of: Names
    not_evaluable: tuple[NotEvaluable, ...] = field(default=())

    @property
    def fold_of(self) -> Indices:
        """Fold in which each crop is held out, shape (crops,); -1 for a crop that never is."""
        fold = np.full(len(self.unit_of), -1, dtype=np.int64)
        for number, (_, test) in enumerate(self.folds):
            fold[test] = number
        return fold


def choose_split(units: Units, labels: Indices, rules: SplitRules | None = None) -> Split:
    """Split of the labelled crops at the highest level at which both sides of every fold satisfy the rules.

    Levels from high to low: experiment (joined with the subjects it shares), subject, sample, field, crop.
    `labels` are class indices. Raises ValueError when there are too few labels even for folds of crops.
    """
    rules = rules or SplitRules()
    _check_lengths(units, labels)
    obstacles: list[str] = []
    for level in LEVELS[:-1]:
        unit = unit_names(units, level)
        folds, obstacle = _folds_of_units(unit, labels, rules)
        if folds:
            return _described(level, unit, folds, obstacles, _lone(units, labels, rules))
        obstacles.append(f"By {level}: {obstacle or f'no {level} is recorded'}.")
    folds = _folds_of_crops(labels, rules)
    unit = np.arange(len(labels)).astype(np.str_)
    return _described("crop", unit, folds, obstacles, _lone(units, labels, rules))


def single_holdout(units: Units, labels: Indices, share: float = 0.3, rules: SplitRules | None = None) -> Split:
    """Split with one fold whose test side is the smallest union of units' folds with at least `share` of
    the crops."""
    split = choose_split(units, labels, rules)
    tests = [test for _, test in split.folds]
    # Unions of valid sides are valid, so any proper subset of folds may be the test side.
    subsets = [s for size in range(1, len(tests)) for s in combinations(range(len(tests)), size)]
    sizes = [sum(len(tests[i]) for i in subset) for subset in subsets]
    enough = [i for i, size in enumerate(sizes) if size >= share * len(labels)] or [int(np.argmax(sizes))]
    chosen = subsets[min(enough, key=lambda i: sizes[i])]
    test = np.sort(np.concatenate([tests[i] for i in chosen]))
    train = np.setdiff1d(np.arange(len(labels)), test)
    why = f"{split.why} One held-out part of {len(test)} of {len(labels)} crops is used."
    return Split(split.level, why, ((train, test),), split.unit_of, split.not_evaluable)


def satisfies(labels: Indices, rules: SplitRules) -> bool:
    """Whether these crops hold enough classes with enough crops each to be one side of a split."""
    return bool((np.bincount(labels, minlength=1) >= rules.min_per_class).sum() >= rules.min_classes)


def unit_names(units: Units, level: str) -> Names:
    """Name of each crop's unit at a level; empty for all crops when the level is not recorded anywhere.

    An experiment is joined with every other experiment that shares one of its subjects. Wells and fields
    carry
    the experiment's name, because "B02" means another well on every plate. Crops without a name form one
    unit.
    """
    if level == "experiment":
        return _joined_experiments(units.experiment, units.subject)
    own = {"subject": units.subject, "sample": units.sample, "field": units.field}[level]
    parents = {"subject": [], "sample": [units.experiment], "field": [units.experiment, units.sample]}[level]
    if not (own != "").any():
        return own
    named = np.where(own == "", "(unknown)", own)
    for parent in reversed(parents):
        named = np.char.add(np.char.add(parent, "/"), named)
    return named


def _joined_experiments(experiment: Names, subject: Names) -> Names:
    """Names of the connected components of experiments and subjects, e.g. "run 1 + run 2"."""
    if not (experiment != "").any():
        return experiment
    names, e = np.unique(np.where(experiment == "", "(unknown)", experiment), return_inverse=True)
    known = subject != ""
    _, s = np.unique(subject[known], return_inverse=True)
    size = len(names) + (int(s.max()) + 1 if len(s) else 0)
    links = coo_array((np.ones(known.sum()), (e[known], s + len(names))), shape=(size, size))
    part = connected_components(links, directed=False)[1][: len(names)]
    joined = {p: " + ".join(names[part == p]) for p in np.unique(part)}
    return np.array([joined[p] for p in part])[e]


def _folds_of_units(unit: Names, labels: Indices, rules: SplitRules) -> tuple[list[Fold], str]:
    """Folds of whole units, or none and the reason."""
    if not (unit != "").any():
        return [], ""
    names, member = np.unique(unit, return_inverse=True)
    if len(names) == 1:
        return [], "there is only one"
    fold = member if len(names) <= rules.max_folds else _dealt_out(member, labels, rules)
    fold = _merged_until_valid(fold, labels, rules)
    folds = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in np.unique(fold)]
    if len(folds) > 1 and all(satisfies(labels[side], rules) for sides in folds for side in sides):
        return folds, ""
    rule = f"{rules.min_classes} classes with {rules.min_per_class} crops each"
    return [], f"{len(names)} units, but no way to hold some out leaves {rule} on both sides"


def _dealt_out(member: Indices, labels: Indices, rules: SplitRules) -> Indices:
    """Fold of each crop when there are more units than folds: whole units, classes spread as evenly as they
    go.

    Units go one by one, those with most crops first, to the fold that then has the most even share of
    classes.
    """
    counts = np.zeros((member.max() + 1, labels.max() + 1))
    np.add.at(counts, (member, labels), 1)
    if len(counts) > 5000:
        splitter = GroupKFold(rules.max_folds)
        return _fold_numbers([test for _, test in splitter.split(labels, groups=member)], len(labels))
    share = counts / np.maximum(counts.sum(axis=0), 1)
    loads = np.zeros((rules.max_folds, counts.shape[1]))
    home = np.zeros(len(counts), dtype=np.int64)
    for u in np.argsort(-counts.sum(axis=1), kind="stable"):
        # Sum of squared loads grows least where the unit's classes are still missing.
        growth = ((loads + share[u]) ** 2 - loads**2).sum(axis=1)
        home[u] = np.argmin(growth)
        loads[home[u]] += share[u]
    return np.asarray(home[member])


def _merged_until_valid(fold: Indices, labels: Indices, rules: SplitRules) -> Indices:
    """Folds in which those that break the rules were joined to another, smallest first."""
    fold = np.unique(fold, return_inverse=True)[1].astype(np.int64)
    while True:
        numbers, sizes = np.unique(fold, return_counts=True)
        broken = [k for k in numbers if not satisfies(labels[fold == k], rules)]
        if not broken or len(numbers) == 1:
            return fold
        size = dict(zip(numbers.tolist(), sizes.tolist()))
        worst = min(broken, key=lambda k: (size[k], k))
        others = [k for k in numbers if k != worst]
        partner = min(others, key=lambda k: (not satisfies(labels[np.isin(fold, (k, worst))], rules), size[k], k))
        fold[fold == worst] = partner


def _folds_of_crops(labels: Indices, rules: SplitRules) -> list[Fold]:
    counts = np.sort(np.bincount(labels, minlength=rules.min_classes))[::-1]
    n_folds = min(rules.max_folds, int(counts[rules.min_classes - 1]) // rules.min_per_class)
    if n_folds < 2:
        needed = 2 * rules.min_per_class
        raise ValueError(
            f"too few labels to hold any out: {rules.min_classes} classes need {needed} labelled crops each, "
            f"the counts are {counts.tolist()}; label more crops"
        )
    # Classes smaller than the number of folds are pooled: they cannot be stratified.
    strata = np.where(np.bincount(labels)[labels] >= n_folds, labels, -1)
    if 0 < (strata == -1).sum() < n_folds:
        strata[strata == -1] = int(np.argmax(np.bincount(labels)))
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=rules.seed)
    return [(train, test) for train, test in splitter.split(labels, strata)]


def _fold_numbers(tests: list[Indices], n: int) -> Indices:
    fold = np.zeros(n, dtype=np.int64)
    for number, test in enumerate(tests):
        fold[test] = number
    return fold


def _lone(units: Units, labels: Indices, rules: SplitRules) -> tuple[NotEvaluable, ...]:
    """Experiments whose own crops could not be a test side."""
    own = {str(name): labels[units.experiment == name] for name in np.unique(units.experiment) if name}
    return tuple(
        NotEvaluable(name, _shortage(held, rules), len(np.unique(held)) == 1)
        for name, held in own.items()
        if not satisfies(held, rules)
    )


def _shortage(labels: Indices, rules: SplitRules) -> str:
    present, counts = np.unique(labels, return_counts=True)
    names = [rules.classes[k] if k < len(rules.classes) else f"class {k}" for k in present]
    held = ", ".join(f"{name} {count}" for name, count in zip(names, counts))
    if len(present) == 1:
        return f"holds one class only ({held}), so it cannot be held out alone"
    return f"needs {rules.min_classes} classes with {rules.min_per_class} crops each, has {held}"


def _described(
    level: str, unit: Names, folds: list[Fold], obstacles: list[str], lone: tuple[NotEvaluable, ...]
) -> Split:
    n_units = len(np.unique(unit))
    words = [f"Held out by {level}: {n_units} {level}s in {len(folds)} folds; none is on both sides."]
    if level != "experiment":
        words.append(
            "The figures hold for further crops of these experiments, not for a new experiment. "
            "Higher levels were not possible."
        )
    words += obstacles
    single = [entry for entry in lone if entry.one_class][:3]
    words += [f"{entry.experiment} {entry.reason}." for entry in single]
    if others := len(lone) - len(single):
        words.append(f"{others} experiments hold too few crops of a second class to be held out alone.")
    return Split(level, " ".join(words), tuple(folds), unit, lone)


def _check_lengths(units: Units, labels: Indices) -> None:
    lengths = {len(units.experiment), len(units.subject), len(units.sample), len(units.field), len(labels)}
    if len(lengths) > 1:
        raise ValueError(f"units and labels must be equally long, got lengths {sorted(lengths)}")
    if len(labels) and labels.min() < 0:
        raise ValueError("labels must be class indices from 0; leave unlabelled crops out of the split")
