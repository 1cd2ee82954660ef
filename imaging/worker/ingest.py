"""Takes a folder or a manifest in: every readable field becomes an image with its crops and its quality.

An experiment is stored in one transaction, so that nothing half-written stays. What cannot be read is
reported with its reason and the rest goes on.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imaging.models import Crop, Experiment
from imaging.pixels.errors import ImageError
from imaging.pixels.info import ImageInfo
from imaging.pixels.listing import FieldEntry, Listing
from imaging.pixels.manifest import read_manifest
from imaging.pixels.scanning import scan_folder
from imaging.worker.measuring import FieldFacts, content_digest, objects_digest, read_field, with_common_plan
from imaging.worker.storing import StoreOptions, store

Progress = Callable[[str], None]


class IngestRefused(ValueError):
    """Nothing can be taken in; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user says about the images."""

    experiment: str = ""
    pattern: str = ""
    pixel_size_um: float | None = None
    channels: tuple[str, ...] = ()
    # A name that is taken by other images gets the digest of the new ones behind it, instead of a refusal.
    rename_on_conflict: bool = False
    store: StoreOptions = field(default_factory=StoreOptions)


@dataclass(slots=True)
class Report:
    """What became of each file; paths are relative to the folder or manifest.

    `images`: distinct image files considered, `accepted` of them are in; `refused`: files that are not, and why;
    `warnings`: rows and objects left out of files that are in, and other oddities.
    """

    experiments: list[str] = field(default_factory=list)
    images: int = 0
    accepted: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)
    duplicates: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    crops: int = 0


def list_source(path: Path, manifest: Path | None, pattern: str = "") -> Listing:
    """The fields of a manifest, or of a folder; a folder's own `manifest.csv` is used where there is one."""
    if manifest is not None and not path.exists():
        raise IngestRefused(f"{path.name}: there is no such folder for the manifest's paths. Check the path.")
    if manifest is None and path.is_dir() and (path / "manifest.csv").is_file() and not pattern:
        manifest = path / "manifest.csv"
    if manifest is None and path.is_file():
        manifest = path
    if manifest is not None:
        return read_manifest(manifest, path if path.is_dir() else None)
    if not path.is_dir():
        raise IngestRefused(f"{path.name}: there is no such folder or manifest. Check the path.")
    return scan_folder(path, pattern or None)


def ingest(listing: Listing, options: Options, progress: Progress = lambda _: None) -> Report:
    """Store every experiment of the listing; what is refused stands in the report with its reason.

    Raises IngestRefused for channel names that are not distinct.
    """
    if len(set(options.channels)) != len(options.channels):
        raise IngestRefused(f"--channels {','.join(options.channels)}: a name is repeated. Name each channel once.")
    report = Report(warnings=list(listing.warnings))
    report.duplicates += [{"path": name, "same_as": same} for name, same in listing.duplicates]
    groups: dict[str, list[FieldEntry]] = defaultdict(list)
    for entry in listing.fields:
        groups[options.experiment or entry.experiment or listing.root.name].append(entry)
    accepted: set[str] = set()
    for name, entries in groups.items():
        progress(f"{name}: reading {len(entries)} fields")
        accepted |= _ingest_experiment(name, entries, options, report, progress)
    refused = {item["path"] for item in report.refused}
    refused |= {item.path for item in listing.refused if item.is_image}
    _tell_rows(listing, accepted, report)
    report.accepted = len(accepted)
    report.images = len(accepted | refused)
    return report


def _tell_rows(listing: Listing, accepted: set[str], report: Report) -> None:
    """A refused row is a warning where its file is in all the same, else the reason why the file is not."""
    report.warnings += [f"{item.path}, {item.reason}" for item in listing.refused if item.path in accepted]
    outside = [{"path": item.path, "reason": item.reason} for item in listing.refused if item.path not in accepted]
    report.refused = outside + report.refused


def _ingest_experiment(
    name: str, entries: Sequence[FieldEntry], options: Options, report: Report, progress: Progress
) -> set[str]:
    """Names of the files that are in the experiment, also as duplicates; the rest goes to the report."""
    facts, alike = read_all(entries, options, report, progress)
    if not facts:
        return set()
    names = [file["name"] for item in facts for file in item.files] + alike
    content = content_digest((item.digest, objects_digest(item)) for item in facts)
    standing = Experiment.objects.filter(name=name).first()
    if standing is not None and standing.content_digest != content and options.rename_on_conflict:
        name = f"{name} [{content[:6]}]"
        standing = Experiment.objects.filter(name=name).first()
    if standing is None:
        standing = store(name, with_common_plan(facts), content, options.store)
    elif standing.content_digest != content:
        reason = (
            f"experiment '{name}' exists with other images or objects: give another name with --experiment, or bring "
            "them in with manage.py resegment"
        )
        report.refused += [{"path": path, "reason": reason} for path in names]
        return set()
    report.experiments.append(name)
    report.crops += Crop.objects.standing().filter(image__sample__experiment=standing).count()
    report.warnings += [text for item in facts for text in left_out(item)]
    return set(names)


def read_all(
    entries: Sequence[FieldEntry], options: Options, report: Report, progress: Progress
) -> tuple[list[FieldFacts], list[str]]:
    """The fields that can be read, and the names of the files of those that repeat one of them.

    What cannot be read stands in the report with its reason.
    """
    facts: list[FieldFacts] = []
    alike: list[str] = []
    seen: dict[str, str] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            item = read_field(entry, options.channels, options.pixel_size_um, options.store.bit_depth)
        except (ImageError, ValueError, OSError, MemoryError) as error:
            # Whatever is wrong with one field, the rest of the batch goes on.
            report.refused += [{"path": file.name, "reason": _reason(error, file.name)} for file in entry.files]
            continue
        if item.digest in seen:
            alike += [file.name for file in entry.files]
            if entry.name not in {row["path"] for row in report.duplicates}:
                report.duplicates.append({"path": entry.name, "same_as": seen[item.digest]})
            continue
        seen[item.digest] = entry.name
        facts.append(item)
        if number % 25 == 0:
            progress(f"{number} of {len(entries)} fields read")
    return facts, alike


def left_out(item: FieldFacts) -> list[str]:
    """Objects of the field that make no crop, in words."""
    return _boxes_outside(item.entry, item.info) + ([_dropped(item)] if item.dropped else [])


def _dropped(item: FieldFacts) -> str:
    source = item.entry.objects_file or item.entry.mask
    where = f" of {source.name}" if source is not None else ""
    return f"{item.entry.name}: {item.dropped} objects{where} left out: without area, or centred outside of the image"


def _boxes_outside(entry: FieldEntry, info: ImageInfo) -> list[str]:
    """The manifest's boxes that have no pixel in the image, each with its row."""
    size = f"{info.width} x {info.height} pixels"
    outside = [box for box in entry.boxes if not box.clipped(info.width, info.height).is_proper]
    return [
        f"{entry.name}, row {entry.box_rows.get(box, '?')}: the box from ({box.x0:g}, {box.y0:g}) to ({box.x1:g},"
        f" {box.y1:g}) lies outside the image of {size}; coordinates are pixels from the top left corner"
        for box in outside
    ]


def _reason(error: Exception, name: str) -> str:
    """The error without the name that already stands beside it."""
    if isinstance(error, OSError):
        return f"it cannot be read: {error.strerror or type(error).__name__}"
    return (str(error) or type(error).__name__).removeprefix(f"{name}: ")
