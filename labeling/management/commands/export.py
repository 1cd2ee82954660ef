"""`manage.py export`: the answers of a study as a table."""

import csv
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from labeling.services.export import HEADER, answer_rows
from labeling.services.studies import study_named


class Command(JsonCommand):
    """Write every answer, one row each, to a file or to stdout."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="name or number of a study")
        parser.add_argument("--format", choices=["csv"], default="csv")
        parser.add_argument("--out", type=Path, help="file to write; without it the rows are part of the answer")

    def answer(self, **options: Any) -> Answer:
        try:
            study = study_named(options["study"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        rows = list(answer_rows(study))
        answer: Answer = {"study": study.name, "rows": len(rows), "format": options["format"]}
        if options["out"] is None:
            return answer | {"columns": HEADER, "data": rows}
        try:
            with options["out"].open("w", newline="", encoding="utf-8") as file:
                _write(file, rows)
        except OSError as error:
            raise CommandError(f"{options['out']}: {error.strerror}. Check the path.") from error
        return answer | {"out": str(options["out"])}

    def describe(self, answer: Answer) -> str:
        if "out" in answer:
            return f"{answer['rows']} rows written to {answer['out']}"
        _write(sys.stdout, answer["data"])
        return ""


def _write(file: TextIO, rows: list[list[object]]) -> None:
    writer = csv.writer(file)
    writer.writerow(HEADER)
    writer.writerows(rows)
