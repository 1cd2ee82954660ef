"""The labelled crops of a manifest, read and embedded for a label-efficiency run. No rows."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imaging.pixels.digest import array_digest
from imaging.pixels.display import display_window
from imaging.pixels.errors import ImageError
from imaging.pixels.geometry import Box
from imaging.pixels.manifest import read_manifest
from imaging.worker.measuring import FieldFacts, read_field
from training.learning.efficiency.plan import LabelledPool
from training.learning.encoders import make_encoder
from training.learning.labelled import Item, Task, choose_task, fields_of
from training.learning.splits import Units
from training.services.work import Refused

ENCODER = "handcrafted"

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labelled crops ready to be replayed: their embeddings and labels, where they come from, what was asked."""

    pool: LabelledPool
    units: Units
    classes: tuple[str, ...]
    about: dict[str, Any]


def manifest_pool(manifest: Path, task_name: str, dropped: Sequence[str], tell: Tell) -> Labelled:
    """The labelled crops of a manifest's task, without the channels in `dropped`.

    Refused, or ValueError, where there is nothing to compare on.
    """
    listing = read_manifest(manifest)
    task = choose_task(listing.labels, task_name)
    tell(f"reading {len(task.answers)} labelled crops of the task '{task.name or 'labels'}'")
    facts = _read(fields_of(task, listing).fields)
    pool, units, channels = _embed(facts, task, frozenset(dropped))
    about = {"task": task.name, "encoder": ENCODER, "channels": channels, "crops": len(pool.labels)}
    return Labelled(pool, units, task.classes, about)


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


def _embed(facts: Sequence[FieldFacts], task: Task, dropped: frozenset[str]) -> tuple[LabelledPool, Units, list[str]]:
    """Embeddings and labels of the labelled crops, each scaled by the window of its own experiment."""
    groups: dict[str, list[FieldFacts]] = defaultdict(list)
    for item in facts:
        groups[item.entry.experiment].append(item)
    rows: list[tuple[str, str, str, str, str, int]] = []
    blocks, seen = [], set()
    for name, members in sorted(groups.items()):
        kept = _channels(name, members, dropped)
        seen.add(tuple(members[0].info.channel_names[c] for c in kept))
        samples = np.concatenate([item.samples for item in members], axis=2)
        windows = display_window(samples, members[0].info.is_rgb)
        encoder = make_encoder(ENCODER, len(kept))
        for item in members:
            labelled = _labelled(item, task)
            crops = item.crops[[place for place, _ in labelled]][:, kept]
            blocks.append(encoder.encode(crops, [windows[c] for c in kept]))
            entry = item.entry
            rows += [
                (name, entry.subject, entry.well, entry.site, array_digest(np.ascontiguousarray(crop)), label)
                for crop, (_, label) in zip(crops, labelled)
            ]
    if not rows:
        raise Refused("None of the labelled objects lies inside its image: check the boxes of the manifest.")
    experiment, subject, sample, field, crop, labels = (np.array(column) for column in zip(*rows))
    number = np.unique(experiment, return_inverse=True)[1]
    pool = LabelledPool(np.concatenate(blocks), labels.astype(np.int64), number, len(task.classes))
    return pool, Units(experiment, subject, sample, field, crop), sorted({c for names in seen for c in names})


def _channels(experiment: str, members: Sequence[FieldFacts], dropped: frozenset[str]) -> list[int]:
    """Numbers of the channels that are kept; Refused where the images disagree or nothing would be left."""
    layouts = {item.info.channel_names for item in members}
    if len(layouts) != 1:
        raise Refused(f"The images of '{experiment}' differ in their channels: give each layout its own experiment.")
    names = next(iter(layouts))
    if unknown := sorted(dropped - set(names)):
        raise Refused(f"'{experiment}' has no channel {', '.join(unknown)}: it has {', '.join(names)}.")
    kept = [number for number, name in enumerate(names) if name not in dropped]
    if not kept:
        raise Refused(f"Without {', '.join(sorted(dropped))} no channel of '{experiment}' is left.")
    return kept


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
