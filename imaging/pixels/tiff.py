"""TIFF and OME-TIFF as (z, channel, height, width), whatever the order of the axes in the file."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from imaging.pixels.errors import UnreadableImage
from imaging.pixels.info import READ_DTYPES, RGB_NAMES, ImageInfo
from imaging.pixels.ome import OmeImage, parse_ome
from imaging.pixels.tiff_guards import check_decoded_size, check_pages, check_sides, open_tiff
from imaging.pixels.tiff_metadata import declared_bit_depth, declared_channel_names, declared_pixel_size

AXES_HELP = "Export it as OME-TIFF with the axes Z, C, Y and X"
# Without a name for its pages, a file with few of them holds channels and one with many a z-stack:
# merging channels by mistake destroys more than keeping planes apart.
MAX_UNNAMED_CHANNELS = 5
UNNAMED_AXES = "IQ"
RGB_PHOTOMETRIC = ("RGB", "YCBCR", "CIELAB", "ICCLAB")


def read_tiff(path: Path, name: str, expected_channels: int = 0) -> tuple[NDArray[Any], ImageInfo]:
    """Pixels (z, channel, height, width) and facts; `expected_channels` settles what unnamed pages are.

    Raises UnreadableImage for bombs, time series, unknown axes, other dtypes and files in several parts.
    """
    facts = check_pages(path, name)
    ome = _ome(path, name, facts.count) if facts.has_ome else None
    with open_tiff(path, ome=None if facts.has_ome else False) as tif:
        series = tif.series[0]
        if ome is not None and series.kind != "ome":
            raise UnreadableImage(name, "its OME-XML does not match its pages", "Export it again")
        _check_series(series, path, name)
        page = series.keyframe
        pixels, axes = _photometric(series.asarray(), series.axes, page, name)
        is_rgb = _is_rgb(axes, pixels.shape, page)
        stack = to_zcyx(pixels, axes, is_rgb, name, expected_channels)
        info = ImageInfo(
            shape=stack.shape,
            axes=series.axes,
            dtype=str(stack.dtype),
            channel_names=_channel_names(tif, ome, stack.shape[1], is_rgb),
            pixel_size_um=ome.pixel_size_um if ome is not None else declared_pixel_size(tif),
            bit_depth=declared_bit_depth(tif, ome),
            is_rgb=is_rgb,
        )
    return stack, info


def _ome(path: Path, name: str, pages: int) -> OmeImage:
    with open_tiff(path, ome=False) as tif:
        ome = parse_ome(str(tif.pages.first.description), name)
    planes = ome.planes // max(1, max(ome.samples, default=1))
    if planes > pages:
        rule = f"its OME-XML declares {planes} planes but the file holds {pages}"
        raise UnreadableImage(name, rule, "Export it again as one complete file")
    if ome.sizes["T"] > 1:
        _refuse_time(ome.sizes["T"], name)
    return ome


def _refuse_time(points: int, name: str) -> None:
    raise UnreadableImage(name, f"it is a time series (T={points})", "Export one file per time point")


def _check_series(series: Any, path: Path, name: str) -> None:
    sides = dict(zip(series.axes, series.shape))
    if "Y" not in sides or "X" not in sides:
        raise UnreadableImage(name, f"its axes {series.axes!r} have no image plane", AXES_HELP)
    check_sides(sides["Y"], sides["X"], name)
    dtype = np.dtype(series.dtype or "V1")
    if dtype.newbyteorder("=").name not in READ_DTYPES:
        rule = f"its pixels are {dtype.name}; {', '.join(READ_DTYPES)} are read"
        raise UnreadableImage(name, rule, "Convert it without rescaling, e.g. to uint16")
    check_decoded_size(series.shape, dtype.itemsize, path, name)


def _photometric(pixels: NDArray[Any], axes: str, page: Any, name: str) -> tuple[NDArray[Any], str]:
    """Pixels with inverted greys and colour tables resolved, in the machine's byte order."""
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    kind = page.photometric.name
    if kind == "MINISWHITE" and pixels.dtype.kind == "u":
        return (2 ** int(page.bitspersample) - 1 - pixels).astype(pixels.dtype), axes
    if kind == "PALETTE" and page.colormap is not None and not _is_ramp(page.colormap):
        table = (page.colormap >> 8).astype(np.uint8)
        return table[:, pixels].transpose(*range(1, pixels.ndim + 1), 0), axes + "S"
    if kind in ("SEPARATED", "CFA", "LINEAR_RAW"):
        raise UnreadableImage(name, f"its colours are {kind}; grey and RGB are read", "Export it as RGB")
    return pixels, axes


def _is_ramp(colormap: NDArray[Any]) -> bool:
    """Whether a colour table only tints intensities, as microscope software writes for one channel."""
    return bool((np.diff(colormap.astype(np.int64), axis=1) >= 0).all())


def _is_rgb(axes: str, shape: tuple[int, ...], page: Any) -> bool:
    if "S" not in axes:
        return False
    coloured = page.photometric.name in (*RGB_PHOTOMETRIC, "PALETTE")
    return shape[axes.index("S")] in (3, 4) and coloured and shape[axes.index("S")] >= 3


def to_zcyx(pixels: NDArray[Any], axes: str, is_rgb: bool, name: str, expected_channels: int = 0) -> NDArray[Any]:
    """Pixels in the order (z, channel, height, width) from any order; alpha of RGBA is dropped."""
    pixels, axes = _without_length_one(pixels, axes)
    if "T" in axes:
        _refuse_time(pixels.shape[axes.index("T")], name)
    axes = _name_pages(pixels, axes, expected_channels)
    unknown = sorted(set(axes) - set("ZCSYX"))
    if unknown or len(set(axes)) != len(axes):
        raise UnreadableImage(name, f"its axes {axes!r} are not understood ({', '.join(unknown)})", AXES_HELP)
    order = [axis for axis in "ZCSYX" if axis in axes]
    pixels = pixels.transpose([axes.index(axis) for axis in order])
    sizes = {axis: pixels.shape[i] for i, axis in enumerate(order)}
    full = pixels.reshape([sizes.get(axis, 1) for axis in "ZCSYX"])
    if is_rgb:
        full = full[:, :, :3]
    elif sizes.get("S") == 2 and "C" not in sizes:
        # Grey with alpha.
        full = full[:, :, :1]
    depth, channels, samples, height, width = full.shape
    return np.ascontiguousarray(full.reshape(depth, channels * samples, height, width))


def _without_length_one(pixels: NDArray[Any], axes: str) -> tuple[NDArray[Any], str]:
    keep = [i for i, axis in enumerate(axes) if axis in "YX" or pixels.shape[i] > 1]
    return pixels.reshape([pixels.shape[i] for i in keep]), "".join(axes[i] for i in keep)


def _name_pages(pixels: NDArray[Any], axes: str, expected_channels: int) -> str:
    unnamed = [i for i, axis in enumerate(axes) if axis in UNNAMED_AXES]
    if len(unnamed) != 1:
        return axes
    count = pixels.shape[unnamed[0]]
    as_channels = count == expected_channels or (expected_channels == 0 and count <= MAX_UNNAMED_CHANNELS)
    axis = "C" if as_channels and not {"C", "S"} & set(axes) else "Z"
    return axes[: unnamed[0]] + axis + axes[unnamed[0] + 1 :] if axis not in axes else axes


def _channel_names(tif: tifffile.TiffFile, ome: OmeImage | None, channels: int, is_rgb: bool) -> tuple[str, ...]:
    if is_rgb and channels == 3:
        return RGB_NAMES
    declared = ome.channel_names if ome is not None else declared_channel_names(tif)
    if len(declared) != channels:
        declared = ("",) * channels
    return tuple(name.strip() or f"channel {i + 1}" for i, name in enumerate(declared))
