"""`manage.py resegment`: bring other objects or further images into an experiment without losing an answer."""

from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from imaging.models import Experiment
from imaging.pixels.errors import ImageError
from imaging.worker.ingest import IngestRefused, list_source
from imaging.worker.resegment import ResegmentRefused, Wish, resegment


class Command(JsonCommand):
    """Match the objects of a folder or manifest with the crops that are there, and report what moved."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("experiment", help="name of the experiment")
        parser.add_argument(
            "path", type=Path, help="a folder, or a manifest (CSV), with the images and their objects"
        )
        parser.add_argument("--manifest", type=Path, help="a manifest whose paths are relative to PATH")
        parser.add_argument("--pattern", default="", help="file-name pattern with named groups, as for ingest")
        parser.add_argument("--channels", default="", help="names of the channels, separated by commas")
        parser.add_argument(
            "--add-only", action="store_true", help="bring in further images, leave those there alone"
        )
        parser.add_argument("--trial", action="store_true", help="say what would change and change nothing")

    def answer(self, **options: Any) -> Answer:
        experiment = Experiment.objects.filter(name=options["experiment"]).first()
        if experiment is None:
            known = ", ".join(Experiment.objects.values_list("name", flat=True)[:10]) or "none yet"
            raise CommandError(f"There is no experiment '{options['experiment']}'. Known: {known}.")
        wish = Wish(
            adds_only=options["add_only"],
            is_trial=options["trial"],
            channels=tuple(name.strip() for name in options["channels"].split(",") if name.strip()),
        )
        try:
            listing = list_source(options["path"], options["manifest"], options["pattern"])
            return asdict(resegment(experiment, listing, wish, self.progress))
        except (ImageError, IngestRefused, ResegmentRefused) as error:
            raise CommandError(str(error)) from error

    def describe(self, answer: Answer) -> str:
        total = answer["total"]
        head = f"revision {answer['revision']}" if answer["revision"] else "nothing was written"
        lines = [
            f"{answer['experiment']}, {head}: {total['kept']} crops kept, {total['outline']} with another outline,"
            f" {total['moved']} moved, {total['new']} new, {total['gone']} gone, {total['back']} found again;"
            f" {total['held']} of them keep what was said about them, {total['unclear']} unclear"
        ]
        if answer["moved_px"]:
            lines.append(
                "centres moved by {median:.1f} px (median), {largest:.1f} px at most".format(**answer["moved_px"])
            )
        lines += [_line(row) for row in answer["images"]]
        lines += [f"refused {item['path']}: {item['reason']}" for item in answer["refused"]]
        return "\n".join([*lines, *(f"warning: {text}" for text in answer["warnings"])])


def _line(row: dict[str, Any]) -> str:
    if row["is_added"]:
        return f"  {row['name']}: added, {row['new']} crops"
    names = ("kept", "outline", "moved", "new", "gone", "back", "unclear")
    return f"  {row['name']}: " + ", ".join(f"{name} {row[name]}" for name in names if row[name])
