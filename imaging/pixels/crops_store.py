"""Crops on disk: one immutable .npy file per set, named by its digest and read memory-mapped."""

import os
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.digest import array_digest
from imaging.pixels.errors import ImageError

DIGEST = re.compile(r"[0-9a-f]{64}")


def write_shard(folder: Path | str, crops: NDArray[Any]) -> str:
    """Digest of `crops` (n, channel, size, size), written as <digest>.npy unless it is there already."""
    folder = Path(folder)
    if crops.ndim != 4:
        raise ImageError("crops", f"a shard has 4 axes, not {crops.ndim}", "Stack crops of one size")
    digest = array_digest(crops)
    target = folder / f"{digest}.npy"
    if target.exists():
        return digest
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".shard-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            little = crops.dtype.newbyteorder("<")
            np.save(stream, np.ascontiguousarray(crops, dtype=little), allow_pickle=False)
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes the file private; workers under other accounts read it too.
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return digest


def open_shard(folder: Path | str, digest: str) -> NDArray[Any]:
    """Memory-mapped, read-only crops (n, channel, size, size) of a shard; raises ImageError if missing."""
    if not DIGEST.fullmatch(digest):
        raise ImageError("shard", "its digest is not 64 hex digits", "Give the digest that was stored")
    try:
        crops: NDArray[Any] = np.load(
            Path(folder) / f"{digest}.npy", mmap_mode="r", allow_pickle=False, max_header_size=1000
        )
    except FileNotFoundError as error:
        raise ImageError(f"shard {digest[:12]}", "its file is missing", "Cut the crops again") from error
    except (ValueError, OSError, EOFError) as error:
        raise ImageError(f"shard {digest[:12]}", "its file is damaged", "Cut the crops again") from error
    if crops.ndim != 4:
        raise ImageError(f"shard {digest[:12]}", "its file is damaged", "Cut the crops again")
    return crops
