"""PNG and JPEG: plain pictures, 8 or 16 bit; EXIF and colour profiles are ignored."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.pixels.errors import UnreadableImage
from imaging.pixels.info import MAX_SIDE_PX, RGB_NAMES, ImageInfo

# Below Pillow's own limit, so that its warning about decompression bombs never comes first.
MAX_PICTURE_PIXELS = 89_000_000
GREY_MODES = {"L": "uint8", "I;16": "uint16", "I;16B": "uint16"}
PNG_RGB_TYPES = (2, 6)


def read_picture(path: Path, name: str) -> tuple[NDArray[Any], ImageInfo]:
    """Pixels (1, channel, height, width) and facts; alpha is dropped, palettes become RGB.

    Raises UnreadableImage for bombs, animations and one-bit masks; other damage raises what Pillow raises.
    """
    with path.open("rb") as stream:
        depth, colour_type, significant = _png_header(stream.read(65_536))
    with Image.open(path, formats=["PNG", "JPEG"]) as image:
        _guard(image, name)
        is_deep = depth == 16 and colour_type in PNG_RGB_TYPES
        pixels = _decode_deep_png(path) if is_deep else _decode(image, name)
    is_rgb = pixels.ndim == 3
    planes = np.moveaxis(pixels, 2, 0) if is_rgb else pixels[None]
    stack = np.ascontiguousarray(planes)[None]
    info = ImageInfo(
        shape=stack.shape,
        axes="YXS" if is_rgb else "YX",
        dtype=str(stack.dtype),
        channel_names=RGB_NAMES if is_rgb else ("channel 1",),
        bit_depth=significant,
        is_rgb=is_rgb,
    )
    return stack, info


def _guard(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PICTURE_PIXELS or max(width, height) > MAX_SIDE_PX:
        remedy = "Save large images as a pyramid TIFF (SVS or tiled BigTIFF)"
        raise UnreadableImage(name, f"{width} x {height} px is too large for a {image.format}", remedy)
    if getattr(image, "n_frames", 1) > 1:
        raise UnreadableImage(name, "it is an animation", "Save one file per time point")
    if image.mode == "1":
        rule = "it has one bit per pixel (bool); uint8, uint16 and float32 are read"
        raise UnreadableImage(name, rule, "List it as a mask, or export the intensities")


def _decode(image: Image.Image, name: str) -> NDArray[Any]:
    mode = image.mode
    if mode in GREY_MODES:
        return np.asarray(image).astype(GREY_MODES[mode])
    if mode == "I":
        return _narrow(np.asarray(image), name)
    if mode in ("LA", "La"):
        return np.asarray(image.convert("LA"))[..., 0]
    if mode in ("P", "PA") and _is_grey(image):
        return np.asarray(image.convert("RGB"))[..., 0]
    return np.asarray(image.convert("RGB"))


def _is_grey(image: Image.Image) -> bool:
    palette = np.asarray(image.getpalette("RGB") or [0, 0, 0]).reshape(-1, 3)
    return bool((palette[:, :1] == palette).all())


def _narrow(pixels: NDArray[Any], name: str) -> NDArray[np.uint16]:
    if pixels.min() < 0 or pixels.max() > 65_535:
        raise UnreadableImage(name, "it holds 32-bit integers; uint8, uint16 and float32 are read", "Export it")
    return pixels.astype(np.uint16)


def _decode_deep_png(path: Path) -> NDArray[Any]:
    # Pillow silently cuts 16-bit RGB to 8 bits.
    import imagecodecs

    pixels: NDArray[Any] = imagecodecs.png_decode(path.read_bytes())
    return pixels[..., :3]


def _png_header(head: bytes) -> tuple[int, int, int | None]:
    """Bit depth, colour type and significant bits (sBIT, else None) of a PNG; zeros for a JPEG."""
    if not head.startswith(b"\x89PNG") or len(head) < 33:
        return 0, 0, None
    depth, colour_type = head[24], head[25]
    position = 33
    while position + 12 <= len(head):
        length, kind = struct.unpack(">I4s", head[position : position + 8])
        if kind == b"sBIT" and length:
            bits = head[position + 8]
            return depth, colour_type, bits if 0 < bits < depth else None
        if kind in (b"IDAT", b"IEND"):
            break
        position += 12 + length
    return depth, colour_type, None
