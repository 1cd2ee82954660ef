"""Label Studio: its JSON and JSON-MIN in, its JSON out."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from labeling.exchange.labels import ANSWERS, LABEL, FileRefused, Label, Parsed, Place, answer_of, clean, counted
from labeling.exchange.rings import centroid
from labeling.exchange.text import coordinate, digest, duration, json_of, mark, moment

IMAGE_KEYS = ("image", "img", "image_url", "file", "filename")
KEY_KEYS = ("crop", "crop_key", "key")
REGIONS = ("rectanglelabels", "polygonlabels", "keypointlabels", "ellipselabels")
# What stands around a region in JSON-MIN besides its labels.
FROM_NAME, TO_NAME = "choice", "image"


def parse(content: bytes) -> Parsed:
    """Labels of the choices and labelled regions of all annotations; a cancelled one says nothing."""
    tasks = json_of(content)
    if not isinstance(tasks, list):
        raise FileRefused("A Label Studio export is a list of tasks: choose “JSON” or “JSON-MIN” there.")
    parsed = Parsed()
    for number, task in enumerate(counted(tasks), start=1):
        if not isinstance(task, dict):
            parsed.fail(f"task {number}", "it is no task")
        elif "annotations" in task or "data" in task:
            _full(parsed, f"{number}", task)
        else:
            _least(parsed, f"{number}", task)
    return parsed


def _full(parsed: Parsed, number: str, task: dict[str, Any]) -> None:
    annotations, data = task.get("annotations"), task.get("data")
    if not isinstance(annotations, list) or not isinstance(data, dict):
        parsed.fail(f"task {number}", "it has no data or no annotations")
        return
    if not annotations:
        parsed.silent += 1
    for place, annotation in enumerate(annotations, start=1):
        row = f"task {number}, annotation {place}"
        if not isinstance(annotation, dict) or not isinstance(annotation.get("result", []), list):
            parsed.fail(row, "it has no list of results")
        elif annotation.get("was_cancelled") or not annotation.get("result"):
            parsed.silent += 1
        else:
            _results(parsed, row, (data, annotation), annotation["result"])


Around = tuple[Mapping[str, Any], Mapping[str, Any]]


def _results(parsed: Parsed, row: str, around: Around, results: Sequence[Any]) -> None:
    """`around`: the task's data, and who annotated when."""
    said = [result for result in results if isinstance(result, dict) and isinstance(result.get("value"), dict)]
    kinds = [(result, kind) for result in said for kind in ("choices", *REGIONS) if kind in result["value"]]
    if not kinds:
        parsed.fail(row, "it holds neither choices nor boxes, polygons, points or ellipses with labels")
    for place, (result, kind) in enumerate(kinds, start=1):
        named = f"{row}, region {place}" if len(kinds) > 1 else row
        size = (result.get("original_width"), result.get("original_height"))
        _region(parsed, named, around, (kind, result["value"], size))


def _least(parsed: Parsed, number: str, task: dict[str, Any]) -> None:
    """A task of JSON-MIN: the results stand at its top level, under the names of the labelling configuration."""
    row, found = f"task {number}", False
    for name, value in task.items():
        for place, (kind, region) in enumerate(_least_regions(name, value), start=1):
            found = True
            size = (region.get("original_width"), region.get("original_height"))
            _region(parsed, f"{row}, {clean(name, 40)} {place}", (task, task), (kind, region, size))
    if not found:
        parsed.silent += 1


def _least_regions(name: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, list):
        regions = [item for item in value if isinstance(item, dict)]
        yield from ((kind, item) for item in regions for kind in REGIONS if kind in item)
    elif isinstance(value, dict) and "choices" in value:
        yield "choices", value
    elif name in ("choice", "choices", "class", "label") and isinstance(value, str):
        yield "choices", {"choices": [value]}


def _region(parsed: Parsed, row: str, around: Around, region: tuple[str, Mapping[str, Any], tuple[Any, Any]]) -> None:
    (data, who), (kind, value, size) = around, region
    try:
        names = value[kind]
        if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str):
            raise ValueError("it names several classes or none: one answer takes one class")
        answer, name = _said(names[0], who)
        parsed.labels.append(
            Label(
                row=row,
                place=_of_data(data) if kind == "choices" else _of_region(data, kind, value, size),
                name=name,
                answer=answer,
                annotator=_annotator(who),
                at=moment(who.get("created_at")),
                seconds=duration(who.get("lead_time")),
                word="" if who.get("answer") in ANSWERS else names[0],
                is_bulk=mark(who.get("is_bulk")),
                suggested_by=digest(who.get("suggested_by")),
            )
        )
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        parsed.fail(row, str(error) if isinstance(error, ValueError) else "its region is incomplete")


def _said(choice: str, who: Mapping[str, Any]) -> tuple[str, str]:
    """What a choice means: by the kind of answer that our own files name beside it, else by its words."""
    answer = who.get("answer")
    if answer in ANSWERS:
        return answer, choice if answer == LABEL else ""
    return answer_of(choice)


def _of_data(data: Mapping[str, Any]) -> Place:
    key = next((clean(data[name]) for name in KEY_KEYS if data.get(name)), "")
    image = _image(data)
    if not key and not image:
        raise ValueError("its data names neither a crop nor an image")
    if data.get("x") is not None and data.get("y") is not None:
        return Place(key, image, coordinate(data["x"]), coordinate(data["y"]))
    return Place(key, image)


def _image(data: Mapping[str, Any]) -> str:
    """The name of the image behind a link; Label Studio puts eight digits before the names of uploads."""
    link = next((data[name] for name in IMAGE_KEYS if isinstance(data.get(name), str) and data[name]), "")
    if "://" not in link and not link.startswith("/data/"):
        return str(link)
    parts = urlsplit(link)
    path = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    if path.startswith("/data/upload/"):
        stem = path.rsplit("/", 1)[-1]
        head, _, rest = stem.partition("-")
        return rest if rest and len(head) == 8 else stem
    return path.lstrip("/")


def _of_region(data: Mapping[str, Any], kind: str, value: Mapping[str, Any], size: tuple[Any, Any]) -> Place:
    """Regions are in per cent of the image's sides."""
    width, height = (coordinate(side) for side in size)
    if width <= 0 or height <= 0:
        raise ValueError("its image has no size: original_width and original_height are missing")
    image = _image(data)
    if kind == "polygonlabels":
        ring = tuple((coordinate(x) * width / 100, coordinate(y) * height / 100) for x, y in value["points"])
        return Place("", image, *centroid(ring), ring=ring)
    x, y = coordinate(value["x"]) * width / 100, coordinate(value["y"]) * height / 100
    if kind != "rectanglelabels":
        return Place("", image, x, y)
    if value.get("rotation"):
        raise ValueError("its box is turned: boxes with a rotation are not read")
    right, below = x + coordinate(value["width"]) * width / 100, y + coordinate(value["height"]) * height / 100
    return Place("", image, (x + right) / 2, (y + below) / 2, box=(x, y, right, below))


def _annotator(who: Mapping[str, Any]) -> str:
    by = who.get("annotator") or who.get("completed_by")
    if isinstance(by, dict):
        by = by.get("username") or by.get("email") or by.get("id")
    return clean(by, 150)


def write(labels: Iterable[Label]) -> Iterator[str]:
    """The lines of a JSON export: one task per crop, one annotation per answer; labels of a crop stand together.

    Label Studio refuses an annotation by somebody it does not know: who answered stands beside it, as `annotator`.
    """
    yield "["
    before = ""
    for task in _tasks(labels):
        yield f"{before}\n{json.dumps(task, ensure_ascii=False)}"
        before = ","
    yield "\n]\n"


def _tasks(labels: Iterable[Label]) -> Iterator[dict[str, Any]]:
    task: dict[str, Any] = {}
    for label in labels:
        place = label.place
        if not task or task["data"]["crop"] != place.key:
            if task:
                yield task
            data = {"image": place.image, "crop": place.key, "x": place.x, "y": place.y}
            task = {"data": data, "annotations": [], "predictions": []}
        task["annotations"].append(_annotation(label))
    if task:
        yield task


def _annotation(label: Label) -> dict[str, Any]:
    choice = label.name if label.answer == LABEL else label.answer.replace("_", " ")
    result = {"from_name": FROM_NAME, "to_name": TO_NAME, "type": "choices", "value": {"choices": [choice]}}
    return {
        "annotator": label.annotator,
        "answer": label.answer,
        "is_bulk": label.is_bulk,
        "suggested_by": label.suggested_by,
        "result": [result],
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": label.at.isoformat() if label.at else None,
        "lead_time": label.seconds,
    }
