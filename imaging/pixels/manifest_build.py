"""Checked manifest rows become fields, labels and warnings."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from imaging.pixels.errors import ManifestError
from imaging.pixels.geometry import Box
from imaging.pixels.info import PlaneFile
from imaging.pixels.listing import (
    FieldEntry,
    LabelEntry,
    Listing,
    Refused,
    duplicate_warnings,
    find_duplicates,
)
from imaging.pixels.manifest_rows import KINDS, Row, read_rows

IMAGE_KINDS = ("image", "label", "box", "point")
OTHER_KINDS = tuple(kind for kind in KINDS if kind not in IMAGE_KINDS)
OBJECT_SUFFIXES = (".geojson", ".json", ".csv")


@dataclass(slots=True)
class _File:
    """All rows about one image file."""

    row: Row
    labels: list[LabelEntry] = field(default_factory=list)
    boxes: dict[Box, int] = field(default_factory=dict)

    @property
    def whole_labels(self) -> frozenset[tuple[str, str]]:
        return frozenset((entry.task, entry.label) for entry in self.labels if entry.box is None)


def read_manifest(csv_path: Path | str, folder: Path | None = None) -> Listing:
    """Listing of the images a manifest.csv names; bad rows are in `refused`, oddities in `warnings`.

    Paths are relative to `folder`, by default the manifest's own.
    Raises ManifestError when the table as a whole is unusable: no path column, no row, not CSV.
    """
    path = Path(csv_path)
    root = path.parent if folder is None else folder
    rows, refused = _sorted_rows(path, root)
    files, warnings = _collect(rows)
    fields = _fields(files, root.name)
    fields = _attach(fields, [row for row in rows if row.kind in ("mask", "annotation", "table")])
    duplicates = find_duplicates(file for entry in fields for file in entry.files)
    labels = [label for file in files.values() for label in file.labels]
    return Listing(
        root=root,
        fields=tuple(fields),
        labels=tuple(sorted(labels, key=lambda label: label.row)),
        refused=tuple(refused),
        warnings=(*warnings, *duplicate_warnings(duplicates)),
        duplicates=duplicates,
    )


def _sorted_rows(path: Path, root: Path) -> tuple[list[Row], list[Refused]]:
    rows: list[Row] = []
    refused: list[Refused] = []
    for number, cells, outcome in read_rows(path, root):
        if isinstance(outcome, Row):
            rows.append(outcome)
        else:
            name = PurePosixPath(cells["path"].replace("\\", "/")).as_posix() if cells["path"] else ""
            is_image = bool(name) and cells["kind"].lower() not in OTHER_KINDS
            refused.append(Refused(name, f"row {number}: {outcome}", is_image))
    if not rows and not refused:
        raise ManifestError(path.name, "it has no rows", "List at least one image")
    return rows, refused


def _collect(rows: Iterable[Row]) -> tuple[dict[str, _File], list[str]]:
    files: dict[str, _File] = {}
    warnings: list[str] = []
    for row in rows:
        if row.kind not in IMAGE_KINDS:
            continue
        known = files.setdefault(row.name, _File(row))
        if row.kind == "image" and known.row.kind != "image":
            known.row = row
        elif row.kind == "image" and known.row is not row and _place(row) != _place(known.row):
            warnings.append(f"{row.name}, row {row.number}: listed again elsewhere; the first row counts")
        if row.odd_z:
            warnings.append(f"{row.name}, row {row.number}: z={row.cells['z']!r} is not a plane number")
        if row.box is not None:
            known.boxes.setdefault(row.box, row.number)
        if row.cells["label"] and row.annotator:
            known.labels.append(
                LabelEntry(row.name, row.box, row.task, row.annotator, row.cells["label"], row.number)
            )
        elif row.kind == "label" and not row.cells["annotator"]:
            warnings.append(f"{row.name}, row {row.number}: a label without an annotator is not counted")
    return files, warnings


def _place(row: Row) -> tuple[str, ...]:
    return tuple(row.cells[column] for column in ("experiment", "batch", "well", "field", "channel", "z"))


def _fields(files: dict[str, _File], default: str) -> list[FieldEntry]:
    groups: dict[tuple[object, ...], list[_File]] = defaultdict(list)
    for file in files.values():
        groups[_group_key(file)].append(file)
    return [entry for members in groups.values() for entry in _split(members, default)]


def _group_key(file: _File) -> tuple[object, ...]:
    """Files with equal keys may form one field: same place, and no differing image-level labels."""
    row, cells = file.row, file.row.cells
    alone = row.odd_z or ";" in cells["channel"] or not (cells["well"] or cells["field"])
    if alone or not (cells["channel"] or cells["z"]):
        return (row.name,)
    return (*(cells[c] for c in ("experiment", "batch", "well", "field")), file.whole_labels)


def _split(members: list[_File], default: str) -> list[FieldEntry]:
    """One field out of all members, unless two of them claim the same channel and z."""
    claims = {(member.row.cells["channel"], member.row.z or 0) for member in members}
    if len(claims) != len(members):
        return [_field([member], default) for member in members]
    return [_field(sorted(members, key=lambda m: (m.row.cells["channel"], m.row.z or 0)), default)]


def _field(members: list[_File], default: str) -> FieldEntry:
    cells = members[0].row.cells
    rows = {box: row for member in members for box, row in member.boxes.items()}
    planes = (PlaneFile(m.row.path, m.row.name, m.row.cells["channel"], m.row.z) for m in members)
    return FieldEntry(
        experiment=cells["experiment"] or default,
        batch=cells["batch"],
        well=cells["well"],
        site=cells["field"],
        files=tuple(planes),
        boxes=tuple(rows),
        box_rows=rows,
        labelled_whole=any(member.whole_labels for member in members),
        subject=cells["subject"],
        condition=cells["condition"],
        is_control=cells["control"].lower() in ("1", "true", "yes"),
    )


def _attach(fields: list[FieldEntry], extras: list[Row]) -> list[FieldEntry]:
    """Fields with their mask or object file: matched by file stem, else by place."""
    by_stem: dict[str, list[Row]] = defaultdict(list)
    by_place: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in extras:
        by_stem[PurePosixPath(row.name).stem].append(row)
        if row.cells["field"] or row.cells["well"]:
            by_place[tuple(row.cells[c] for c in ("experiment", "well", "field"))].append(row)
    return [_with_extras(entry, by_stem, by_place) for entry in fields]


def _with_extras(
    entry: FieldEntry, by_stem: dict[str, list[Row]], by_place: dict[tuple[str, ...], list[Row]]
) -> FieldEntry:
    rows = by_stem.get(PurePosixPath(entry.name).stem) or by_place.get((entry.experiment, entry.well, entry.site), [])
    mask = next((row.path for row in rows if row.kind == "mask"), None)
    objects = next(
        (
            row.path
            for row in rows
            if row.kind in ("annotation", "table") and row.path.suffix.lower() in OBJECT_SUFFIXES
        ),
        None,
    )
    if mask is None and objects is None:
        return entry
    return replace(entry, mask=mask, objects_file=objects)
