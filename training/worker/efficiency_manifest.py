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
class Reading:
    """How the crops of a manifest are read: channels left out, and whether all experiments share one window.

    A window of its own evens out stain and exposure, as on the site; where intensities are comparable it also hides
    that an experiment holds other classes than the rest.
    """

    dropped: frozenset[str] = frozenset()
    one_window: bool = False


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labelled crops ready to be replayed: their embeddings and labels, where they come from, what was asked."""

    pool: LabelledPool
    units: Units
    classes: tuple[str, ...]
    about: dict[str, Any]


def manifest_pool(manifest: Path, task_name: str, reading: Reading, tell: Tell) -> Labelled:
    """The labelled crops of a manifest's task.

    Refused, or ValueError, where there is nothing to compare on.
    """
    listing = read_manifest(manifest)
    task = choose_task(listing.labels, task_name)
    tell(f"reading {len(task.answers)} labelled crops of the task '{task.name or 'labels'}'")
    facts = _read(fields_of(task, listing).fields)
    pool, units, channels = _embed(facts, task, reading)
    about = {
        "task": task.name,
        "encoder": ENCODER,
        "channels": channels,
        "window": "one for all experiments" if reading.one_window else "one per experiment",
        "crops": len(pool.labels),
    }
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


def _embed(facts: Sequence[FieldFacts], task: Task, reading: Reading) -> tuple[LabelledPool, Units, list[str]]:
    """Embeddings and labels of the labelled crops, where they come from, and the channels that were read."""
    groups: dict[str, list[FieldFacts]] = defaultdict(list)
    for item in facts:
        groups[item.entry.experiment].append(item)
    kept = {name: _channels(name, members, reading.dropped) for name, members in groups.items()}
    common = _windows(facts) if reading.one_window else None
    rows: list[tuple[str, str, str, str, str, int]] = []
    blocks, seen = [], set()
    for name, members in sorted(groups.items()):
        windows = common or _windows(members)
        encoder = make_encoder(ENCODER, len(kept[name]))
        seen |= {members[0].info.channel_names[c] for c in kept[name]}
        for item in members:
            labelled = _labelled(item, task)
            crops = item.crops[[place for place, _ in labelled]][:, kept[name]]
            blocks.append(encoder.encode(crops, [windows[c] for c in kept[name]]))
            rows += [(*_origin(item), array_digest(crop), label) for crop, (_, label) in zip(crops, labelled)]
    if not rows:
        raise Refused("None of the labelled objects lies inside its image: check the boxes of the manifest.")
    experiment, subject, sample, field, crop, labels = (np.array(column) for column in zip(*rows))
    number = np.unique(experiment, return_inverse=True)[1]
    pool = LabelledPool(np.concatenate(blocks), labels.astype(np.int64), number, len(task.classes))
    return pool, Units(experiment, subject, sample, field, crop), sorted(seen)


def _origin(item: FieldFacts) -> tuple[str, str, str, str]:
    entry = item.entry
    return entry.experiment, entry.subject, entry.well, entry.site


def _windows(members: Sequence[FieldFacts]) -> list[tuple[float, float]]:
    """Display window of each channel of these fields; Refused where they differ in their channels."""
    layouts = {item.info.channel_names for item in members}
    if len(layouts) != 1:
        shown = "; ".join("+".join(names) for names in sorted(layouts))
        raise Refused(f"One window needs the same channels everywhere, there are {shown}: keep one per experiment.")
    samples = np.concatenate([item.samples for item in members], axis=2)
    return display_window(samples, members[0].info.is_rgb)


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
