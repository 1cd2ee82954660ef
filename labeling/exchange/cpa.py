"""CellProfiler Analyst: the text file that its classifier saves as a training set, with positions.

Lines are `CLASS ImageNumber ObjectNumber X Y` (with a table number first where the database has several tables),
after `label CLASS CLASS ...`; lines that begin with # hold a pickled cache, which is never opened. Its CSV names no
positions and is read where the columns X and Y, or the key of a crop, were added.
"""

import csv
import io
from collections.abc import Mapping

from labeling.exchange.labels import FileRefused, Label, Parsed, Place, answer_of, clean, counted
from labeling.exchange.text import coordinate, decoded

# With and without the table's number.
WORDS = (4, 5)


def parse(content: bytes, images: Mapping[str, str]) -> Parsed:
    """The labels of a training set; `images` says which image each ImageNumber is."""
    names: list[str] = []
    parsed = Parsed()
    for number, line in enumerate(counted(decoded(content).splitlines()), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("label ") and not names:
            names = text.split()[1:]
            continue
        try:
            parsed.labels.append(_label(f"line {number}", text, names, images))
        except ValueError as error:
            parsed.fail(f"line {number}", str(error))
    if not names:
        raise FileRefused("A training set of CellProfiler Analyst begins with a line “label CLASS CLASS …”.")
    return parsed


def _label(row: str, line: str, names: list[str], images: Mapping[str, str]) -> Label:
    name, *numbers = line.split()
    if name not in names:
        raise ValueError(f"“{clean(name, 40)}” is not among the classes of the line “label”")
    if len(numbers) not in WORDS:
        raise ValueError("it is no “CLASS ImageNumber ObjectNumber X Y”; positions are needed to find the object")
    image = str(int(coordinate(numbers[-4])))
    if image not in images:
        raise ValueError(f"nobody says which image number {image} is: give the table of images too")
    # CellProfiler counts from the centre of the first pixel, half a pixel after its corner.
    x, y = (coordinate(text) + 0.5 for text in numbers[-2:])
    answer, label = answer_of(name)
    return Label(row, Place("", images[image], x, y), label, answer, word=name)


def image_names(content: bytes) -> dict[str, str]:
    """ImageNumber -> file name, from CellProfiler's table of images; FileRefused where it lacks a column."""
    try:
        return _names(csv.DictReader(io.StringIO(decoded(content), newline="")))
    except csv.Error as error:
        raise FileRefused(f"The table of images breaks off: {error}. Save it again as CSV.") from error


def _names(rows: "csv.DictReader[str]") -> dict[str, str]:
    columns = list(rows.fieldnames or [])
    number = next((name for name in columns if name == "ImageNumber" or name.endswith("_ImageNumber")), None)
    file = next((name for name in columns if "FileName_" in name or name.lower() in ("image", "filename")), None)
    if number is None or file is None:
        raise FileRefused("The table of images needs the columns ImageNumber and FileName_….")
    return {(row[number] or "").strip(): (row[file] or "").strip() for row in rows}
