"""QuPath: GeoJSON of one image, in and out; full-resolution pixels from the top left corner."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from labeling.exchange.labels import LABEL, FileRefused, Label, Parsed, Place, Ring, answer_of, clean, counted
from labeling.exchange.rings import area, bounds, centroid, opened
from labeling.exchange.text import coordinate, json_of

OBJECTS = ("annotation", "detection", "cell", "")


@dataclass(frozen=True, slots=True)
class Look:
    """How a class is called and coloured; the colour is #rrggbb."""

    name: str
    color: str


def parse(content: bytes, image: str) -> Parsed:
    """Labels of the classified objects of `image`; objects without a class say nothing."""
    document = json_of(content)
    features = document.get("features", [document]) if isinstance(document, dict) else document
    if not isinstance(features, list):
        raise FileRefused("The file has no list of features: export it from QuPath as GeoJSON.")
    parsed = Parsed()
    for number, feature in enumerate(counted(features), start=1):
        row = f"feature {number}"
        if not isinstance(feature, dict):
            parsed.fail(row, "it is no feature")
            continue
        try:
            _take(parsed, row, image, feature)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            message = str(error) if isinstance(error, ValueError) else "its geometry is incomplete"
            parsed.fail(row, message)
    return parsed


def _take(parsed: Parsed, row: str, image: str, feature: Mapping[str, Any]) -> None:
    properties = feature.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    kind = properties.get("objectType", "")
    if kind not in OBJECTS:
        raise ValueError(f"“{clean(kind, 30)}” is no object: annotations, detections and cells are read")
    name = _class_name(properties)
    if not name:
        parsed.silent += 1
        return
    metadata = properties.get("metadata")
    notes = metadata if isinstance(metadata, dict) else {}
    answer, label = answer_of(name)
    geometry = feature.get("geometry")
    places = list(_places(clean(notes.get("crop")), image, geometry if isinstance(geometry, dict) else {}))
    for number, place in enumerate(places, start=1):
        named = f"{row}, part {number}" if len(places) > 1 else row
        parsed.labels.append(Label(named, place, label, answer, clean(notes.get("annotator"), 150), word=name))


def _class_name(properties: Mapping[str, Any]) -> str:
    """QuPath writes a derived class as `names`, its parts in order."""
    classification = properties.get("classification")
    if not isinstance(classification, dict):
        return ""
    names = classification.get("names")
    if isinstance(names, list) and all(isinstance(part, str) for part in names):
        return ": ".join(names)
    name = classification.get("name")
    return name if isinstance(name, str) else ""


def _places(key: str, image: str, geometry: Mapping[str, Any]) -> Iterator[Place]:
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind == "Point":
        yield _point(key, image, coordinates)
    elif kind == "MultiPoint" and isinstance(coordinates, list):
        yield from (_point(key, image, point) for point in coordinates)
    elif kind == "Polygon":
        yield _polygon(key, image, coordinates)
    elif kind == "MultiPolygon" and isinstance(coordinates, list):
        # One object in several pieces: its largest piece says where it is.
        pieces = [_polygon(key, image, piece) for piece in coordinates]
        yield max(pieces, key=lambda place: abs(area(place.ring or ())))
    else:
        raise ValueError(f"a “{clean(kind, 30)}” is no object: points and polygons are read")


def _point(key: str, image: str, point: Any) -> Place:
    return Place(key, image, coordinate(point[0]), coordinate(point[1]))


def _polygon(key: str, image: str, rings: Any) -> Place:
    ring = opened([(coordinate(point[0]), coordinate(point[1])) for point in rings[0]])
    x, y = centroid(ring)
    return Place(key, image, x, y, box=bounds(ring), ring=ring)


def write(labels: Iterable[Label], looks: Mapping[str, Look]) -> Iterator[str]:
    """The lines of a FeatureCollection: one detection per label, with its outline, else its box."""
    yield '{"type": "FeatureCollection", "features": ['
    before = ""
    for label in labels:
        yield f"{before}\n{json.dumps(_feature(label, looks), ensure_ascii=False, allow_nan=False)}"
        before = ","
    yield "\n]}\n"


def _feature(label: Label, looks: Mapping[str, Look]) -> dict[str, Any]:
    look = looks[label.name] if label.answer == LABEL else Look(label.answer.replace("_", " "), "#808080")
    notes = {"crop": label.place.key} | ({"annotator": label.annotator} if label.annotator else {})
    return {
        "type": "Feature",
        # QuPath knows an object by a UUID: the same crop keeps its own from one export to the next.
        "id": str(uuid5(NAMESPACE_URL, f"{label.place.key}/{label.annotator}")),
        "geometry": {"type": "Polygon", "coordinates": [closed(label.place)]},
        "properties": {
            "objectType": "detection",
            "classification": {"name": look.name, "color": rgb(look.color)},
            "metadata": notes,
        },
    }


def closed(place: Place) -> list[list[float]]:
    """The outline, else the box, as a closed ring in the direction that GeoJSON asks of outer rings."""
    ring = _outline(place)
    # RFC 7946 counts y upwards: counter-clockwise there is a positive sum of products, as the numbers stand.
    turned = ring if area(ring) > 0 else ring[::-1]
    return [[x, y] for x, y in (*turned, turned[0])]


def _outline(place: Place) -> Ring:
    if place.ring is not None and len(place.ring) >= 3 and abs(area(place.ring)) > 0:
        return place.ring
    if place.box is None:
        raise ValueError(f"{place.key} has neither outline nor box")
    x0, y0, x1, y1 = place.box
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def rgb(color: str) -> list[int]:
    """Red, green and blue of #rrggbb, 0 to 255."""
    return [int(color[place : place + 2], 16) for place in (1, 3, 5)]
