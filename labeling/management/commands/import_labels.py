"""`manage.py import_labels`: labels of another tool become answers of a study."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from labeling.exchange.formats import MAX_BYTES
from labeling.exchange.labels import FileRefused
from labeling.models import LabelImport
from labeling.services.imports.plan import WORDS, plan
from labeling.services.imports.reading import Upload
from labeling.services.imports.store import take
from labeling.services.studies import StudyRefused, study_named


class Command(JsonCommand):
    """Take the labels of a file into a study, all that fit or, with --dry-run, none."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="name or number of a study")
        parser.add_argument("file", type=Path, help="CSV, Label Studio JSON, QuPath GeoJSON or a training set")
        parser.add_argument(
            "--format", choices=LabelImport.Format.values, default="", help="where the file is unclear"
        )
        parser.add_argument("--add-classes", action="store_true", help="add classes that the study does not have")
        parser.add_argument("--annotator", default="", help="who gave labels that name nobody")
        parser.add_argument("--image", default="", help="image of a GeoJSON file; default: the name of the file")
        parser.add_argument("--images", type=Path, help="CellProfiler's Image.csv, for a training set")
        parser.add_argument("--dry-run", action="store_true", help="tell what would be stored, and store nothing")

    def answer(self, **options: Any) -> Answer:
        upload = Upload(
            name=options["file"].name,
            content=_content(options["file"]),
            format=options["format"],
            image=options["image"],
            images=_content(options["images"]) if options["images"] else b"",
            annotator=options["annotator"],
            adds_classes=options["add_classes"],
        )
        try:
            study = study_named(options["study"])
            made = plan(study, upload) if options["dry_run"] else take(study, upload, None)
        except (FileRefused, StudyRefused) as error:
            raise CommandError(str(error)) from error
        about = {"study": study.name, "file": upload.name, "format": made.kind, "dry_run": options["dry_run"]}
        return about | made.report()

    def failed(self, answer: Answer) -> bool:
        return not (answer["taken"] or answer["already"])

    def describe(self, answer: Answer) -> str:
        verb = "would be stored" if answer["dry_run"] else "stored"
        lines = [f"{answer['rows']:,} rows of {answer['file']}: {answer['taken']:,} {verb}"]
        lines += [f"  {answer['already']:,} stored before"] if answer["already"] else []
        lines += [f"  {answer['silent']:,} silent (skipped, taken back, no class)"] if answer["silent"] else []
        lines += [f"  {count:,} {WORDS[code]}" for code, count in answer["left_out"].items()]
        lines += [f"  {row['row']}: {row['message']}" for row in answer["problems"][:20]]
        return "\n".join(lines)


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CommandError(f"{path} is larger than {MAX_BYTES // 2**20} MiB: split it.")
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}. Check the path.") from error
