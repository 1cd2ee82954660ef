"""Whole slides through OpenSlide: regions are read lazily, label and macro images are never touched."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.errors import ImageError, UnreadableImage
from imaging.pixels.geometry import Box
from imaging.pixels.info import RGB_NAMES, ImageInfo, output_size, resize
from imaging.pixels.ome import trusted_pixel_size
from imaging.pixels.tiff_guards import check_pages

# Only single-file formats: MIRAX and VMS would make OpenSlide open other files.
SLIDE_VENDORS = {"aperio", "hamamatsu", "leica", "philips", "trestle", "ventana", "generic-tiff"}


def is_slide(path: Path, name: str) -> bool:
    """Whether a TIFF is a whole slide: a scanner's file, or a tiled pyramid of 8-bit RGB.

    Raises UnreadableImage when its header declares a bomb, before any native code sees the file.
    """
    pages = check_pages(path, name)
    if not pages.tiled or pages.has_ome:
        return False
    import openslide

    vendor = openslide.OpenSlide.detect_format(str(path))
    if vendor not in SLIDE_VENDORS:
        return False
    if vendor != "generic-tiff":
        return True
    return pages.is_pyramid or pages.pixels > 50_000_000


class SlideReader:
    """Reader over a slide; keeps the file open and decodes only what is asked for."""

    def __init__(self, path: Path, name: str) -> None:
        import openslide

        self._name = name
        self._slide = openslide.OpenSlide(str(path))
        width, height = self._slide.dimensions
        if width < 1 or height < 1:
            raise UnreadableImage(name, "it has no pixels", "Export it again")
        self.info = ImageInfo(
            shape=(1, 3, height, width),
            axes="YXS",
            dtype="uint8",
            channel_names=RGB_NAMES,
            pixel_size_um=_pixel_size(self._slide.properties),
            is_rgb=True,
            is_slide=True,
        )
        # One small region proves that the first level decodes at all.
        self.region(Box(0, 0, min(width, 16), min(height, 16)))

    def level_below(self, downsample: float) -> float:
        """How much smaller the slide's own level is that serves this reduction best; 1 without a smaller one."""
        return float(self._slide.level_downsamples[self._slide.get_best_level_for_downsample(downsample)])

    def field(self) -> NDArray[Any]:
        """Never returns: a slide is too large to hold; raises ImageError."""
        raise ImageError(self._name, "a slide is not read as a whole", "Read regions of it")

    def region(self, box: Box, z: int | None = None, downsample: float = 1.0) -> NDArray[np.uint8]:
        """Pixels (3, h, w) of `box` from the best level; white where unscanned, 0 outside the slide."""
        if z not in (None, 0):
            raise ImageError(self._name, f"plane z={z} does not exist", "A slide has one plane")
        height, width = output_size(box, downsample)
        x0, y0, x1, y1 = box.rounded()
        level = self._slide.get_best_level_for_downsample(downsample)
        scale = self._slide.level_downsamples[level]
        size = max(1, round((x1 - x0) / scale)), max(1, round((y1 - y0) / scale))
        pixels = self._read((x0, y0), level, size)
        self._blank_outside(pixels, (x0, y0), scale)
        return resize(pixels, height, width)

    def _read(self, origin: tuple[int, int], level: int, size: tuple[int, int]) -> NDArray[np.uint8]:
        try:
            rgba = np.asarray(self._slide.read_region(origin, level, size))
        except Exception as error:
            raise UnreadableImage(self._name, "a part of the slide is damaged", "Copy it again") from error
        if (rgba[..., 3] == 255).all():
            return np.ascontiguousarray(np.moveaxis(rgba[..., :3], 2, 0))
        alpha = rgba[..., 3:].astype(np.uint16)
        composed = (rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
        return np.ascontiguousarray(np.moveaxis(composed, 2, 0), dtype=np.uint8)

    def _blank_outside(self, pixels: NDArray[np.uint8], origin: tuple[int, int], scale: float) -> None:
        rows = origin[1] + np.arange(pixels.shape[1]) * scale
        columns = origin[0] + np.arange(pixels.shape[2]) * scale
        pixels[:, (rows < 0) | (rows >= self.info.height)] = 0
        pixels[:, :, (columns < 0) | (columns >= self.info.width)] = 0


def _pixel_size(properties: Any) -> float | None:
    if properties.get("openslide.vendor") == "generic-tiff":
        # Derived from the TIFF resolution tags, which are usually a printer's default.
        return None
    text = str(properties.get("openslide.mpp-x", ""))
    return trusted_pixel_size(float(text)) if re.fullmatch(r"[0-9.eE+-]+", text) else None
