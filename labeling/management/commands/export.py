"""`manage.py export`: the labels of a study as a file for another tool."""

import os
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from labeling.models import Study
from labeling.services.export.answers import HEADER, answer_rows
from labeling.services.export.files import EXPORTS, csv_lines
from labeling.services.studies import study_named

# The table of answers was called csv before there were others.
CSV, PARQUET = "csv", "parquet"
FORMATS = [CSV, PARQUET, *(key for key in EXPORTS if key != "answers")]


class Command(JsonCommand):
    """Write the labels of a study to a file, or its answers to stdout."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="name or number of a study")
        parser.add_argument("--format", choices=FORMATS, default=CSV)
        parser.add_argument("--out", type=Path, help="file to write; without it (csv only) the rows are the answer")

    def answer(self, **options: Any) -> Answer:
        try:
            study = study_named(options["study"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        kind, out = options["format"], options["out"]
        answer: Answer = {"study": study.name, "format": kind}
        if out is None and kind != CSV:
            raise CommandError(f"--format {kind} is a file: name it with --out FILE.")
        if out is None:
            rows = list(answer_rows(study))
            return answer | {"rows": len(rows), "columns": HEADER, "data": rows}
        try:
            return answer | _write(study, kind, out) | {"out": str(out)}
        except OSError as error:
            raise CommandError(f"{out}: {error.strerror}. Check the path.") from error

    def describe(self, answer: Answer) -> str:
        if "out" in answer:
            counted = f"{answer['rows']} rows" if "rows" in answer else f"{answer['bytes']:,} bytes"
            return f"{counted} written to {answer['out']}"
        for line in csv_lines(HEADER, answer["data"]):
            sys.stdout.write(line.decode())
        return ""


def _write(study: Study, kind: str, out: Path) -> Answer:
    """Write beside the target and put it there when it is whole: a broken export never looks like a good one."""
    handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}-")
    os.close(handle)
    partial = Path(name)
    try:
        answer = _fill(study, kind, partial)
        partial.chmod(0o644)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return answer


def _fill(study: Study, kind: str, path: Path) -> Answer:
    if kind == PARQUET:
        from labeling.exchange import parquet

        return {"rows": parquet.write(path, HEADER, answer_rows(study))}
    if kind == CSV:
        counter = _Counter(answer_rows(study))
        _save(path, csv_lines(HEADER, counter))
        return {"rows": counter.seen}
    return {"bytes": _save(path, EXPORTS[kind].pieces(study))}


class _Counter:
    """Rows that are counted while they go by."""

    def __init__(self, rows: Iterable[list[object]]) -> None:
        self._rows = rows
        self.seen = 0

    def __iter__(self) -> Any:
        for row in self._rows:
            self.seen += 1
            yield row


def _save(path: Path, pieces: Iterable[bytes]) -> int:
    with path.open("wb") as file:
        return sum(file.write(piece) for piece in pieces)
