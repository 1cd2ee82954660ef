"""What a folder or manifest lists: fields, labels, refused rows; and where a field's objects come from."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from imaging.pixels.digest import file_digest
from imaging.pixels.geometry import Box
from imaging.pixels.info import ImageInfo, PlaneFile

LABELLED_CROP_PX = 512
SMALL_IMAGE_PX = 160
IMAGE_SUFFIXES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".svs", ".ndpi", ".scn", ".bif")
FOREIGN_SUFFIXES = (".czi", ".lif", ".nd2", ".oib", ".oif", ".zvi", ".vsi", ".ims", ".dcm", ".mrxs", ".dv")
QUICK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class LabelEntry:
    """One annotator's label for a file or a box in it; `task` is "" when the manifest names none."""

    name: str
    box: Box | None
    task: str
    annotator: str
    label: str
    row: int


@dataclass(frozen=True, slots=True)
class FieldEntry:
    """One field of view: its files and what the manifest says about objects in it.

    `box_rows` tells the manifest's row of each box, for messages.
    """

    experiment: str
    batch: str
    well: str
    site: str
    files: tuple[PlaneFile, ...]
    boxes: tuple[Box, ...] = ()
    mask: Path | None = None
    objects_file: Path | None = None
    labelled_whole: bool = False
    subject: str = ""
    condition: str = ""
    is_control: bool = False
    box_rows: dict[Box, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Relative name of the first file, by which the field is called in messages."""
        return self.files[0].name


@dataclass(frozen=True, slots=True)
class Refused:
    """One file or row that is left out, and why; `is_image` is False for a row about a mask or table."""

    path: str
    reason: str
    is_image: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything found under `root`; `duplicates` pairs a file with the identical one listed before it."""

    root: Path
    fields: tuple[FieldEntry, ...]
    labels: tuple[LabelEntry, ...] = ()
    refused: tuple[Refused, ...] = ()
    warnings: tuple[str, ...] = ()
    duplicates: tuple[tuple[str, str], ...] = ()


def object_source(field: FieldEntry, info: ImageInfo) -> str:
    """Where the field's objects come from: box, mask, geojson, table, whole or segmentation."""
    return explain_object_source(field, info)[0]


def explain_object_source(field: FieldEntry, info: ImageInfo) -> tuple[str, str]:
    """The source of the field's objects and the reason, in words for the import report."""
    longest = max(info.width, info.height)
    if field.boxes:
        return "box", f"the manifest draws {len(field.boxes)} boxes"
    if field.labelled_whole and longest <= LABELLED_CROP_PX:
        return "whole", f"annotators labelled the image itself and it is at most {LABELLED_CROP_PX} px"
    if field.objects_file is not None:
        kind = "geojson" if field.objects_file.suffix.lower() in (".geojson", ".json") else "table"
        return kind, f"the manifest gives objects in {field.objects_file.name}"
    if field.mask is not None:
        return "mask", "the manifest gives a mask"
    if longest <= SMALL_IMAGE_PX:
        return "whole", f"the image is at most {SMALL_IMAGE_PX} px, so it is taken as one crop"
    return "segmentation", "nothing in the manifest marks objects"


def find_duplicates(files: Iterable[PlaneFile]) -> tuple[tuple[str, str], ...]:
    """Pairs (name, earlier name) of byte-identical files; only files of equal size are ever read."""
    by_size: dict[int, list[PlaneFile]] = defaultdict(list)
    for file in {file.name: file for file in files}.values():
        by_size[file.path.stat().st_size].append(file)
    pairs: list[tuple[str, str]] = []
    for group in by_size.values():
        for alike in _grouped(group, _quick_key):
            for same in _grouped(alike, lambda file: file_digest(file.path).encode()):
                pairs += [(file.name, same[0].name) for file in same[1:]]
    return tuple(pairs)


def _grouped(files: list[PlaneFile], key: Callable[[PlaneFile], bytes]) -> list[list[PlaneFile]]:
    if len(files) < 2:
        return []
    groups: dict[bytes, list[PlaneFile]] = defaultdict(list)
    for file in files:
        groups[key(file)].append(file)
    return [group for group in groups.values() if len(group) > 1]


def _quick_key(file: PlaneFile) -> bytes:
    size = file.path.stat().st_size
    with file.path.open("rb") as stream:
        stream.seek(max(0, size // 2 - QUICK_BYTES // 2))
        return stream.read(QUICK_BYTES)


def duplicate_warnings(duplicates: Iterable[tuple[str, str]]) -> list[str]:
    """One sentence per pair of identical files."""
    return [f"{name}: byte-identical to {same}; it adds no information" for name, same in duplicates]
