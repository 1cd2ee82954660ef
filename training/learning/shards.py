"""Rows of embeddings in many memory-mapped files, shown as one array; half a file is never read."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.digest import file_digest

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]
# Below this mean length of a run of neighbours, one indexed read is cheaper than a copy per run.
SHORT_RUN = 8


class DamagedShard(ValueError):
    """A shard is missing, cut or altered; its rows have to be computed again."""


class ShardedRows:
    """Rows (n, dimension), float32, of several arrays in a chosen order, read as one array and never copied whole.

    `parts` are arrays (rows, dimension), memory maps as a rule; `order` (n,) numbers rows of their concatenation and
    is left out where it is 0, 1, 2, ... Slices, integer arrays and masks give ndarrays; a slice within one part is a
    read-only view. `np.asarray` copies everything: for small pools only. Raises ValueError where dimensions differ.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, parts: Sequence[FloatArray], order: IntArray | None = None, dimension: int | None = None):
        widths = {part.shape[1] for part in parts} | (set() if dimension is None else {dimension})
        if len(widths) != 1:
            raise ValueError(f"rows of {sorted(widths)} columns are never mixed: embed all crops by one encoder")
        self._parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
        self._starts = self._ends - np.array([len(part) for part in parts], dtype=np.int64)
        self._order = order
        total = int(self._ends[-1]) if len(self._ends) else 0
        if order is not None and len(order) and not 0 <= int(order.min()) <= int(order.max()) < total:
            raise ValueError(f"the order names rows outside the {total} that are there")
        self.shape = (total if order is None else len(order), widths.pop())

    @classmethod
    def joined(cls, blocks: Sequence["ShardedRows"]) -> "ShardedRows":
        """The rows of all blocks, one block after the other, without copying any."""
        shift = np.cumsum([0, *(sum(map(len, block._parts)) for block in blocks)])
        parts = [part for block in blocks for part in block._parts]
        if all(block._order is None for block in blocks):
            return cls(parts, None, blocks[0].shape[1])
        orders = [block._positions(slice(None)) + start for block, start in zip(blocks, shift)]
        return cls(parts, np.concatenate(orders), blocks[0].shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> FloatArray:
        if isinstance(key, int | np.integer):
            at = int(key) + (len(self) if key < 0 else 0)
            if not 0 <= at < len(self):
                raise IndexError(f"row {key} of {len(self)}")
            row: FloatArray = self[at : at + 1][0]
            return row
        if isinstance(key, slice) and key.step in (None, 1) and self._order is None:
            start, stop, _ = key.indices(len(self))
            return self._run(start, max(start, stop))
        return self._gather(self._positions(key))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("sharded rows become one array only by copying them")
        whole = np.empty(self.shape, np.float32)
        for start, block in self.chunks(4096):
            whole[start : start + len(block)] = block
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def chunks(self, size: int) -> Iterator[tuple[int, FloatArray]]:
        """Number of the first row and the rows, at most `size` at a time."""
        for start in range(0, len(self), size):
            yield start, self[start : start + size]

    def subset(self, rows: IntArray | NDArray[np.bool_]) -> "ShardedRows":
        """Some of the rows in the order asked for, as numbers or as a mask; nothing is read."""
        return ShardedRows(self._parts, self._positions(rows), self.shape[1])

    def _positions(self, key: Any) -> IntArray:
        """Row of the concatenated parts for each row that is asked for."""
        if isinstance(key, slice):
            if self._order is not None:
                return self._order[key]
            return np.arange(*key.indices(len(self)), dtype=np.int64)
        rows = np.asarray(key)
        if rows.dtype == np.bool_:
            if rows.shape != (len(self),):
                raise IndexError(f"a mask of shape {rows.shape} for {len(self)} rows")
            rows = np.flatnonzero(rows)
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
            raise IndexError("rows are asked for by a number, a slice, a mask or a list of numbers")
        rows = rows.astype(np.int64)
        if rows.size and not -len(self) <= int(rows.min()) <= int(rows.max()) < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of {len(self)}")
        rows = np.where(rows < 0, rows + len(self), rows)
        return rows if self._order is None else self._order[rows]

    def _gather(self, positions: IntArray) -> FloatArray:
        breaks = np.flatnonzero(np.diff(positions) != 1) + 1
        if len(positions) and (len(breaks) + 1) * SHORT_RUN <= len(positions):
            edges = np.concatenate([[0], breaks, [len(positions)]])
            if len(edges) == 2:
                return self._run(int(positions[0]), int(positions[-1]) + 1)
            found = np.empty((len(positions), self.shape[1]), np.float32)
            for start, stop in pairwise(edges):
                found[start:stop] = self._run(int(positions[start]), int(positions[stop - 1]) + 1)
            return found
        found = np.empty((len(positions), self.shape[1]), np.float32)
        number = np.searchsorted(self._ends, positions, side="right")
        for part in np.unique(number):
            at = np.flatnonzero(number == part)
            found[at] = self._parts[part][positions[at] - self._starts[part]]
        return found

    def _run(self, start: int, stop: int) -> FloatArray:
        """Neighbouring rows of the concatenated parts."""
        if stop <= start:
            return np.empty((0, self.shape[1]), np.float32)
        first = int(np.searchsorted(self._ends, start, side="right"))
        last = int(np.searchsorted(self._ends, stop - 1, side="right"))
        pieces = [
            np.asarray(self._parts[part])[max(start - self._starts[part], 0) : stop - self._starts[part]]
            for part in range(first, last + 1)
        ]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def write_array(folder: Path, array: NDArray[Any]) -> str:
    """SHA-256 of the array's `.npy` file, written to `folder` under that name in one step: whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".rows-", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            np.save(stream, array, allow_pickle=False)
            stream.flush()
            os.fsync(stream.fileno())
        digest = file_digest(temporary)
        # mkstemp makes the file private; workers under other accounts read it too.
        temporary.chmod(0o644)
        temporary.replace(folder / f"{digest}.npy")
    finally:
        temporary.unlink(missing_ok=True)
    return digest


def check_bytes(path: Path, digest: str) -> None:
    """Nothing where the file's bytes have this SHA-256; DamagedShard otherwise. Reads the whole file."""
    try:
        found = file_digest(path)
    except OSError as error:
        raise DamagedShard(f"{path.name} is missing") from error
    if found != digest:
        raise DamagedShard(f"{path.name} does not hold the bytes that were written")


def open_array(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    """Memory-mapped, read-only array of a `.npy` file; DamagedShard where it is missing, cut or of another shape."""
    try:
        found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False, max_header_size=1000)
    except (OSError, EOFError, ValueError) as error:
        raise DamagedShard(f"{path.name} is missing or damaged") from error
    if found.shape != shape:
        raise DamagedShard(f"{path.name} has shape {found.shape}, not {shape}")
    return found
