"""What is known about an image, and the reader that every format is turned into."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.pixels.errors import ImageError
from imaging.pixels.geometry import Box

READ_DTYPES = ("uint8", "uint16", "float32")
MAX_SIDE_PX = 65_535
MAX_REGION_PIXELS = 100_000_000
RGB_NAMES = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Facts about one field; `shape` is (z, channel, height, width) and `axes` is as found in the file."""

    shape: tuple[int, int, int, int]
    axes: str
    dtype: str
    channel_names: tuple[str, ...]
    pixel_size_um: float | None = None
    bit_depth: int | None = None
    is_rgb: bool = False
    is_slide: bool = False

    @property
    def width(self) -> int:
        """Width in full-resolution pixels."""
        return self.shape[3]

    @property
    def height(self) -> int:
        """Height in full-resolution pixels."""
        return self.shape[2]

    @property
    def ceiling(self) -> float | None:
        """Largest value the camera can give when the file declares its bit depth, else None."""
        return None if self.bit_depth is None else float(2**self.bit_depth - 1)


@dataclass(frozen=True, slots=True)
class PlaneFile:
    """One file of a field; `name` is the relative posix name, `channel` may name several with ';'."""

    path: Path
    name: str
    channel: str = ""
    z: int | None = None


class ImageReader(Protocol):
    """Access to the pixels of one field, whatever its format."""

    @property
    def info(self) -> ImageInfo:
        """Facts about the field."""
        ...

    def region(self, box: Box, z: int | None = None, downsample: float = 1.0) -> NDArray[Any]:
        """Pixels (channel, h, w) of `box`; z=None is the maximum over z; 0 outside the image."""
        ...

    def field(self) -> NDArray[Any]:
        """All pixels (channel, height, width), maximum over z; raises ImageError for slides."""
        ...


def resize(pixels: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Pixels (channel, height, width) in the same dtype, resampled bilinearly with anti-aliasing."""
    if pixels.shape[1:] == (height, width):
        return pixels
    planes = [_resize_plane(plane, height, width) for plane in pixels]
    stacked = np.stack(planes)
    if pixels.dtype.kind == "u":
        stacked = np.clip(np.floor(stacked + 0.5), 0, np.iinfo(pixels.dtype).max)
    return stacked.astype(pixels.dtype)


def _resize_plane(plane: NDArray[Any], height: int, width: int) -> NDArray[np.float32]:
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)


def output_size(box: Box, downsample: float) -> tuple[int, int]:
    """Size (height, width) in output pixels of `box` at `downsample`; refuses what is absurd."""
    x0, y0, x1, y1 = box.rounded() if box.is_proper else (0, 0, 0, 0)
    if x1 <= x0 or y1 <= y0:
        raise ImageError("region", "the box has no area", "Ask for at least one pixel")
    if not (math.isfinite(downsample) and downsample > 0):
        raise ImageError("region", f"downsample {downsample} is not a positive number", "Use 1 or more")
    height, width = (max(1, round(side / downsample)) for side in (y1 - y0, x1 - x0))
    if height * width > MAX_REGION_PIXELS:
        raise ImageError("region", f"{width} x {height} px is too large", "Ask for less or downsample more")
    return height, width


class ArrayReader:
    """Reader over pixels in memory, (z, channel, height, width)."""

    def __init__(self, stack: NDArray[Any], info: ImageInfo) -> None:
        self._stack = stack
        self._projection: NDArray[Any] | None = None
        self.info = info

    def field(self) -> NDArray[Any]:
        """All pixels (channel, height, width), maximum over z."""
        if self._projection is None:
            self._projection = self._stack[0] if len(self._stack) == 1 else self._stack.max(axis=0)
        return self._projection

    def region(self, box: Box, z: int | None = None, downsample: float = 1.0) -> NDArray[Any]:
        """Pixels (channel, h, w) of `box`; z=None is the maximum over z; 0 outside the image."""
        height, width = output_size(box, downsample)
        source = self.field() if z is None else self._plane(z)
        x0, y0, x1, y1 = box.rounded()
        if (y1 - y0) * (x1 - x0) > 4 * MAX_REGION_PIXELS:
            raise ImageError("region", "the box is far larger than any image", "Ask for less")
        window = np.zeros((source.shape[0], y1 - y0, x1 - x0), dtype=source.dtype)
        inside = source[:, max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
        top, left = max(-y0, 0), max(-x0, 0)
        window[:, top : top + inside.shape[1], left : left + inside.shape[2]] = inside
        return resize(window, height, width)

    def _plane(self, z: int) -> NDArray[Any]:
        if not 0 <= z < len(self._stack):
            raise ImageError("region", f"plane z={z} does not exist", f"Use 0 to {len(self._stack) - 1}")
        plane: NDArray[Any] = self._stack[z]
        return plane
