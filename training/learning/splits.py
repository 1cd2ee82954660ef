"""Which labelled crops are held out together: by experiment where the labels allow it, else by the next
level down."""

from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Indices = NDArray[np.int64]
Names = NDArray[np.str_]
Fold = tuple[Indices, Indices]

LEVELS = ("experiment", "subject", "sample", "field", "crop")


@dataclass(frozen=True, slots=True)
class Units:
    """Where each crop comes from, one name per crop; an empty name means that it is not known.

    `crop` names the pixels: crops of one name show the same thing, also in different experiments.
    """

    experiment: Names
    subject: Names
    sample: Names
    field: Names
    crop: Names | None = None


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
    words.

    `unit_of` names the unit of each labelled crop, `unit_of_pool` that of every crop of the pool.
    """

    level: str
    why: str
    folds: tuple[Fold, ...]
    unit_of: Names
    unit_of_pool: Names
    not_evaluable: tuple[NotEvaluable, ...] = field(default=())

    @property
    def fold_of(self) -> Indices:
        """Fold in which each crop is held out, shape (crops,); -1 for a crop that never is."""
        fold = np.full(len(self.unit_of), -1, dtype=np.int64)
        for number, (_, test) in enumerate(self.folds):
            fold[test] = number
        return fold


def choose_split(
    units: Units, labels: Indices, rules: SplitRules | None = None, rows: Indices | None = None
) -> Split:
    """Split of the labelled crops at the highest level at which both sides of every fold satisfy the rules.

    Levels from high to low: experiment (joined with the subjects it shares), subject, sample, field, crop.
    `labels` are class indices of the crops at `rows` of the pool that `units` describes (default: of all). Units are
    formed over the whole pool: also a crop without a label joins what it belongs to. Raises ValueError when there are
    too few labels even for folds of crops.
    """
    rules = rules or SplitRules()
    rows = np.arange(len(units.experiment)) if rows is None else rows
    _check_lengths(units, labels, rows)
    obstacles: list[str] = []
    for level in LEVELS[:-1]:
        pool = unit_names(units, level)
        folds, obstacle = _folds_of_units(pool[rows], labels, rules)
        if folds:
            break
        obstacles.append(f"By {level}: {obstacle or f'no {level} is recorded'}.")
    else:
        level, pool = "crop", unit_names(units, "crop")
        folds = _folds_of_crops(pool[rows], labels, rules)
    lone = _lone(units.experiment[rows], labels, rules, level)
    why = _described(level, pool[rows], folds, obstacles, lone)
    return Split(level, why, tuple(folds), pool[rows], pool, lone.listed)


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
    return replace(split, why=why, folds=((train, test),))


def satisfies(labels: Indices, rules: SplitRules) -> bool:
    """Whether these crops hold enough classes with enough crops each to be one side of a split."""
    return bool((np.bincount(labels, minlength=1) >= rules.min_per_class).sum() >= rules.min_classes)


def unit_names(units: Units, level: str) -> Names:
    """Name of each crop's unit at a level; empty for all crops when the level is not recorded anywhere.

    An experiment is joined with every other experiment that shares one of its subjects, and units of every level with
    those that hold the same crop. Wells and fields carry the experiment's name, because "B02" means another well on
    every plate. Crops without a name form one unit; at level "crop" each is its own.
    """
    own = _own_names(units, level)
    if not (own != "").any():
        return own
    keys = np.full(len(own), "") if units.crop is None else units.crop
    links = (keys, units.subject) if level == "experiment" else (keys,)
    return _joined(np.where(own == "", "(unknown)", own), links)


def _own_names(units: Units, level: str) -> Names:
    """Names before any are joined."""
    if level == "experiment":
        return units.experiment
    if level == "crop":
        return np.arange(len(units.experiment)).astype(np.str_)
    own = {"subject": units.subject, "sample": units.sample, "field": units.field}[level]
    parents = {"subject": [], "sample": [units.experiment], "field": [units.experiment, units.sample]}[level]
    if not (own != "").any():
        return own
    named = np.where(own == "", "(unknown)", own)
    for parent in reversed(parents):
        named = np.char.add(np.char.add(parent, "/"), named)
    return named


def _joined(own: Names, links: tuple[Names, ...]) -> Names:
    """Names of the connected components of units that share a link, e.g. "run 1 + run 2"; "" links nothing."""
    names, member = np.unique(own, return_inverse=True)
    ends, size = [], len(names)
    for link in links:
        known = np.flatnonzero(link != "")
        shared = np.unique(link[known], return_inverse=True)[1]
        ends.append(np.stack([member[known], shared + size]))
        size += int(shared.max()) + 1 if len(shared) else 0
    start, end = np.concatenate(ends, axis=1)
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(size, size))
    part = np.unique(connected_components(graph, directed=False)[1][: len(names)], return_inverse=True)[1]
    order = np.argsort(part, kind="stable")
    groups = np.split(names[order], np.flatnonzero(np.diff(part[order])) + 1)
    return np.array([" + ".join(group) for group in groups], dtype=np.str_)[part][member]


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
        # Imported where folds are made: pages and the ranking read units and load no scikit-learn.
        from sklearn.model_selection import GroupKFold

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


def _folds_of_crops(unit: Names, labels: Indices, rules: SplitRules) -> list[Fold]:
    """Stratified folds in which crops of equal pixels stay together: one of them stands for all."""
    _, first, member = np.unique(unit, return_index=True, return_inverse=True)
    stands_for = np.unique(first[member], return_inverse=True)[1]
    fold = _stratified(labels[np.sort(first)], rules)[stands_for]
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in np.unique(fold)]


def _stratified(labels: Indices, rules: SplitRules) -> Indices:
    """Fold of each crop."""
    counts = np.sort(np.bincount(labels, minlength=rules.min_classes))[::-1]
    n_folds = min(rules.max_folds, int(counts[rules.min_classes - 1]) // rules.min_per_class)
    if n_folds < 2:
        needed = 2 * rules.min_per_class
        raise ValueError(
            f"too few labels to hold any out: {rules.min_classes} classes need {needed} labelled crops each, "
            f"there are {_named_counts(labels, rules) or 'none'}; label more crops"
        )
    # Classes smaller than the number of folds are pooled: they cannot be stratified.
    strata = np.where(np.bincount(labels)[labels] >= n_folds, labels, -1)
    if 0 < (strata == -1).sum() < n_folds:
        strata[strata == -1] = int(np.argmax(np.bincount(labels)))
    from sklearn.model_selection import StratifiedKFold

    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=rules.seed)
    return _fold_numbers([test for _, test in splitter.split(labels, strata)], len(labels))


def _fold_numbers(tests: list[Indices], n: int) -> Indices:
    fold = np.zeros(n, dtype=np.int64)
    for number, test in enumerate(tests):
        fold[test] = number
    return fold


@dataclass(frozen=True, slots=True)
class _Lone:
    """Experiments whose own crops could not be a test side: those worth a line each, and the number of the others."""

    listed: tuple[NotEvaluable, ...]
    together: int


def _lone(experiment: Names, labels: Indices, rules: SplitRules, level: str) -> _Lone:
    own = {str(name): labels[experiment == name] for name in np.unique(experiment) if name}
    found = tuple(
        NotEvaluable(name, _shortage(held, rules), len(np.unique(held)) == 1)
        for name, held in own.items()
        if not satisfies(held, rules)
    )
    # Small experiments that share a fold are evaluated all the same; of one class, there is nothing to tell apart.
    listed = tuple(entry for entry in found if entry.one_class or level != "experiment")
    return _Lone(listed, len(found) - len(listed))


def _shortage(labels: Indices, rules: SplitRules) -> str:
    held = _named_counts(labels, rules)
    if len(np.unique(labels)) == 1:
        return f"holds one class only ({held}), so it cannot be held out alone"
    return f"needs {rules.min_classes} classes with {rules.min_per_class} crops each, has {held}"


def _named_counts(labels: Indices, rules: SplitRules) -> str:
    """The classes that are there with their crops, as in "disc 12, ring 3"."""
    present, counts = np.unique(labels, return_counts=True)
    names = [rules.classes[k] if k < len(rules.classes) else f"class {k}" for k in present]
    return ", ".join(f"{name} {count}" for name, count in zip(names, counts))


def _described(level: str, unit: Names, folds: list[Fold], obstacles: list[str], lone: _Lone) -> str:
    words = [f"Held out by {level}: {len(np.unique(unit))} {level}s in {len(folds)} folds; none is on both sides."]
    if level != "experiment":
        words.append(
            "The figures hold for further crops of these experiments, not for a new experiment. "
            "Higher levels were not possible."
        )
    words += obstacles
    single = [entry for entry in lone.listed if entry.one_class][:3]
    words += [f"{entry.experiment} {entry.reason}." for entry in single]
    if others := len(lone.listed) - len(single):
        counted = "1 experiment holds" if others == 1 else f"{others} experiments hold"
        words.append(f"{counted} too few crops of a second class to be held out alone.")
    if lone.together == 1:
        words.append("1 experiment too small to stand alone is held out together with another.")
    elif lone.together:
        words.append(f"{lone.together} experiments too small to stand alone are held out together.")
    return " ".join(words)


def _check_lengths(units: Units, labels: Indices, rows: Indices) -> None:
    lengths = {len(units.experiment), len(units.subject), len(units.sample), len(units.field)}
    if len(lengths) > 1 or len(rows) != len(labels):
        found = sorted(lengths | {len(rows), len(labels)})
        raise ValueError(f"units and labels must be equally long, got lengths {found}")
    if len(labels) and labels.min() < 0:
        raise ValueError("labels must be class indices from 0; leave unlabelled crops out of the split")
