"""Checks on a TIFF's header that come before any pixel, OME size or native decoder is trusted."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import tifffile

from imaging.pixels.errors import UnreadableImage
from imaging.pixels.info import MAX_SIDE_PX
from imaging.pixels.ome import MAX_XML_BYTES, refuse_unsafe_xml
from imaging.pixels.tiff_structure import check_structure

MAX_PAGES = 10_000
MAX_SEGMENT_BYTES = 256 * 1024 * 1024
MAX_FIELD_BYTES = 2 * 1024**3
# Deflate cannot shrink by more than about 1,030; small files may still be one blank plane.
MAX_RATIO = 1100
RATIO_FREE_BYTES = 64 * 1024 * 1024
EXPORT_AGAIN = "Export it again"


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What the headers of all pages say together."""

    count: int
    tiled: bool
    has_ome: bool
    is_pyramid: bool
    pixels: int


def check_pages(path: Path, name: str) -> PageFacts:
    """Facts about the pages; raises UnreadableImage when one declares what cannot be true or safe."""
    check_structure(path, name)
    with open_tiff(path, ome=False) as tif:
        pages = [_page(tif, index, name) for index in range(_count(tif, name))]
        first = pages[0]
        for page in pages:
            _check_page(page, name)
        sizes = [(page.imagelength, page.imagewidth) for page in pages if page.is_tiled]
        description = first.description or ""
        refuse_unsafe_description(description, name)
        return PageFacts(
            count=len(pages),
            tiled=bool(first.is_tiled),
            has_ome="<OME" in description[:4096] or description.rstrip().endswith("OME>"),
            is_pyramid=len(sizes) > 1 and all(2 * b[0] <= a[0] + 2 for a, b in pairwise(sizes)),
            pixels=int(first.imagelength) * int(first.imagewidth),
        )


def open_tiff(path: Path, ome: bool | None = None) -> tifffile.TiffFile:
    """The TIFF, opened so that no other file is ever followed; ome=False leaves OME-XML unparsed."""
    if ome is False:
        return tifffile.TiffFile(path, _multifile=False, is_ome=False)
    return tifffile.TiffFile(path, _multifile=False)


def refuse_unsafe_description(description: str, name: str) -> None:
    """Raise UnreadableImage for an enormous description or one whose XML declares a document type."""
    if len(description) > MAX_XML_BYTES:
        raise UnreadableImage(name, "its description is larger than 16 MiB", EXPORT_AGAIN)
    if "<" in description:
        refuse_unsafe_xml(description, name)


def _count(tif: tifffile.TiffFile, name: str) -> int:
    for index in range(MAX_PAGES + 1):
        try:
            tif.pages[index]
        except IndexError:
            break
    else:
        raise UnreadableImage(name, f"it has more than {MAX_PAGES} pages", "Split it")
    if index == 0:
        raise UnreadableImage(name, "it has no page", EXPORT_AGAIN)
    return index


def _page(tif: tifffile.TiffFile, index: int, name: str) -> Any:
    page = tif.pages[index]
    return page if isinstance(page, tifffile.TiffPage) else page.aspage()


def _check_page(page: Any, name: str) -> None:
    width, height, samples = (int(v) for v in (page.imagewidth, page.imagelength, page.samplesperpixel))
    if width < 1 or height < 1:
        raise UnreadableImage(name, "it has no pixels", EXPORT_AGAIN)
    if samples < 1 or samples > 64 or page.imagedepth != 1:
        raise UnreadableImage(name, f"a page declares {samples} samples per pixel", "Save channels as pages")
    item = max(1, int(page.bitspersample) // 8)
    rows = page.tilelength if page.is_tiled else min(int(page.rowsperstrip), height)
    columns = page.tilewidth if page.is_tiled else width
    segment = int(rows) * int(columns) * samples * item
    declared = width * height * samples * item
    if segment > MAX_SEGMENT_BYTES and (page.is_tiled or segment > 2 * declared):
        rule = f"it declares tiles of {columns} x {rows} px, far more than the image or memory holds"
        raise UnreadableImage(name, rule, "Save it with tiles of 256 to 1024 px")
    if page.is_tiled and (rows < 1 or columns < 1):
        raise UnreadableImage(name, "its tiles have no size", EXPORT_AGAIN)
    if page.is_tiled and page.tilewidth * page.tilelength > 64 * max(width * height, 65_536):
        raise UnreadableImage(name, "its tiles are far larger than the image", "Save it with smaller tiles")
    _check_pixels_present(page, name)


def _check_pixels_present(page: Any, name: str) -> None:
    """Raise UnreadableImage when the header lists fewer tiles than the image needs, or pixels beyond the end."""
    end = max((offset + size for offset, size in zip(page.dataoffsets, page.databytecounts)), default=0)
    needed = 1
    if page.is_tiled:
        needed = -(-int(page.imagelength) // int(page.tilelength)) * -(-int(page.imagewidth) // int(page.tilewidth))
    if len(page.dataoffsets) < needed or end > page.parent.filehandle.size:
        what = "tiles" if page.is_tiled else "strips of pixels"
        raise UnreadableImage(name, f"it is cut short: {what} are missing", "Copy the file again")


def check_decoded_size(shape: tuple[int, ...], item: int, path: Path, name: str) -> None:
    """Raise UnreadableImage when the whole field would need too much memory, or far more than its file."""
    total = item
    for side in shape:
        total *= int(side)
    if total > MAX_FIELD_BYTES:
        rule = f"it would need {total / 1024**3:.1f} GiB in memory (at most 2 GiB)"
        raise UnreadableImage(name, rule, "Save it as a tiled pyramid (SVS), or split it")
    if total > RATIO_FREE_BYTES and total > MAX_RATIO * path.stat().st_size:
        raise UnreadableImage(name, "it unpacks to over 1,100 times its size", EXPORT_AGAIN)


def check_sides(height: int, width: int, name: str) -> None:
    """Raise UnreadableImage for a side beyond 65,535 px in something that is not a slide."""
    if max(height, width) > MAX_SIDE_PX:
        rule = f"{width} x {height} px is too large to read as one field"
        raise UnreadableImage(name, rule, "Save it as a tiled pyramid TIFF")
