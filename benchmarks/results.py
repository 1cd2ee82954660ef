"""Keeps results.json, where a benchmark replaces its own rows only, and writes the table for people."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows import Row, meets

FOLDER = Path(__file__).resolve().parent
KEYS = ("name", "value", "unit", "target", "against", "ratio")
HEADER = "| what | value | target | | against | ratio |\n|---|---|---|---|---|---|"


def merge(benchmark: str, rows: Sequence[Row], order: Sequence[str]) -> list[dict[str, Any]]:
    """All rows after `benchmark` has measured `rows`; written to results.json and results.md.

    Every row's name starts with that of its benchmark and a slash, which is how old rows are found.
    """
    path = FOLDER / "results.json"
    standing = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    kept = [record for record in standing if _benchmark(record) in order and _benchmark(record) != benchmark]
    fresh = [_record(benchmark, row) for row in rows]
    records = sorted([*kept, *fresh], key=lambda record: order.index(_benchmark(record)))
    path.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (FOLDER / "results.md").write_text(f"# Benchmarks\n\n{table(records)}\n", encoding="utf-8")
    return records


def table(records: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table; a missed target is marked."""
    return "\n".join([HEADER, *map(_line, records)])


def _record(benchmark: str, row: Row) -> dict[str, Any]:
    record = row.record
    return {key: record[key] for key in KEYS} | {"name": f"{benchmark}/{row.name}"}


def _benchmark(record: dict[str, Any]) -> str:
    return str(record["name"]).partition("/")[0]


def _line(record: dict[str, Any]) -> str:
    target = record["target"]
    mark = "" if target is None else ("met" if meets(record["value"], target) else "**missed**")
    ratio = "" if record["ratio"] is None else f"{record['ratio']:g}"
    value = f"{record['value']:g} {record['unit']}"
    return f"| {record['name']} | {value} | {target or ''} | {mark} | {record['against'] or ''} | {ratio} |"
