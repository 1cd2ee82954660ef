"""Label efficiency on a labelled manifest: reads the pixels, embeds them, and compares the strategies. No rows."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imaging.pixels.display import display_window
from imaging.pixels.errors import ImageError
from imaging.pixels.geometry import Box
from imaging.pixels.listing import LabelEntry
from imaging.pixels.manifest import read_manifest
from imaging.worker.measuring import FieldFacts, read_field
from training.learning.efficiency import EfficiencyPlan, LabelledPool, label_efficiency
from training.learning.encoders import make_encoder
from training.learning.labelled import Item, Task, choose_task, fields_of
from training.learning.splits import SplitRules, Units, choose_split
from training.services.work import Refused

ENCODER = "handcrafted"
# Three folds leave test parts of a third: large enough to tell strategies apart.
FOLDS = 3


def compare_strategies(
    manifest: Path, task_name: str, plan: EfficiencyPlan, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The figures of every strategy on the manifest's labels, with the split in words."""
    listing = read_manifest(manifest)
    labels: Sequence[LabelEntry] = listing.labels
    task = choose_task(labels, task_name)
    tell(f"reading {len(task.answers)} labelled crops of the task '{task.name or 'labels'}'")
    facts = _read(fields_of(task, listing).fields)
    pool, units = _embed(facts, task)
    split = choose_split(
        units, np.asarray(pool.labels, dtype=np.int64), SplitRules(classes=task.classes, max_folds=FOLDS)
    )
    described = {
        "level": split.level,
        "why": split.why,
        "not_evaluable": [{"experiment": row.experiment, "reason": row.reason} for row in split.not_evaluable],
    }
    tell(f"{len(plan.strategies)} strategies, {len(plan.seeds)} seeds; {split.why}")
    return label_efficiency(pool, split.folds, plan, described) | {"task": task.name, "classes": list(task.classes)}


def _read(fields: Sequence[Any]) -> list[FieldFacts]:
    facts = []
    for entry in fields:
        try:
            facts.append(read_field(entry, (), None, None))
        except ImageError:
            # `ingest` names unreadable files; a benchmark runs on what is there.
            continue
    if not facts:
        raise Refused("No image of the manifest could be read: see `ingest` for the reasons.")
    return facts


def _embed(facts: Sequence[FieldFacts], task: Task) -> tuple[LabelledPool, Units]:
    """Embeddings and labels of the labelled crops, each scaled by the window of its own experiment."""
    groups: dict[str, list[FieldFacts]] = defaultdict(list)
    for item in facts:
        groups[item.entry.experiment].append(item)
    rows: list[tuple[str, str, str, str, int]] = []
    blocks = []
    for name, members in sorted(groups.items()):
        channels = {item.info.channel_names for item in members}
        if len(channels) != 1:
            raise Refused(f"The images of '{name}' differ in their channels: give each layout its own experiment.")
        windows = display_window(np.concatenate([item.samples for item in members], axis=2), members[0].info.is_rgb)
        encoder = make_encoder(ENCODER, len(windows))
        for item in members:
            kept = _labelled(item, task)
            blocks.append(encoder.encode(item.crops[[place for place, _ in kept]], windows))
            entry = item.entry
            rows += [(name, entry.subject, entry.well, entry.site, label) for _, label in kept]
    experiment, subject, sample, field, labels = (np.array(column) for column in zip(*rows))
    number = np.unique(experiment, return_inverse=True)[1]
    pool = LabelledPool(np.concatenate(blocks), labels.astype(np.int64), number, len(task.classes))
    return pool, Units(experiment, subject, sample, field)


def _labelled(item: FieldFacts, task: Task) -> list[tuple[int, int]]:
    """(place of the crop, class) of each object of the field that the task labels."""
    classes = {label: number for number, label in enumerate(task.classes)}
    boxes = [(None, 0)] if item.source == "whole" else [(box, place) for place, box in enumerate(item.entry.boxes)]
    found: list[tuple[int, int]] = []
    for box, place in boxes:
        for file in item.entry.files:
            key: Item = (file.name, box)
            if key in task.answers and _inside(box, item):
                found.append((_place(box, place, item), classes[task.truth(key)]))
                break
    return found


def _inside(box: Box | None, item: FieldFacts) -> bool:
    return box is None or box.clipped(item.info.width, item.info.height).is_proper


def _place(box: Box | None, place: int, item: FieldFacts) -> int:
    """Number of the crop of a box: boxes outside the image were dropped before it."""
    if box is None:
        return 0
    return sum(_inside(other, item) for other in item.entry.boxes[:place])
