"""COCO JSON: images with their sizes, boxes, outlines as polygons, and a category per class."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labeling.exchange.labels import Label
from labeling.exchange.qupath import Look
from labeling.exchange.rings import area


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as COCO lists it: a name that is unique in the file, and its size in pixels."""

    number: int
    name: str
    width: int
    height: int


def write(
    pictures: Iterable[Picture], looks: Mapping[str, Look], labels: Iterable[tuple[int, Label]]
) -> Iterator[str]:
    """The lines of the file; each label comes with the number of its picture."""
    numbers = {key: place for place, key in enumerate(looks, start=1)}
    categories = [{"id": numbers[key], "name": look.name, "supercategory": ""} for key, look in looks.items()]
    yield f'{{"info": {{"description": "Labels by majority of reads"}}, "categories": {_text(categories)},\n'
    yield '"images": ['
    yield from _list(
        {"id": item.number, "file_name": item.name, "width": item.width, "height": item.height} for item in pictures
    )
    yield '],\n"annotations": ['
    yield from _list(
        _annotation(number, picture, numbers[label.name], label)
        for number, (picture, label) in enumerate(labels, start=1)
    )
    yield "]}\n"


def _list(items: Iterable[dict[str, Any]]) -> Iterator[str]:
    before = ""
    for item in items:
        yield f"{before}\n{_text(item)}"
        before = ","


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _annotation(number: int, picture: int, category: int, label: Label) -> dict[str, Any]:
    place = label.place
    if place.box is None:
        raise ValueError(f"{place.key} has no box")
    x0, y0, x1, y1 = place.box
    has_outline = place.ring is not None and len(place.ring) >= 3
    size = abs(area(place.ring)) if place.ring and has_outline else (x1 - x0) * (y1 - y0)
    return {
        "id": number,
        "image_id": picture,
        "category_id": category,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": size,
        "segmentation": [[value for point in place.ring for value in point]] if place.ring and has_outline else [],
        "iscrowd": 0,
        "crop": place.key,
    }
