"""Open any supported image as a reader; refuse everything else with a sentence that helps."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.errors import ImageError, UnreadableImage
from imaging.pixels.info import ArrayReader, ImageInfo, ImageReader, PlaneFile
from imaging.pixels.pictures import read_picture
from imaging.pixels.slides import SlideReader, is_slide
from imaging.pixels.tiff import read_tiff

__all__ = ["ArrayReader", "ImageInfo", "ImageReader", "PlaneFile", "open_image", "open_planes", "slide_in"]

PICTURE_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
EXPORT = "Export it as OME-TIFF (Bio-Formats, Fiji, QuPath or the maker's software) and add that file"
FOREIGN = (
    (b"ZISRAWFILE", "a Zeiss CZI file, which is not read"),
    (b"\x70\x00\x00\x00", "a Leica LIF file, which is not read"),
    (b"\xda\xce\xbe\x0a", "a Nikon ND2 file, which is not read"),
    (b"\x0c\x00\x00\x00jP", "a JPEG 2000 or old ND2 file, which is not read"),
    (b"\x00\x00\x00\x0cjP", "a JPEG 2000 or old ND2 file, which is not read"),
    (b"\xd0\xcf\x11\xe0", "an OLE container (OIB, ZVI or an Office file), which is not read"),
    (b"\x89HDF", "an HDF5 file (IMS, H5), which is not read"),
    (b"GIF8", "a GIF, which is not read"),
    (b"BM", "a BMP, which is not read"),
    (b"PK\x03\x04", "a ZIP archive, not an image"),
    (b"DICM", "a DICOM file, which is not read"),
)


def open_image(path: Path | str, name: str = "") -> ImageReader:
    """Reader of the image in one file; `name` (default: the file's own name) is used in messages.

    Raises UnreadableImage for anything that is not completely readable: every pixel is decoded here,
    except for slides, which are read region by region.
    """
    return _open(Path(path), name or Path(path).name, expected_channels=0)


def slide_in(path: Path, name: str) -> SlideReader | None:
    """Reader of the slide in this file, or None where the file holds something else."""
    try:
        is_one = _head(path, name).startswith(TIFF_MAGIC) and is_slide(path, name)
        return SlideReader(path, name) if is_one else None
    except ImageError:
        raise
    except Exception as error:
        raise UnreadableImage(name, f"it is damaged ({type(error).__name__})", "Copy the file again") from error


def _open(path: Path, name: str, expected_channels: int) -> ImageReader:
    try:
        return _dispatch(path, name, expected_channels)
    except ImageError:
        raise
    except MemoryError as error:
        raise UnreadableImage(name, "it needs more memory than there is", "Split or shrink it") from error
    # The decoders are C libraries fed with foreign bytes: whatever they raise means "not readable".
    except Exception as error:
        reason = f"it is damaged or cut short ({type(error).__name__})"
        raise UnreadableImage(name, reason, "Copy or export the file again") from error


def _dispatch(path: Path, name: str, expected_channels: int) -> ImageReader:
    head = _head(path, name)
    if head.startswith(PICTURE_MAGIC):
        return _checked(*read_picture(path, name), name)
    if head.startswith(TIFF_MAGIC):
        if is_slide(path, name):
            return SlideReader(path, name)
        return _checked(*read_tiff(path, name, expected_channels), name)
    for magic, what in FOREIGN:
        if head.startswith(magic) or (magic == b"DICM" and head[128:132] == magic):
            raise UnreadableImage(name, f"it is {what}", EXPORT)
    rule = "it is not an image (TIFF, OME-TIFF, SVS, NDPI, PNG and JPEG are read)"
    raise UnreadableImage(name, rule, EXPORT)


def _head(path: Path, name: str) -> bytes:
    try:
        if not path.is_file():
            raise FileNotFoundError(path.name)
        with path.open("rb") as stream:
            head = stream.read(132)
    except OSError as error:
        raise UnreadableImage(name, "the file is missing or cannot be opened", "Check the path") from error
    if not head:
        raise UnreadableImage(name, "the file is empty", "Copy or export it again")
    return head


def _checked(stack: NDArray[Any], info: ImageInfo, name: str) -> ArrayReader:
    if 0 in stack.shape:
        raise UnreadableImage(name, "it has no pixels", "Export it again")
    if stack.dtype.kind == "f" and not np.isfinite(stack).all():
        raise UnreadableImage(name, "it contains NaN or infinite values", "Replace them and export again")
    return ArrayReader(stack, info)


def open_planes(files: Sequence[PlaneFile]) -> ImageReader:
    """Reader of one field made of one or more files, one per channel and z-plane, sorted by both.

    A channel with fewer planes than the others (a single plane beside a z-stack) repeats its nearest
    plane, as the microscopes themselves do. Files that differ in size or dtype raise UnreadableImage.
    """
    if not files:
        raise UnreadableImage("field", "it has no file", "List at least one image")
    if len(files) == 1:
        return _named(files[0])
    readers = [_plane_reader(file) for file in files]
    _same_kind(files, readers)
    channels = sorted({file.channel for file in files})
    depths = sorted({file.z or 0 for file in files})
    planes = {(file.channel, file.z or 0): reader.field()[0] for file, reader in zip(files, readers)}
    if len(planes) != len(files):
        raise UnreadableImage(files[0].name, "two files claim the same channel and z", "Correct the rows")
    stack = np.stack(
        [np.stack([planes[channel, _nearest(planes, channel, z)] for channel in channels]) for z in depths]
    )
    names = tuple(channel or f"channel {i + 1}" for i, channel in enumerate(channels))
    first = readers[0].info
    info = replace(first, shape=stack.shape, channel_names=names, axes=_axes(len(depths), len(channels)))
    return ArrayReader(stack, info)


def _axes(depth: int, channels: int) -> str:
    return ("Z" if depth > 1 else "") + ("C" if channels > 1 else "") + "YX"


def _nearest(planes: dict[tuple[str, int], NDArray[Any]], channel: str, z: int) -> int:
    return min((depth for name, depth in planes if name == channel), key=lambda depth: (abs(depth - z), depth))


def _named(file: PlaneFile) -> ImageReader:
    names = tuple(part.strip() for part in file.channel.split(";")) if file.channel.strip() else ()
    reader = _open(file.path, file.name, len(names))
    if not names or len(names) != reader.info.shape[1]:
        return reader
    if isinstance(reader, ArrayReader):
        reader.info = replace(reader.info, channel_names=names)
    return reader


def _plane_reader(file: PlaneFile) -> ImageReader:
    reader = open_image(file.path, file.name)
    z, channels, _, _ = reader.info.shape
    if reader.info.is_slide or reader.info.is_rgb or channels != 1 or z != 1:
        rule = "it holds several channels or planes, but is listed as one plane of a field"
        raise UnreadableImage(file.name, rule, "Give it a field of its own in the manifest")
    return reader


def _same_kind(files: Sequence[PlaneFile], readers: Sequence[ImageReader]) -> None:
    first = readers[0].info
    for file, reader in zip(files, readers):
        if (reader.info.shape, reader.info.dtype) != (first.shape, first.dtype):
            rule = (
                f"it is {reader.info.width} x {reader.info.height} px {reader.info.dtype}, but "
                f"{files[0].name} of the same field is {first.width} x {first.height} px {first.dtype}"
            )
            raise UnreadableImage(file.name, rule, "Correct the channel, z or field of the rows")
