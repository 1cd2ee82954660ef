"""The chain of a TIFF's directories, read byte by byte: nothing in it may point beyond the end of the file.

Readers of TIFF skip tags and directories that they cannot reach, and so take a cut file for a smaller image.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from imaging.pixels.errors import UnreadableImage

# Bytes per value of each TIFF data type, 1 to 18 (TIFF 6.0 and BigTIFF); 0: not in use.
TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
MAX_DIRECTORIES = 10_000
MAX_TAGS = 4096


@dataclass(frozen=True, slots=True)
class _Layout:
    """How one file writes its numbers: byte order, and the struct codes of a tag count and of an offset."""

    order: str
    count: str
    offset: str
    first: int
    size: int

    @property
    def inline(self) -> int:
        """Bytes of a value that stands in its tag instead of elsewhere."""
        return struct.calcsize(self.offset)


def check_structure(path: Path, name: str) -> None:
    """Raise UnreadableImage when a directory, or a value that a tag points to, lies beyond the end of the file."""
    with path.open("rb") as stream:
        layout = _layout(stream, path.stat().st_size, name)
        place = layout.first
        seen: set[int] = set()
        # A chain that returns to itself ends here; how many pages are read is limited elsewhere.
        while place and place not in seen and len(seen) <= MAX_DIRECTORIES:
            seen.add(place)
            place = _check_directory(stream, layout, place, name)


def _layout(stream: BinaryIO, size: int, name: str) -> _Layout:
    head = stream.read(16)
    order = "<" if head[:2] == b"II" else ">"
    is_big = head[2:4] in (b"+\0", b"\0+")
    start, code = (8, "Q") if is_big else (4, "I")
    if len(head) < start + struct.calcsize(code):
        raise _cut_short(name, "its header is incomplete")
    (first,) = struct.unpack_from(order + code, head, start)
    return _Layout(order, "Q" if is_big else "H", code, first, size)


def _check_directory(stream: BinaryIO, layout: _Layout, place: int, name: str) -> int:
    """Place of the next directory, 0 after the last."""
    tag = struct.Struct(f"{layout.order}HH{layout.offset}")
    step = tag.size + layout.inline
    stream.seek(place)
    head = stream.read(struct.calcsize(layout.count))
    if len(head) < struct.calcsize(layout.count):
        raise _cut_short(name, "a page's header lies beyond its end")
    (number,) = struct.unpack(layout.order + layout.count, head)
    if number > MAX_TAGS:
        raise UnreadableImage(name, f"a page declares {number} tags", "Copy or export the file again")
    table = stream.read(number * step + layout.inline)
    if len(table) < number * step + layout.inline:
        raise _cut_short(name, "a page's header is incomplete")
    for start in range(0, number * step, step):
        code, kind, count = tag.unpack_from(table, start)
        length = count * (TYPE_BYTES[kind] if kind < len(TYPE_BYTES) else 0)
        (offset,) = struct.unpack_from(layout.order + layout.offset, table, start + tag.size)
        if length > layout.inline and offset + length > layout.size:
            raise _cut_short(name, f"the value of tag {code} lies beyond its end")
    (following,) = struct.unpack_from(layout.order + layout.offset, table, number * step)
    return int(following)


def _cut_short(name: str, what: str) -> UnreadableImage:
    return UnreadableImage(name, f"it is cut short: {what}", "Copy the file again")
