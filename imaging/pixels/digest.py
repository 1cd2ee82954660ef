"""Digests of files, arrays and settings, and the stable key of a crop."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Raised only when the byte layout below changes, so that old and new digests can never be confused.
ARRAY_DIGEST_VERSION = 1


def file_digest(path: Path | str) -> str:
    """SHA-256 (64 hex digits) of the file's bytes."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def array_digest(array: NDArray[Any]) -> str:
    """SHA-256 (hex) over version byte, dtype, shape and C-ordered little-endian values."""
    if array.dtype.hasobject:
        raise TypeError("an array of Python objects has no stable bytes; give a numeric array")
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    digest = hashlib.sha256(bytes([ARRAY_DIGEST_VERSION]))
    digest.update(f"{little.dtype.str}{array.shape}".encode())
    digest.update(little.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def mapping_digest(mapping: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the canonical JSON: sorted keys, no spaces, UTF-8; NaN raises ValueError."""
    text = json.dumps(mapping, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def crop_key(image_digest: str, x: float, y: float) -> str:
    """Key of the crop centred on (x, y) in full-resolution pixels; survives re-segmentation."""
    return f"{image_digest[:20]}-{math.floor(x + 0.5):06d}-{math.floor(y + 0.5):06d}"
