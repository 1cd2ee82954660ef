"""Labelled data sets: one task of a manifest, what each annotator said in it, and a fair part of it."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from imaging.pixels.geometry import Box
from imaging.pixels.listing import FieldEntry, LabelEntry, Listing

Item = tuple[str, Box | None]


@dataclass(frozen=True, slots=True)
class Task:
    """One question of a manifest: for each item (file, box) what each annotator says; classes in order."""

    name: str
    answers: dict[Item, dict[str, str]]
    classes: tuple[str, ...]

    @property
    def annotators(self) -> tuple[str, ...]:
        """Names of the annotators, in order."""
        return tuple(sorted({name for given in self.answers.values() for name in given}))

    def truth(self, item: Item) -> str:
        """The label that most annotators give, the first by name in a tie."""
        counts = Counter(self.answers[item].values())
        return min(counts, key=lambda label: (-counts[label], label))


def choose_task(labels: Sequence[LabelEntry], name: str) -> Task:
    """The named task, else the one with most answers (ties by name); ValueError lists the tasks there are."""
    counts = Counter(entry.task for entry in labels if entry.annotator)
    if not counts:
        raise ValueError("The manifest holds no labels with an annotator: there is nothing to ask the annotators.")
    if name and name not in counts:
        raise ValueError(f"The manifest has no task '{name}'. Known: {', '.join(sorted(counts)) or 'only one'}.")
    chosen = name or min(counts, key=lambda task: (-counts[task], task))
    answers: dict[Item, dict[str, str]] = defaultdict(dict)
    for entry in labels:
        if entry.task == chosen and entry.annotator:
            answers[(entry.name, entry.box)].setdefault(entry.annotator, entry.label)
    classes = tuple(sorted({label for given in answers.values() for label in given.values()}))
    if len(classes) < 2:
        raise ValueError(f"The task '{chosen}' names one class only, {classes[0]}: two are needed.")
    return Task(chosen, dict(answers), classes)


def limited(task: Task, listing: Listing, limit: int | None, seed: int = 0) -> Task:
    """At most `limit` items of the task, drawn in turn from each experiment and class; the same for a seed."""
    if limit is None or limit >= len(task.answers):
        return task
    where = {file.name: field.experiment for field in listing.fields for file in field.files}
    strata: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in sorted(task.answers, key=_order):
        strata[(where.get(item[0], ""), task.truth(item))].append(item)
    rng = np.random.default_rng(seed)
    shuffled = [[group[i] for i in rng.permutation(len(group))] for _, group in sorted(strata.items())]
    rounds = max(map(len, shuffled))
    spread = [group[turn] for turn in range(rounds) for group in shuffled if turn < len(group)]
    return replace(task, answers={item: task.answers[item] for item in spread[:limit]})


def fields_of(task: Task, listing: Listing) -> Listing:
    """The listing with the fields that carry items of the task, and of their boxes only those items."""
    wanted: dict[str, set[Box | None]] = defaultdict(set)
    for name, box in task.answers:
        wanted[name].add(box)
    shown = [field for field in listing.fields if any(file.name in wanted for file in field.files)]
    return replace(listing, fields=tuple(_kept(field, wanted) for field in shown))


def _kept(field: FieldEntry, wanted: dict[str, set[Box | None]]) -> FieldEntry:
    boxes = set().union(*(wanted.get(file.name, set()) for file in field.files))
    return replace(field, boxes=tuple(box for box in field.boxes if box in boxes))


def _order(item: Item) -> tuple[str, tuple[float, ...]]:
    name, box = item
    return name, () if box is None else (box.x0, box.y0, box.x1, box.y1)
