"""Label images and binary masks drawn by other programs."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.pixels.errors import ImageError, UnreadableImage
from imaging.pixels.pictures import MAX_PICTURE_PIXELS
from imaging.pixels.tiff_guards import check_decoded_size, check_pages, open_tiff

MAX_LABEL = 2**31 - 1


def read_label_file(path: Path, name: str) -> NDArray[np.int32]:
    """Label image (height, width), 0 = background; a mask of one value is split into connected parts."""
    try:
        pixels = _pixels(path, name)
    except ImageError:
        raise
    # As for images: whatever a decoder raises over foreign bytes means "not readable".
    except Exception as error:
        rule = f"it cannot be read as a mask ({type(error).__name__})"
        raise UnreadableImage(name, rule, "Save it as PNG or TIFF") from error
    return as_labels(pixels, name)


def as_labels(pixels: NDArray[Any], name: str = "mask") -> NDArray[np.int32]:
    """Label image (height, width) from integers or bools; one single value is split into connected parts."""
    pixels = np.squeeze(pixels)
    if pixels.ndim == 3 and pixels.shape[2] in (3, 4) and (pixels[..., :1] == pixels[..., :3]).all():
        pixels = pixels[..., 0]
    if pixels.ndim != 2 or 0 in pixels.shape:
        raise UnreadableImage(name, f"a mask needs one plane, not shape {pixels.shape}", "Save label numbers")
    if pixels.dtype.kind == "f":
        whole = np.isfinite(pixels).all() and (pixels == np.floor(pixels)).all()
        pixels = pixels.astype(np.int64) if whole else pixels
    if pixels.dtype.kind not in "buis" or (pixels.dtype.kind == "i" and pixels.min() < 0):
        raise UnreadableImage(name, "a mask holds whole numbers from 0 up", "Save it as a label image")
    if pixels.dtype.kind != "b" and pixels.max() > MAX_LABEL:
        raise UnreadableImage(name, "its label numbers are too large", "Relabel it from 1 up")
    return _numbered(pixels)


def _numbered(pixels: NDArray[Any]) -> NDArray[np.int32]:
    values, inverse = np.unique(pixels, return_inverse=True)
    foreground = values[values > 0]
    # 0 with 1 or 255 is a binary mask; any other single number may be an image with one object.
    if len(foreground) == 1 and (pixels.dtype.kind == "b" or foreground[0] in (1, 255, 65_535)):
        from scipy import ndimage

        return np.asarray(ndimage.label(pixels > 0)[0], dtype=np.int32)
    start = 0 if values[0] == 0 else 1
    return (inverse.reshape(pixels.shape) + start).astype(np.int32)


def _pixels(path: Path, name: str) -> NDArray[Any]:
    with path.open("rb") as stream:
        head = stream.read(4)
    if head[:2] in (b"II", b"MM"):
        check_pages(path, name)
        with open_tiff(path, ome=False) as tif:
            page: Any = tif.pages.first
            check_decoded_size(page.shape, max(1, int(page.dtype.itemsize)), path, name)
            return np.asarray(page.asarray())
    with Image.open(path, formats=["PNG"]) as image:
        if image.width * image.height > MAX_PICTURE_PIXELS:
            raise UnreadableImage(name, "it is too large for a PNG", "Save it as TIFF")
        return np.asarray(image)
