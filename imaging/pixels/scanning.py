"""Listing of a folder without a manifest, by the names of its files."""

import os
from collections import defaultdict
from pathlib import Path

from imaging.pixels.errors import ManifestError
from imaging.pixels.info import PlaneFile
from imaging.pixels.listing import (
    FOREIGN_SUFFIXES,
    IMAGE_SUFFIXES,
    FieldEntry,
    Listing,
    Refused,
    duplicate_warnings,
    find_duplicates,
)
from imaging.pixels.naming import THUMBNAIL, NameParts, compile_pattern, parse_name

MAX_FILES = 1_000_000


def scan_folder(folder: Path | str, pattern: str | None = None) -> Listing:
    """Listing of all images below `folder`, grouped into fields by default patterns or the user's own.

    Links are not followed. Raises ManifestError for a bad pattern or a folder without any image.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ManifestError(root.name, "there is no such folder", "Check the path")
    compiled = compile_pattern(pattern) if pattern else None
    groups: dict[tuple[str, ...], list[tuple[NameParts, PlaneFile]]] = defaultdict(list)
    refused: list[Refused] = []
    for name in _image_names(root):
        reason = _refusal(root, name)
        parts = None if reason else parse_name(name, compiled)
        if parts is None or parts.time > 0:
            refused.append(Refused(name, reason or _unusable(parts)))
            continue
        file = PlaneFile(root / name, name, parts.channel, parts.z)
        alone = (name,) if not (parts.well or parts.site) else ()
        groups[(parts.experiment, parts.well, parts.site, *alone)].append((parts, file))
    if not groups and not refused:
        raise ManifestError(root.name, "the folder holds no image", f"Add {', '.join(IMAGE_SUFFIXES)} files")
    fields = [field for members in groups.values() for field in _fields(members, root.name)]
    duplicates = find_duplicates(file for field in fields for file in field.files)
    warnings = duplicate_warnings(duplicates)
    return Listing(root, tuple(fields), (), tuple(refused), tuple(warnings), duplicates)


def _image_names(root: Path) -> list[str]:
    names: list[str] = []
    for parent, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        for file in files:
            suffix = Path(file).suffix.lower()
            if suffix in IMAGE_SUFFIXES + FOREIGN_SUFFIXES and not file.startswith("."):
                names.append((Path(parent) / file).relative_to(root).as_posix())
        if len(names) > MAX_FILES:
            raise ManifestError(root.name, f"it holds more than {MAX_FILES} files", "Add it in parts")
    return sorted(name for name in names if not THUMBNAIL.search(name))


def _refusal(root: Path, name: str) -> str:
    path = root / name
    if path.is_symlink():
        return "it is a link, and links are not followed; copy the file itself"
    if path.suffix.lower() in FOREIGN_SUFFIXES:
        return f"{path.suffix.lower()} files are not read; export them as OME-TIFF"
    return ""


def _unusable(parts: NameParts | None) -> str:
    if parts is None:
        return "its name does not match the pattern; correct the pattern or move the file"
    return f"it is time point {parts.time + 1}; only the first is read, list later ones as experiments"


def _fields(members: list[tuple[NameParts, PlaneFile]], default: str) -> list[FieldEntry]:
    """One field, or one per file when two files claim the same channel and z."""
    parts = members[0][0]
    files = tuple(sorted((file for _, file in members), key=lambda f: (f.channel, f.z or 0, f.name)))
    claims = {(file.channel, file.z or 0) for file in files}
    groups = [files] if len(claims) == len(files) else [(file,) for file in files]
    experiment = parts.experiment or default
    return [FieldEntry(experiment, experiment, parts.well, parts.site, group) for group in groups]
