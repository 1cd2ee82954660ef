"""`manage.py ingest`: take the images of a folder or a manifest in."""

from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from imaging.pixels.errors import ImageError
from imaging.worker.ingest import IngestRefused, Options, ingest, list_source
from imaging.worker.storing import StoreOptions


class Command(JsonCommand):
    """Read images, check their quality, find objects and cut crops."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, help="a folder, or a manifest (CSV)")
        parser.add_argument("--experiment", default="", help="one experiment of this name for everything")
        parser.add_argument("--manifest", type=Path, help="a manifest whose paths are relative to PATH")
        parser.add_argument(
            "--pattern", default="", help="file-name pattern with named groups: plate, well, site, channel, z"
        )
        parser.add_argument("--pixel-size-um", type=float, help="side of a pixel, where the files do not tell")
        parser.add_argument(
            "--bit-depth",
            type=int,
            choices=range(1, 33),
            metavar="BITS",
            help="the camera's significant bits",
        )
        parser.add_argument("--channels", default="", help="names of the channels, separated by commas")

    def answer(self, **options: Any) -> Answer:
        if options["pixel_size_um"] is not None and not 0.001 <= options["pixel_size_um"] <= 1000:
            raise CommandError("--pixel-size-um is the side of a pixel in micrometres: between 0.001 and 1000.")
        try:
            listing = list_source(options["path"], options["manifest"], options["pattern"])
        except (ImageError, IngestRefused) as error:
            raise CommandError(str(error)) from error
        given = Options(
            experiment=options["experiment"].strip(),
            pixel_size_um=options["pixel_size_um"],
            channels=tuple(name.strip() for name in options["channels"].split(",") if name.strip()),
            store=StoreOptions(bit_depth=options["bit_depth"]),
        )
        try:
            return asdict(ingest(listing, given, self.progress))
        except (ImageError, IngestRefused) as error:
            raise CommandError(str(error)) from error

    def failed(self, answer: Answer) -> bool:
        return answer["accepted"] == 0

    def describe(self, answer: Answer) -> str:
        lines = [
            f"{answer['accepted']} of {answer['images']} images taken in, {answer['crops']} crops,"
            f" experiments: {', '.join(answer['experiments']) or 'none'}"
        ]
        lines += [f"refused {item['path']}: {item['reason']}" for item in answer["refused"]]
        lines += [f"same as {item['same_as']}: {item['path']}" for item in answer["duplicates"]]
        lines += [f"warning: {text}" for text in answer["warnings"]]
        return "\n".join(lines)
