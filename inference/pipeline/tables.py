"""The object table: columns under CellProfiler's names, and files whose bytes depend on content alone.

PyArrow is loaded where a file is written or read: 37 MB that the web server, which only knows the columns, can spare.
"""

import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from audit.chain.canonical import canonical_digest
from imaging.pixels.digest import array_digest
from inference.pipeline.stage import PipelineError

FORMAT_VERSION = "1"
# Fixed, so that the row groups do not depend on how many fields were written at a time.
ROW_GROUP_ROWS = 65_536
# Object numbers start again in every region of a slide.
SORT_KEYS = ("ImageNumber", "Metadata_RegionY", "Metadata_RegionX", "ObjectNumber")
TEXT_KIND = "U"
FORMULA_SIGNS = np.array(["=", "+", "-", "@", "\t", "\r"])


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns of equal length: integers, floats, booleans or text (NumPy kind U)."""

    columns: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self.columns.values()}
        if len(lengths) > 1:
            raise PipelineError(f"the columns of a table differ in length: {sorted(lengths)}")
        for name, column in self.columns.items():
            if column.ndim != 1 or column.dtype.kind not in "iufb" + TEXT_KIND:
                raise PipelineError(f"column {name} is {column.dtype} with {column.ndim} axes; give a flat one")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self.columns)

    def take(self, rows: NDArray[Any]) -> "Table":
        """The rows that an index or a boolean mask selects, in its order."""
        return Table({name: column[rows] for name, column in self.columns.items()})

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of names, types and values in order; the width of text columns does not count."""
        return canonical_digest([[name, column_digest(column)] for name, column in self.columns.items()])


def column_digest(column: NDArray[Any]) -> str:
    """SHA-256 (hex) of one column."""
    return canonical_digest(column.tolist()) if column.dtype.kind == TEXT_KIND else array_digest(column)


def column_part(name: str) -> str:
    """A channel or class name as part of a column name: letters, digits and _ only, never empty.

    CellProfiler and pycytominer split column names at underscores, so runs of other signs become one.
    """
    return re.sub(r"[^0-9A-Za-z]+", "_", name).strip("_") or "unnamed"


def column_parts(names: Sequence[str]) -> tuple[str, ...]:
    """Column parts of several names, kept apart by a number where two would become the same."""
    parts: list[str] = []
    for name in names:
        part, number = column_part(name), 2
        while part in parts:
            part, number = f"{column_part(name)}_{number}", number + 1
        parts.append(part)
    return tuple(parts)


def combine(tables: Sequence[Table]) -> Table:
    """One table of all rows, ordered by image, region and object whatever the order of `tables`.

    A column of floats that some tables lack is NaN there; any other missing column raises PipelineError.
    """
    if not tables:
        return Table({})
    # Which table names a column first must not depend on the order in which fields were finished.
    ordered = sorted(tables, key=_first_image)
    names = list(dict.fromkeys(name for table in ordered for name in table.names))
    joined = Table({name: np.concatenate([_column(table, name, ordered) for table in ordered]) for name in names})
    keys = [joined.columns[key] for key in reversed(SORT_KEYS) if key in joined.columns]
    if not keys:
        return joined
    order = np.lexsort(keys)
    # Fields mostly come in order; copying a million rows of text takes seconds.
    return joined if (np.diff(order) == 1).all() else joined.take(order)


def _first_image(table: Table) -> tuple[int, tuple[str, ...]]:
    # Empty tables come last: they only contribute column names that no other table has.
    first = int(table.columns["ImageNumber"].min()) if len(table) and "ImageNumber" in table.columns else 2**62
    return first, table.names


def _column(table: Table, name: str, others: Sequence[Table]) -> NDArray[Any]:
    if name in table.columns:
        return table.columns[name]
    kind = next(other.columns[name].dtype for other in others if name in other.columns)
    if len(table) and kind.kind != "f":
        raise PipelineError(f"the column {name} is missing in one of the tables; write them apart")
    return np.full(len(table), np.nan, dtype=kind) if kind.kind == "f" else np.empty(0, dtype=kind)


def parquet_bytes(table: Table, metadata: Mapping[str, str] | None = None) -> bytes:
    """The table as a Parquet file: equal content and metadata give equal bytes (same pyarrow version).

    NaN is written as null. No time, path or machine goes into the file.
    """
    from pyarrow import parquet

    sink = io.BytesIO()
    notes = {"parfocal.table": "objects", "parfocal.format": FORMAT_VERSION, **(metadata or {})}
    arrow = _arrow(table).replace_schema_metadata(dict(sorted(notes.items())))
    parquet.write_table(arrow, sink, compression="zstd", row_group_size=ROW_GROUP_ROWS, version="2.6")
    return sink.getvalue()


def csv_bytes(table: Table) -> bytes:
    """The table as CSV in UTF-8: a header, text quoted, floats in their shortest exact form, NaN empty.

    Text that a spreadsheet would take for a formula gets a leading apostrophe.
    """
    from pyarrow import csv

    sink = io.BytesIO()
    csv.write_csv(_arrow(Table({name: _as_text(column) for name, column in table.columns.items()})), sink)
    return sink.getvalue()


def read_parquet(content: bytes) -> Table:
    """The table back from the bytes of `parquet_bytes`; null floats become NaN."""
    from pyarrow import parquet

    arrow = parquet.read_table(io.BytesIO(content))
    return Table({name: _numpy(arrow.column(name)) for name in arrow.column_names})


def bytes_digest(content: bytes) -> str:
    """SHA-256 (hex) of a file's content."""
    return hashlib.sha256(content).hexdigest()


def _as_text(column: NDArray[Any]) -> NDArray[Any]:
    if column.dtype.kind != TEXT_KIND:
        return column
    risky = np.isin(column.astype("U1"), FORMULA_SIGNS)
    return np.where(risky, np.strings.add("'", column), column) if risky.any() else column


def _arrow(table: Table) -> Any:
    import pyarrow as pa

    return pa.table(
        {
            name: pa.array(column, type=pa.string() if column.dtype.kind == TEXT_KIND else None, from_pandas=True)
            for name, column in table.columns.items()
        }
    )


def _numpy(column: Any) -> NDArray[Any]:
    if str(column.type) == "string":
        return np.array(column.to_pylist(), dtype=np.str_)
    values: NDArray[Any] = column.to_numpy()
    return values
