"""The crops themselves in folders by class, as training code elsewhere reads them."""

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from imaging.models import Crop
from imaging.services.storage import shard
from labeling.exchange.folders import unique_names
from labeling.exchange.text import guarded
from labeling.models import Study
from labeling.services.export.objects import Labelled, labelled, looks, pictures

HEADER = ["file", "experiment", "class", "reads", "share", "disputed", "crop", "image"]
CHUNK = 500


def class_folders(study: Study) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of EXPERIMENT/CLASS/crop.tif for each crop with a majority, then of labels.csv.

    Experiments take the place of splits, as a split by anything else would let a model see its test.
    """
    images = pictures(study)
    experiments = unique_names(image.experiment for image in images.values())
    classes = unique_names(looks(study))
    lines = [HEADER]
    taken: set[str] = set()
    for items in _chunked(labelled(study, images)):
        crops = Crop.objects.select_related("image__sample__experiment").in_bulk([item.crop for item in items])
        for item in items:
            said, image = item.majority, images[item.image]
            folder = f"{experiments[image.experiment]}/{classes[said.name]}"
            path = _free(folder, item, taken)
            lines.append(
                [
                    path, guarded(image.experiment), guarded(said.name), f"{said.reads}", f"{said.share:.4f}",
                    f"{said.disputed}", item.place.key, guarded(image.name),
                ]
            )  # fmt: skip
            yield path, tiff_bytes(np.asarray(shard(crops[item.crop].shard)[crops[item.crop].row]))
    text = io.StringIO(newline="")
    csv.writer(text).writerows(lines)
    yield "labels.csv", text.getvalue().encode()


def _chunked(items: Iterator[Labelled]) -> Iterator[list[Labelled]]:
    chunk: list[Labelled] = []
    for item in items:
        if item.label is None:
            continue
        chunk.append(item)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    yield chunk


def _free(folder: str, item: Labelled, taken: set[str]) -> str:
    """Equal pixels in two samples of an experiment have equal keys: the second gets its number too."""
    path = f"{folder}/{item.place.key}.tif"
    if path in taken:
        path = f"{folder}/{item.place.key}-{item.crop}.tif"
    taken.add(path)
    return path


def tiff_bytes(crop: NDArray[Any]) -> bytes:
    """The crop (channel, height, width) as TIFF: RGB where it is three channels of 8 bits, else a page a channel."""
    stream = io.BytesIO()
    if crop.dtype == np.uint8 and len(crop) == 3:
        tifffile.imwrite(stream, np.moveaxis(crop, 0, -1), photometric="rgb")
    else:
        tifffile.imwrite(stream, crop, photometric="minisblack", metadata={"axes": "CYX"})
    return stream.getvalue()
