"""Every file that a study can leave as: what it holds, for which tool, and its bytes piece by piece."""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from labeling.exchange import coco, label_studio, qupath
from labeling.exchange.folders import unique_names
from labeling.exchange.text import guarded
from labeling.models import Study
from labeling.services.export.answers import HEADER, answer_rows
from labeling.services.export.archives import zipped
from labeling.services.export.crops import class_folders
from labeling.services.export.masks import label_images
from labeling.services.export.objects import labelled, looks, pictures

CONSENSUS_HEADER = [
    "crop", "experiment", "image", "x", "y", "class", "reads", "share", "disputed", "not_sure", "bad_crop",
    "wrong_object", "decided",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Export:
    """One format: what people call it, the end of its file's name, its media type, and its pieces for a study."""

    key: str
    title: str
    ending: str
    media_type: str
    holds: str
    tool: str
    pieces: Callable[[Study], Iterator[bytes]]


class _Line:
    """A file that hands back each line that is written to it."""

    def write(self, line: str) -> str:
        return line


def csv_lines(header: list[str], rows: Iterable[list[object]]) -> Iterator[bytes]:
    """The lines of a CSV table in UTF-8."""
    writer = csv.writer(_Line())
    yield writer.writerow(header).encode()
    for row in rows:
        yield writer.writerow(row).encode()


def answers_csv(study: Study) -> Iterator[bytes]:
    """Every answer, one row each."""
    return csv_lines(HEADER, answer_rows(study))


def consensus_csv(study: Study) -> Iterator[bytes]:
    """One row per crop that somebody read."""
    return csv_lines(CONSENSUS_HEADER, consensus_rows(study))


def consensus_rows(study: Study) -> Iterator[list[object]]:
    """Crop, place, class by the first reads that count, and how the reads spread."""
    images = pictures(study)
    for item in labelled(study, images):
        said, image = item.majority, images[item.image]
        yield [
            item.place.key, guarded(image.experiment), guarded(image.name), item.place.x, item.place.y,
            guarded(said.name), said.reads, round(said.share, 4), said.disputed, said.not_sure, said.bad_crop,
            said.wrong_object, item.decided,
        ]  # fmt: skip


def label_studio_json(study: Study) -> Iterator[bytes]:
    """One task per crop, one annotation per read."""
    items = labelled(study, pictures(study))
    return encoded(label_studio.write(label for item in items for label in item.labels()))


def coco_json(study: Study) -> Iterator[bytes]:
    """One annotation per crop that has a class."""
    images, numbers = pictures(study), dict.fromkeys(item.image for item in labelled(study, pictures(study)))
    listed = (
        coco.Picture(number, images[number].name, images[number].width, images[number].height) for number in numbers
    )
    found = ((item.image, item.label) for item in labelled(study, images))
    labels = ((number, label) for number, label in found if label is not None)
    return encoded(coco.write(listed, looks(study), labels))


def qupath_zip(study: Study) -> Iterator[bytes]:
    """One GeoJSON file per image with a labelled crop."""
    return zipped(_geojson_files(study))


def _geojson_files(study: Study) -> Iterator[tuple[str, bytes]]:
    images, styles = pictures(study), looks(study)
    names = unique_names(image.name for image in images.values())
    for number, items in groupby(labelled(study, images), key=lambda item: item.image):
        labels = [label for item in items if (label := item.label) is not None]
        if labels:
            yield f"{names[images[number].name]}.geojson", "".join(qupath.write(labels, styles)).encode()


def crops_zip(study: Study) -> Iterator[bytes]:
    """A folder per experiment and class with the crops as TIFF."""
    return zipped(class_folders(study), compress=False)


def ome_zarr_zip(study: Study) -> Iterator[bytes]:
    """One OME-Zarr group per image with outlines."""
    return zipped(label_images(study), compress=False)


def encoded(lines: Iterator[str]) -> Iterator[bytes]:
    """The lines in UTF-8."""
    return (line.encode() for line in lines)


EXPORTS = {
    item.key: item
    for item in (
        Export(
            "answers", "Answers", ".csv", "text/csv; charset=utf-8",
            "Every answer ever given, also those taken back, with time, reason and why it was asked.",
            "R, pandas, Excel; can be imported again", answers_csv,
        ),
        Export(
            "consensus", "Consensus", ".csv", "text/csv; charset=utf-8",
            "One row per crop: its class by most reads or by decision, its share, whether disputed, who decided.",
            "R, pandas, Excel", consensus_csv,
        ),
        Export(
            "imagefolder", "Crops by class", ".zip", "application/zip",
            "EXPERIMENT/CLASS/crop.tif with all channels at full depth, and labels.csv.",
            "torchvision ImageFolder, Keras, timm", crops_zip,
        ),
        Export(
            "coco", "COCO JSON", ".json", "application/json",
            "Boxes, outlines as polygons, a category per class, images with their sizes.",
            "Detectron2, MMDetection, FiftyOne, CVAT", coco_json,
        ),
        Export(
            "label_studio", "Label Studio JSON", ".json", "application/json",
            "One task per crop with every read as an annotation.",
            "Label Studio; can be imported again", label_studio_json,
        ),
        Export(
            "qupath", "QuPath GeoJSON", ".zip", "application/zip",
            "One .geojson per image: outlines or boxes as detections, with class and colour.",
            "QuPath, napari, GeoPandas; each file can be imported again", qupath_zip,
        ),
        Export(
            "ome_zarr", "OME-Zarr labels", ".zip", "application/zip",
            "Label images of all outlined objects, with the colours of their classes (NGFF 0.5).",
            "napari, Fractal, ome-zarr-py", ome_zarr_zip,
        ),
    )
}  # fmt: skip
