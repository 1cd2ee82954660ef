"""A table of answers as a Parquet file. PyArrow takes 37 MB of memory: only the command line imports this."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

BATCH = 20_000
KINDS = {
    "annotation": pa.int64(),
    "supersedes": pa.int64(),
    "active_ms": pa.int64(),
    "comments": pa.int64(),
    "guideline": pa.int64(),
    "x": pa.float64(),
    "y": pa.float64(),
    "simulated": pa.bool_(),
    "stands": pa.bool_(),
    "is_reread": pa.bool_(),
    "is_bulk": pa.bool_(),
    "shown_at": pa.timestamp("us", "UTC"),
    "first_key_at": pa.timestamp("us", "UTC"),
    "answered_at": pa.timestamp("us", "UTC"),
}


def write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write the rows with typed columns (text where KINDS names no type); returns how many there are."""
    schema = pa.schema([(name, KINDS.get(name, pa.string())) for name in header])
    remaining, written = iter(rows), 0
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        while batch := list(islice(remaining, BATCH)):
            columns = [
                pa.array([_value(row[place], field.type) for row in batch], field.type)
                for place, field in enumerate(schema)
            ]
            file.write_table(pa.Table.from_arrays(columns, schema=schema))
            written += len(batch)
    return written


def _value(value: object, kind: Any) -> object:
    if value is None:
        return None
    if pa.types.is_timestamp(kind):
        return datetime.fromisoformat(str(value))
    return str(value) if pa.types.is_string(kind) else value
