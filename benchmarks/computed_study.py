"""A study over computed crops, as many as one likes: what they look like is in their embeddings alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.rerank import CLASSES, Case, make_case
from benchmarks.room_site import join_study

DIMENSION = 384
PER_IMAGE = 1000
SHARD_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Made:
    """A study, and the class of each of its crops."""

    study: Any
    truth: dict[int, int]


def make_study(count: int, readers: Sequence[Any], dimension: int = DIMENSION) -> Made:
    """A study over one experiment of computed crops, whose embeddings stand as if a network had made them."""
    from labeling.models import LabelClass, Study

    case = make_case(count, dimension)
    experiment = _experiment(count)
    ids = _make_crops(experiment, count)
    _embed(experiment, case)
    study = Study.objects.create(name=experiment.name, question="Which?", encoder="untrained", is_simulated=True)
    study.experiments.add(experiment)
    for position in range(CLASSES):
        name = f"class {position}"
        LabelClass.objects.create(study=study, key=name, name=name, color="#0072b2", position=position)
    for reader in readers:
        join_study(study, reader)
    return Made(study, dict(zip(ids, case.classes.tolist(), strict=True)))


def _experiment(count: int) -> Any:
    from imaging.models import Experiment

    return Experiment.objects.create(
        name=f"{count} computed crops",
        modality=Experiment.Modality.MULTICHANNEL,
        channels=[{"name": "nuclei", "color": "#00ffff", "low": 150, "high": 2500}],
        pixel_size_um=0.5,
        source="computed",
        content_digest=f"{count:064x}",
        is_simulated=True,
    )


def _make_crops(experiment: Any, count: int) -> list[int]:
    """Crops, 1,000 to an image, all of the same few pixels: what they look like is in their embeddings."""
    from imaging.models import Crop, Image, Sample
    from imaging.pixels.crops_store import write_shard
    from imaging.services.storage import CROPS, local_folder

    shard = write_shard(local_folder(CROPS), np.zeros((PER_IMAGE, 1, 32, 32), np.uint16))
    sample = Sample.objects.create(experiment=experiment, name="A01")
    images = [
        Image(
            sample=sample, name=f"field {number}", files=[], sha256=f"{number:012x}{count:052x}", axes="CYX",
            shape=[1, 1, 1080, 1080], dtype="uint16", channels=["nuclei"], crop_field_px=32.0,
            object_source="segmentation",
        )
        for number in range(-(-count // PER_IMAGE))
    ]  # fmt: skip
    for image in images:
        image.save()
    _insert_crops(images[0].pk, count, shard)
    return list(Crop.objects.filter(image__sample=sample).order_by("id").values_list("id", flat=True))


def _insert_crops(first_image: int, count: int, shard: str) -> None:
    """In one statement: a million rows by way of objects take minutes."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO imaging_crop (image_id, key, x, y, x0, y0, x1, y1, shard, "row")
            WITH RECURSIVE number(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM number WHERE i + 1 < %s),
            cell(image, n) AS (SELECT i / {PER_IMAGE}, i %% {PER_IMAGE} FROM number),
            place(image, n, x, y) AS (SELECT image, n, 16 + 32 * (n %% 33), 16 + 32 * (n / 33) FROM cell)
            SELECT %s + image, image || '-{count}-' || n, x, y, x - 9, y - 9, x + 9, y + 9, %s, n FROM place
            """,
            [count, first_image, shard],
        )


def _embed(experiment: Any, case: Case) -> None:
    from imaging.services.storage import local_folder
    from training.learning.shards import write_array
    from training.models import EmbeddingSet
    from training.services.embedding import EMBEDDINGS, source_of

    folder, rows = local_folder(EMBEDDINGS), case.embeddings
    parts = [rows[start : start + SHARD_ROWS] for start in range(0, len(rows), SHARD_ROWS)]
    EmbeddingSet.objects.create(
        encoder="c" * 64,
        encoder_name="untrained",
        experiment=experiment,
        source=source_of(experiment),
        shards=[[write_array(folder, part), len(part)] for part in parts],
        places_digest=write_array(folder, np.arange(len(rows), dtype=np.int64)),
        count=len(rows),
        dimension=rows.shape[1],
    )
