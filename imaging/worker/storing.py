"""Writes an experiment that was read: shards first, then all rows in one transaction."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction

from audit import services as audit
from imaging.models import Crop, Experiment, Image, QualityReport, Sample
from imaging.pixels import display
from imaging.pixels.crops_store import write_shard
from imaging.pixels.digest import crop_key
from imaging.pixels.listing import FieldEntry
from imaging.pixels.objects import ObjectSet
from imaging.pixels.quality import QualityRules, Verdict, judge
from imaging.services.storage import CROPS, keep, local_folder
from imaging.worker.measuring import FieldFacts, objects_digest

SHARD_ROWS = 4096


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """What is written besides the pixels: the camera's significant bits, who ingests, and whether it is simulated."""

    bit_depth: int | None = None
    actor: str = "process:ingest"
    is_simulated: bool = False


def store(name: str, facts: Sequence[FieldFacts], content: str, options: StoreOptions) -> Experiment:
    """The experiment with its samples, images, verdicts and crops, all or nothing."""
    rules = QualityRules()
    verdicts = judge([item.metrics for item in facts], rules)
    rows = write_shards(facts)
    with transaction.atomic():
        experiment = _create_experiment(name, (facts, verdicts), content, options)
        samples = _create_samples(experiment, facts)
        for item, verdict, places in zip(facts, verdicts, rows):
            image = create_image(samples[sample_name(experiment, item.entry)], item, verdict)
            create_report(image, item, verdict, rules)
            create_crops(image, item, places)
        audit.record(
            "experiment.ingested",
            experiment,
            actor=options.actor,
            detail={"images": len(facts), "content": content, "quality_rules": rules.digest},
        )
    return experiment


def write_shards(facts: Sequence[FieldFacts]) -> list[list[tuple[str, int]]]:
    """For each field the (shard, row) of its crops; crops of one layout share shards."""
    places: list[list[tuple[str, int]]] = [[] for _ in facts]
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for index, item in enumerate(facts):
        groups[(item.info.channel_names, str(item.crops.dtype), item.crops.shape[1:])].append(index)
    for indices in groups.values():
        pending: list[int] = []
        for index in indices:
            pending.append(index)
            if sum(len(facts[i].crops) for i in pending) >= SHARD_ROWS:
                _write_shard(facts, pending, places)
                pending = []
        _write_shard(facts, pending, places)
    return places


def _write_shard(facts: Sequence[FieldFacts], indices: list[int], places: list[list[tuple[str, int]]]) -> None:
    crops = [facts[i].crops for i in indices]
    if not sum(map(len, crops)):
        return
    folder = local_folder(CROPS)
    # The fields' digests go into the name through the pixels; equal shards of two experiments are one file.
    digest = write_shard(folder, np.concatenate(crops))
    keep(CROPS, folder / f"{digest}.npy")
    row = 0
    for index in indices:
        for _ in range(len(facts[index].crops)):
            places[index].append((digest, row))
            row += 1


def _create_experiment(
    name: str,
    judged: tuple[Sequence[FieldFacts], Sequence[Verdict]],
    content: str,
    options: StoreOptions,
) -> Experiment:
    facts, verdicts = judged
    is_rgb = all(item.info.is_rgb for item in facts)
    sizes = {item.info.pixel_size_um for item in facts}
    return Experiment.objects.create(
        name=name,
        modality=Experiment.Modality.BRIGHTFIELD if is_rgb else Experiment.Modality.MULTICHANNEL,
        channels=_channels(facts, verdicts, is_rgb),
        pixel_size_um=sizes.pop() if len(sizes) == 1 else None,
        bit_depth=options.bit_depth or facts[0].info.bit_depth,
        source=str(facts[0].entry.files[0].path.parent),
        content_digest=content,
        is_simulated=options.is_simulated,
    )


def _channels(facts: Sequence[FieldFacts], verdicts: Sequence[Verdict], is_rgb: bool) -> list[dict[str, Any]]:
    """Name, colour and display window of each channel; one window for the whole experiment.

    An experiment of several batches (plates, scanners) also keeps one window for each of them: their exposures
    differ. A channel that quality control faults in most images starts switched off.
    """
    names = list(dict.fromkeys(name for item in facts for name in item.info.channel_names))
    colors = display.default_colors(len(names), is_rgb)
    batches = sorted({item.entry.batch for item in facts})
    rows = []
    for name, color in zip(names, colors):
        low, high = _window(facts, name, is_rgb)
        row: dict[str, Any] = {"name": name, "color": color, "low": low, "high": high}
        if len(batches) > 1:
            having = {batch: [item for item in facts if item.entry.batch == batch] for batch in batches}
            row["batches"] = {
                batch: _window(items, name, is_rgb)
                for batch, items in having.items()
                if any(name in item.info.channel_names for item in items)
            }
        rows.append(row | {"on": not _is_faulted(name, facts, verdicts)})
    return rows


def _window(facts: Sequence[FieldFacts], name: str, is_rgb: bool) -> display.Window:
    having = [item for item in facts if name in item.info.channel_names]
    values = [item.samples[:, [item.info.channel_names.index(name)]] for item in having]
    return display.display_window(np.concatenate(values, axis=2), is_rgb)[0]


def _is_faulted(name: str, facts: Sequence[FieldFacts], verdicts: Sequence[Verdict]) -> bool:
    having = [
        any(reason.channel == name for reason in verdict.reasons)
        for item, verdict in zip(facts, verdicts)
        if name in item.info.channel_names and len(item.info.channel_names) > 1
    ]
    return bool(having) and sum(having) * 2 > len(having)


def sample_name(experiment: Experiment, entry: FieldEntry) -> str:
    """The well or slide that a field belongs to; one that is not named is called like its experiment."""
    return entry.well or entry.subject or experiment.name


def _create_samples(experiment: Experiment, facts: Sequence[FieldFacts]) -> dict[str, Sample]:
    samples: dict[str, Sample] = {}
    for item in facts:
        name = sample_name(experiment, item.entry)
        if name not in samples:
            samples[name] = Sample.objects.create(
                experiment=experiment,
                name=name,
                site=item.entry.batch,
                subject=item.entry.subject,
                condition=item.entry.condition,
                is_control=item.entry.is_control,
            )
    return samples


def create_image(sample: Sample, item: FieldFacts, verdict: Verdict) -> Image:
    """The row of a field."""
    return Image.objects.create(
        sample=sample,
        name=item.entry.name,
        files=item.files,
        sha256=item.digest,
        axes=item.info.axes,
        shape=list(item.info.shape),
        dtype=item.info.dtype,
        channels=list(item.info.channel_names),
        pixel_size_um=item.info.pixel_size_um,
        crop_field_px=item.plan.field_px,
        site=item.entry.site,
        object_source=item.source,
        objects_digest=objects_digest(item),
        verdict=verdict.verdict,
    )


def create_report(image: Image, item: FieldFacts, verdict: Verdict, rules: QualityRules) -> None:
    """What the rules said of a field."""
    QualityReport.objects.create(
        image=image,
        verdict=verdict.verdict,
        reasons=[
            {
                "code": reason.code,
                "channel": reason.channel,
                "metric": reason.metric,
                "value": reason.value,
                "limit": reason.limit,
                "advice": reason.advice,
                "fails": reason.fails,
            }
            for reason in verdict.reasons
        ],
        metrics=item.metrics,
        rule_digest=rules.digest,
    )


def create_crops(image: Image, item: FieldFacts, places: Sequence[tuple[str, int]]) -> list[Crop]:
    """A crop for each object of the field; of two on one pixel, which no place tells apart, the first stands."""
    rows: dict[str, Crop] = {}
    for index, (shard, row) in enumerate(places):
        x, y = (float(value) for value in item.objects.centroids[index])
        key = crop_key(image.sha256, x, y)
        outline = outline_of(item.objects, index)
        x0, y0, x1, y1 = outline["box"]
        rows.setdefault(
            key,
            Crop(
                image=image, key=key, x=x, y=y, x0=x0, y0=y0, x1=x1, y1=y1, shard=shard, row=row,
                contour=outline["contour"],
            ),
        )  # fmt: skip
    return Crop.objects.bulk_create(rows.values(), batch_size=500)


def outline_of(objects: ObjectSet, index: int) -> dict[str, Any]:
    """Box (x0, y0, x1, y1) and contour (a list of x, y, or None) of an object as a crop's row holds them."""
    contour = objects.contours[index]
    return {
        "box": [float(value) for value in objects.boxes[index]],
        "contour": None if contour is None else np.round(contour, 1).tolist(),
    }
