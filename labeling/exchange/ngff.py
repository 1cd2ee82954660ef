"""OME-Zarr 0.5 label images (Zarr version 3): a few JSON files and gzipped chunks, written without a library."""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.exchange.qupath import rgb

CHUNK = 1024
VERSION = "0.5"
GREY = "#808080"
# Pyramids end where a level fits into one chunk.
Files = Iterator[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Region:
    """One object of a label image: its value in the pixels, its class and colour, and the key of its crop."""

    value: int
    name: str
    color: str
    crop: str


def write(name: str, labels: NDArray[np.int32], regions: list[Region], pixel_size_um: float | None = None) -> Files:
    """(path, bytes) of a group that holds `labels/NAME`: a label image (height, width), 0 is background.

    The group lacks the pixels of the image: put its folder `labels` into the OME-Zarr of the image.
    """
    yield "zarr.json", _json(_group({}))
    yield "labels/zarr.json", _json(_group({"labels": [name]}))
    levels = list(_levels(labels))
    attributes = {
        "multiscales": [_multiscale(name, len(levels), pixel_size_um)],
        "image-label": _image_label(regions),
    }
    yield f"labels/{name}/zarr.json", _json(_group(attributes))
    for number, level in enumerate(levels):
        for path, content in _array(level):
            yield f"labels/{name}/{number}/{path}", content


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1).encode()


def _group(ome: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {"ome": {"version": VERSION, **ome}} if ome else {}
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def _multiscale(name: str, levels: int, pixel_size_um: float | None) -> dict[str, Any]:
    unit = {} if pixel_size_um is None else {"unit": "micrometer"}
    size = 1.0 if pixel_size_um is None else pixel_size_um
    return {
        "name": name,
        "axes": [{"name": axis, "type": "space", **unit} for axis in "yx"],
        "datasets": [
            {
                "path": f"{level}",
                "coordinateTransformations": [{"type": "scale", "scale": [size * 2**level, size * 2**level]}],
            }
            for level in range(levels)
        ],
    }


def _image_label(regions: list[Region]) -> dict[str, Any]:
    return {
        "colors": [{"label-value": item.value, "rgba": [*rgb(item.color), 255]} for item in regions],
        "properties": [{"label-value": item.value, "class": item.name, "crop": item.crop} for item in regions],
        "source": {"image": "../../"},
    }


def _levels(labels: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    """The image and its halves; every second pixel is taken, as means of labels mean nothing."""
    yield labels
    while max(labels.shape) > CHUNK:
        labels = labels[::2, ::2]
        yield labels


def _array(level: NDArray[np.int32]) -> Files:
    height, width = level.shape
    yield (
        "zarr.json",
        _json(
            {
                "zarr_format": 3,
                "node_type": "array",
                "shape": [height, width],
                "data_type": "int32",
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [CHUNK, CHUNK]}},
                "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
                "fill_value": 0,
                "codecs": [
                    {"name": "bytes", "configuration": {"endian": "little"}},
                    {"name": "gzip", "configuration": {"level": 5}},
                ],
                "dimension_names": ["y", "x"],
                "attributes": {},
            }
        ),
    )
    for row in range(0, height, CHUNK):
        for column in range(0, width, CHUNK):
            yield from _chunk(level, row, column)


def _chunk(level: NDArray[np.int32], row: int, column: int) -> Files:
    part = level[row : row + CHUNK, column : column + CHUNK]
    # A chunk that is missing is background.
    if part.any():
        full = np.zeros((CHUNK, CHUNK), dtype="<i4")
        full[: part.shape[0], : part.shape[1]] = part
        # Without a time, equal labels give equal bytes.
        yield f"c/{row // CHUNK}/{column // CHUNK}", gzip.compress(full.tobytes(), 5, mtime=0)
