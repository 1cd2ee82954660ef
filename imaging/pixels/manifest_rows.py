"""Rows of a manifest.csv: read, checked and refused one by one."""

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from imaging.pixels.errors import ManifestError
from imaging.pixels.geometry import Box

COLUMNS = (
    *("path", "kind", "experiment", "batch", "well", "field", "channel", "z", "label", "annotator"),
    *("x0", "y0", "x1", "y1", "note"),
)
# What is known of the sample, where it is known: subjects (patient, donor, animal) never cross a split.
SAMPLE_COLUMNS = ("subject", "condition", "control")
KINDS = (
    "image",
    "label",
    "mask",
    "box",
    "point",
    "annotation",
    "table",
    "ratings_long",
    "metadata",
    "reference",
)
MAX_MANIFEST_BYTES = 512 * 1024 * 1024
# A point marks an object without a size; a box of this side stands for it.
POINT_SIDE_PX = 32.0
TASK = re.compile(r"(?:^|;)\s*task=([^;]*)")


@dataclass(frozen=True, slots=True)
class Row:
    """One checked row; `cells` has every column, `box` is set for boxes and points."""

    number: int
    path: Path
    name: str
    kind: str
    cells: dict[str, str]
    box: Box | None
    z: int | None
    odd_z: bool

    @property
    def task(self) -> str:
        """Name after `task=` in the note, up to the next semicolon."""
        match = TASK.search(self.cells["note"])
        return match.group(1).strip() if match else ""

    @property
    def annotator(self) -> str:
        """Annotator; empty when the note marks the row as `reference`, which is nobody's answer."""
        parts = [part.strip() for part in self.cells["note"].split(";")]
        return "" if "reference" in parts else self.cells["annotator"]


class RowError(Exception):
    """Why one row is refused."""


def read_rows(csv_path: Path, root: Path) -> Iterator[tuple[int, dict[str, str], Row | str]]:
    """Every row as (row number as in a spreadsheet, cells, checked row or reason for refusal).

    Paths are relative to `root`.
    """
    table = csv.DictReader(io.StringIO(_text(csv_path), newline=""), restkey="surplus")
    names = [(name or "").strip().lower() for name in table.fieldnames or ()]
    if "path" not in names:
        raise ManifestError(csv_path.name, "it has no column 'path'", f"Use the columns {', '.join(COLUMNS)}")
    table.fieldnames = names
    seen: set[tuple[str, ...]] = set()
    resolved_root = root.resolve()
    while True:
        try:
            raw = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            raise ManifestError(csv_path.name, f"it is not a CSV table ({error})", "Save it again") from error
        number = table.line_num
        cells = {name: _cell(raw.get(name)) for name in (*COLUMNS, *SAMPLE_COLUMNS)}
        try:
            yield number, cells, _check(cells, raw, number, (root, resolved_root), seen)
        except RowError as error:
            yield number, cells, str(error)


def _cell(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _text(csv_path: Path) -> str:
    try:
        if csv_path.stat().st_size > MAX_MANIFEST_BYTES:
            raise ManifestError(csv_path.name, "it is larger than 512 MiB", "Split it")
        text = csv_path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ManifestError(csv_path.name, "it is missing or cannot be opened", "Check the path") from error
    except UnicodeDecodeError as error:
        raise ManifestError(csv_path.name, "it is not UTF-8 text", "Save it as CSV UTF-8") from error
    if not text.strip():
        raise ManifestError(csv_path.name, "it is empty", f"Give it the columns {', '.join(COLUMNS)}")
    if "\0" in text:
        raise ManifestError(csv_path.name, "it holds NUL bytes", "Save it as CSV UTF-8")
    return text


def _check(
    cells: dict[str, str],
    raw: dict[str, object],
    number: int,
    roots: tuple[Path, Path],
    seen: set[tuple[str, ...]],
) -> Row:
    if "surplus" in raw:
        raise RowError("it has more cells than the header; quote cells that contain a comma")
    kind = cells["kind"].lower() or "image"
    if kind not in KINDS:
        raise RowError(f"kind {cells['kind']!r} is unknown; use {', '.join(KINDS)}")
    name, path = _inside(cells["path"], *roots)
    identity = (name, kind, *(cells[column] for column in COLUMNS[2:-1]), cells["note"])
    if identity in seen:
        raise RowError("the row is repeated; delete one of the two")
    seen.add(identity)
    if kind != "metadata" and not path.is_file():
        raise RowError("the file does not exist; check the path, also upper and lower case")
    z, odd_z = _depth(cells["z"])
    return Row(number, path, name, kind, cells, _row_box(kind, cells), z, odd_z)


def _inside(text: str, root: Path, resolved_root: Path) -> tuple[str, Path]:
    if not text:
        raise RowError("its path is empty; name a file relative to the manifest")
    pure = PurePosixPath(text.replace("\\", "/"))
    if pure.is_absolute() or ".." in pure.parts or re.match(r"^[A-Za-z]:", text):
        raise RowError("its path leaves the manifest's folder; use a path relative to it")
    try:
        inside = (root / pure).resolve().is_relative_to(resolved_root)
    except (OSError, ValueError):
        inside = False
    if not inside:
        raise RowError("it leads outside the manifest's folder through a link; copy the file itself")
    return pure.as_posix(), root / pure


def _depth(text: str) -> tuple[int | None, bool]:
    """The z-plane, and whether the cell holds something that is not a whole number."""
    if not text:
        return None, False
    return (int(text), False) if re.fullmatch(r"\d{1,6}", text) else (None, True)


def _row_box(kind: str, cells: dict[str, str]) -> Box | None:
    if kind not in ("box", "point"):
        return None
    wanted = ("x0", "y0", "x1", "y1") if kind == "box" else ("x0", "y0")
    numbers = [_number(cells, column) for column in wanted]
    if kind == "point":
        return Box.around(numbers[0], numbers[1], POINT_SIDE_PX)
    box = Box(*numbers)
    if not box.is_proper:
        raise RowError("the box has no area; x1 must be larger than x0 and y1 larger than y0")
    if box.x1 <= 0 or box.y1 <= 0:
        raise RowError("the box lies outside the image; coordinates are pixels from the top left corner")
    return box


def _number(cells: dict[str, str], column: str) -> float:
    try:
        value = float(cells[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RowError(f"{column}={cells[column]!r} is not a number; give pixels")
    return value
