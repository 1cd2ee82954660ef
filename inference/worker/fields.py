"""The images of an experiment as the pipeline takes them: pixels, what is known of them, and what to check."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imaging.models import Crop, Experiment, Image
from imaging.pixels.digest import file_digest
from imaging.pixels.geometry import Box
from imaging.pixels.info import ImageReader
from imaging.pixels.objects import ObjectSet
from imaging.pixels.quality import Reason, Verdict
from imaging.services.pixels import reader_of
from inference.pipeline.state import CropModel, FieldContext, FieldIdentity
from training.services.work import Refused

SLIDE_TILE_PX = 1024


@dataclass(frozen=True, slots=True)
class Job:
    """One call of the pipeline: an image, or a tile of a slide."""

    image: Image
    context: FieldContext
    reader: ImageReader


def jobs_of(experiment: Experiment, model: CropModel | None) -> Iterator[Job]:
    """One job per field of the experiment, in order of name; slides are cut into tiles.

    Refused where a file is no longer what was ingested: a result must tell of the recorded pixels.
    """
    images = Image.objects.filter(sample__experiment=experiment).select_related("sample__experiment")
    for number, image in enumerate(images.order_by("name"), start=1):
        _check_files(image)
        reader = reader_of(image)
        objects = _given_objects(image)
        for region in _regions(reader):
            yield Job(image, _context(image, number, model, objects, region), reader)


def input_digests(experiment: Experiment) -> dict[str, str]:
    """SHA-256 of every input file by its relative name."""
    images = Image.objects.filter(sample__experiment=experiment)
    return {file["name"]: file["sha256"] for image in images for file in image.files}


def _check_files(image: Image) -> None:
    for file in image.files:
        path = Path(file["uri"])
        if not path.is_file():
            raise Refused(f"{file['name']} is no longer where it was ingested from: put it back and run again.")
        if file_digest(path) != file["sha256"]:
            raise Refused(f"{file['name']} has changed since it was ingested: ingest it as a new experiment.")


def _given_objects(image: Image) -> ObjectSet | None:
    """Objects that people marked, where they did; None lets the pipeline find them."""
    if image.object_source == "segmentation":
        return None
    rows = list(Crop.objects.standing().filter(image=image).order_by("id"))
    boxes = np.array([(row.x0, row.y0, row.x1, row.y1) for row in rows], dtype=float).reshape(-1, 4)
    centroids = np.array([(row.x, row.y) for row in rows], dtype=float).reshape(-1, 2)
    contours = tuple(np.array(row.contour, dtype=float) if row.contour else None for row in rows)
    return ObjectSet(boxes, centroids, contours, image.object_source)


def _regions(reader: ImageReader) -> list[Box | None]:
    if not reader.info.is_slide:
        return [None]
    step = SLIDE_TILE_PX
    return [
        Box(x, y, min(x + step, reader.info.width), min(y + step, reader.info.height))
        for y in range(0, reader.info.height, step)
        for x in range(0, reader.info.width, step)
    ]


def _context(
    image: Image, number: int, model: CropModel | None, objects: ObjectSet | None, region: Box | None
) -> FieldContext:
    experiment = image.sample.experiment
    by_name = {row["name"]: (float(row["low"]), float(row["high"])) for row in experiment.channels}
    return FieldContext(
        identity=FieldIdentity(
            experiment=experiment.name,
            well=image.sample.name,
            site=image.site,
            image_number=number,
            name=image.name,
            image_digest=image.sha256,
        ),
        model=model,
        objects=objects,
        verdict=_verdict(image),
        windows=tuple(by_name[name] for name in image.channels),
        region=region,
        ceiling=float(2**experiment.bit_depth - 1) if experiment.bit_depth else None,
    )


def _verdict(image: Image) -> Verdict | None:
    """What quality control said of the image among all images of its experiment."""
    report = image.quality_reports.last()
    if report is None:
        return None
    reasons: list[Any] = [Reason(**reason) for reason in report.reasons]
    return Verdict(report.verdict, tuple(reasons))
