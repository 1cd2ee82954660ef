"""What the pool of a study looks like to the ranking: rows of numbers, wherever they are kept."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]

# Half a mebibyte of a typical embedding: a chunk stays in the second-level cache while it is used several times.
CHUNK = 512
NAMED = 5


class Rows(Protocol):
    """Embeddings (n, d): an array, a memory map, or several memory maps behind one index."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of crops and dimension."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one number."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> NDArray[np.floating]: ...


def chunks(
    rows: Rows, size: int = CHUNK, start: int = 0, stop: int | None = None
) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Consecutive rows as (slice, array), so that a memory map is never read as a whole."""
    end = len(rows) if stop is None else stop
    for first in range(start, end, size):
        part = slice(first, min(first + size, end))
        yield part, np.asarray(rows[part])


def checked_rows(rows: Rows) -> None:
    """Nothing; ValueError when the shape is not (crops, dimension)."""
    if len(rows.shape) != 2 or rows.shape[1] < 1:
        raise ValueError(f"embeddings have shape {tuple(rows.shape)}; expected (crops, dimension)")


def refuse_not_finite(rows: Rows) -> None:
    """Always a ValueError: how many crops have an embedding with NaN or infinite values, and the first of them."""
    found = [part.start + np.flatnonzero(~np.isfinite(chunk).all(axis=1)) for part, chunk in chunks(rows)]
    bad = np.concatenate([np.empty(0, dtype=np.int64), *found])
    named = ", ".join(str(row) for row in bad[:NAMED]) + (", ..." if len(bad) > NAMED else "")
    raise ValueError(f"embeddings of {len(bad)} crops hold NaN or infinite values (rows {named}); encode them again")
