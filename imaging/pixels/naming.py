"""Plate, well, site, channel and z out of file names, for folders without a manifest."""

import re
from dataclasses import dataclass

from imaging.pixels.errors import ManifestError

GROUPS = ("experiment", "plate", "well", "site", "channel", "z")
MAX_PATTERN_LENGTH = 500
# Folders that microscopes add below the plate's own folder.
TIME_OR_Z_FOLDER = re.compile(r"(?i)^(TimePoint_\d+|ZStep_\d+|Images|ch\d+)$")
TIME_FOLDER = re.compile(r"(?i)(?:^|/)TimePoint_(\d+)/")
Z_FOLDER = re.compile(r"(?i)(?:^|/)ZStep_(\d+)/")
GUID = r"[0-9A-F]{8}-?(?:[0-9A-F]{4}-?){3}[0-9A-F]{12}"
SUFFIX = r"\.(?:tiff?|png|jpe?g)$"
IMAGEXPRESS = re.compile(
    rf"(?i)(?:^|/)(?P<plate>[^/]+?)_(?P<well>[A-P]\d{{2}})(?:_(?P<site>s\d+))?_(?P<channel>w\d)"
    rf"(?:_z(?P<z>\d+))?(?:{GUID})?{SUFFIX}"
)
CELLVOYAGER = re.compile(
    rf"(?i)(?:^|/)(?P<plate>[^/]+?)_(?P<well>[A-P]\d{{2}})_T(?P<time>\d{{4}})(?P<site>F\d{{3}})L\d{{2}}A\d{{2}}"
    rf"Z(?P<z>\d{{2}})(?P<channel>C\d{{2}}){SUFFIX}"
)
OPERA = re.compile(
    rf"(?i)(?:^|/)r(?P<row>\d{{2}})c(?P<column>\d{{2}})(?P<site>f\d{{2,3}})p(?P<z>\d{{2,3}})-(?P<channel>ch\d+)"
    rf"(?:sk(?P<time>\d+))?(?:fk\d+)?(?:fl\d+)?{SUFFIX}"
)
THUMBNAIL = re.compile(rf"(?i)_thumb(?:{GUID})?{SUFFIX}")


@dataclass(frozen=True, slots=True)
class NameParts:
    """What a file's name says; empty where it says nothing. `time` counts from the first time point."""

    experiment: str = ""
    well: str = ""
    site: str = ""
    channel: str = ""
    z: int | None = None
    time: int = 0


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """The user's pattern; raises ManifestError when it is no regular expression or names no known group."""
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise ManifestError("pattern", f"it is longer than {MAX_PATTERN_LENGTH} characters", "Shorten it")
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ManifestError("pattern", f"it is not a regular expression ({error})", "Correct it") from error
    unknown = set(compiled.groupindex) - set(GROUPS)
    if unknown or not compiled.groupindex:
        found = f"unknown groups {', '.join(sorted(unknown))}" if unknown else "it names no group"
        raise ManifestError("pattern", found, f"Use named groups out of {', '.join(GROUPS)}")
    return compiled


def parse_name(name: str, pattern: re.Pattern[str] | None = None) -> NameParts | None:
    """Parts of a relative posix name; None when the user's pattern does not match it."""
    if pattern is not None:
        match = pattern.search(name)
        return None if match is None else _from_groups(match.groupdict(), name)
    for known in (IMAGEXPRESS, CELLVOYAGER, OPERA):
        match = known.search(name)
        if match is not None:
            return _from_groups({**match.groupdict(), "plate": None}, name)
    return NameParts(experiment=folder_experiment(name), time=_time_folder(name))


def folder_experiment(name: str) -> str:
    """Name of the nearest parent folder that is not a time point or z-step; "" at the top."""
    parents = [part for part in name.split("/")[:-1] if not TIME_OR_Z_FOLDER.match(part)]
    return parents[-1] if parents else ""


def _from_groups(groups: dict[str, str | None], name: str) -> NameParts:
    well = groups.get("well") or ""
    if groups.get("row"):
        well = _well(int(groups["row"] or 0), int(groups["column"] or 0))
    folder_z = Z_FOLDER.search(name)
    z_text = groups.get("z") or (folder_z.group(1) if folder_z else None)
    first = 0 if groups.get("row") else 1
    time_text = groups.get("time")
    time = int(time_text) - first if time_text else _time_folder(name)
    return NameParts(
        experiment=groups.get("experiment") or groups.get("plate") or folder_experiment(name),
        well=well.upper(),
        site=groups.get("site") or "",
        channel=groups.get("channel") or "",
        z=int(z_text) if z_text and z_text.isdecimal() else None,
        time=max(0, time),
    )


def _well(row: int, column: int) -> str:
    letters = chr(64 + row) if row <= 26 else "A" + chr(64 + row - 26)
    return f"{letters}{column:02d}"


def _time_folder(name: str) -> int:
    match = TIME_FOLDER.search(name)
    return int(match.group(1)) - 1 if match else 0
