"""Labels in a CSV table: one row per label, columns under any of the names that tools give them."""

import csv
import io
from collections.abc import Iterator, Sequence

from labeling.exchange.labels import ANSWERS, LABEL, FileRefused, Label, Parsed, Place, answer_of, clean, counted
from labeling.exchange.text import coordinate, decoded, digest, duration, mark, moment, unguarded

COLUMNS = {
    "key": ("crop", "crop_key", "key", "metadata_cropkey"),
    "image": ("image", "image_name", "file", "filename", "file_name", "path"),
    "x": ("x", "center_x", "centre_x", "location_center_x", "centroid_x", "x_px"),
    "y": ("y", "center_y", "centre_y", "location_center_y", "centroid_y", "y_px"),
    "x0": ("x0", "xmin", "left"),
    "y0": ("y0", "ymin", "top"),
    "x1": ("x1", "xmax", "right"),
    "y1": ("y1", "ymax", "bottom"),
    "class": ("class", "label", "class_name", "category", "phenotype"),
    "answer": ("answer",),
    "annotator": ("annotator", "reader", "user", "rater", "labeler", "completed_by"),
    "at": ("answered_at", "time", "timestamp", "date", "created_at", "updated_at"),
    "stands": ("stands",),
    "seconds": ("seconds", "lead_time"),
    "comment": ("reason", "comment", "note"),
    "is_reread": ("is_reread",),
    "is_bulk": ("is_bulk",),
    "suggested_by": ("suggested_by",),
    "is_simulated": ("simulated",),
    "source": ("source",),
}
CORNERS = ("x0", "y0", "x1", "y1")
# What the table of answers calls a lead's decision.
DECISION = "decision"


def parse(content: bytes) -> Parsed:
    """The labels of the table; FileRefused where it has no column for a class or for a place."""
    rows = _rows(decoded(content))
    parsed = Parsed()
    try:
        header = next(rows, [])
        columns = found_columns(header)
        _refuse_without(columns, header)
        for number, row in enumerate(counted(rows), start=2):
            if any(row):
                _take(parsed, f"row {number}", {name: _cell(row, place) for name, place in columns.items()})
    except csv.Error as error:
        raise FileRefused(f"The table breaks off: {error}. Save it again as CSV. Nothing was stored.") from error
    return parsed


def found_columns(header: Sequence[str]) -> dict[str, int]:
    """Which column of the header is which, by the first name of each that it holds."""
    names = [cell.strip().lower().replace(" ", "_") for cell in header]
    having = {column: [name for name in known if name in names] for column, known in COLUMNS.items()}
    return {column: names.index(found[0]) for column, found in having.items() if found}


def _rows(text: str) -> Iterator[list[str]]:
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _refuse_without(columns: dict[str, int], header: Sequence[str]) -> None:
    if not {"class", "answer"} & columns.keys():
        raise FileRefused(f"The table has no column “class”. It has: {_some(header)}. Nothing was stored.")
    if "key" not in columns and "image" not in columns:
        raise FileRefused(
            f"The table has neither a column “crop” nor “image”. It has: {_some(header)}. Nothing was stored."
        )


def _some(header: Sequence[str]) -> str:
    return ", ".join(clean(cell, 30) for cell in header[:12]) or "no columns"


def _cell(row: Sequence[str], place: int) -> str:
    return unguarded(row[place].strip()) if place < len(row) else ""


def _take(parsed: Parsed, row: str, cells: dict[str, str]) -> None:
    if cells.get("stands", "").lower() in ("false", "0", "no") or cells.get("answer") == "withdrawn":
        parsed.silent += 1
        return
    try:
        if mark(cells.get("is_reread")):
            parsed.fail(row, "it is a re-read: it judges its annotator, and is no answer of its own", "reread")
            return
        if cells.get("source") == DECISION:
            parsed.fail(row, "a lead decided it in sight of all answers: it is no answer of a reader", "decision")
            return
        answer, name = _said(cells)
        if answer == LABEL and not name:
            parsed.silent += 1
            return
        parsed.labels.append(
            Label(
                row=row,
                place=_place(cells),
                name=name,
                answer=answer,
                annotator=cells.get("annotator", ""),
                at=moment(cells.get("at")),
                seconds=duration(cells.get("seconds")),
                comment=cells.get("comment", ""),
                word="" if cells.get("answer") else cells.get("class", ""),
                is_bulk=mark(cells.get("is_bulk")),
                suggested_by=digest(cells.get("suggested_by")),
                is_simulated=mark(cells.get("is_simulated")),
            )
        )
    except ValueError as error:
        parsed.fail(row, str(error))


def _said(cells: dict[str, str]) -> tuple[str, str]:
    name, answer = cells.get("class", ""), cells.get("answer", "").lower()
    if not answer or answer == LABEL:
        return answer_of(name) if not answer else (LABEL, name)
    if answer not in ANSWERS:
        raise ValueError(f"“{clean(answer, 30)}” is no answer: label, not_sure, bad_crop or wrong_object")
    return answer, ""


def _place(cells: dict[str, str]) -> Place:
    key, image = cells.get("key", ""), cells.get("image", "")
    if not key and not image:
        raise ValueError("it names neither a crop nor an image")
    if all(cells.get(corner) for corner in CORNERS):
        x0, y0, x1, y1 = (coordinate(cells[corner]) for corner in CORNERS)
        return Place(key, image, (x0 + x1) / 2, (y0 + y1) / 2, box=(x0, y0, x1, y1))
    if cells.get("x") and cells.get("y"):
        return Place(key, image, coordinate(cells["x"]), coordinate(cells["y"]))
    return Place(key, image)
