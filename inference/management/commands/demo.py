"""`manage.py demo`: the whole main job, once, on real images, with annotators that are simulated."""

import logging
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from imaging.pixels.demo_images import write_demo
from imaging.pixels.errors import ImageError
from imaging.worker.ingest import IngestRefused
from inference.worker.demo.show import Programme, show
from training.services.work import Refused

# The built-in experiment that no study sees: the pipeline meets it as new.
HELD_BACK = "ihc-4-soft"
# The built-in task on synthetic 16-bit pixels: a study without answers, for people to try.
ALSO = "synthetic_state"


class Command(JsonCommand):
    """Images in, quality check, crops, a ranked queue, answers, a model, its held-out report, a run, its replay."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--manifest", type=Path, help="a labelled data set (default: built-in images)")
        parser.add_argument("--task", default="", help="which question, where there are several")
        parser.add_argument("--limit", type=int, help="so many crops, spread over experiments and classes")
        parser.add_argument("--serve", action="store_true", help="start the site afterwards")

    def answer(self, **options: Any) -> Answer:
        if options["limit"] is not None and options["limit"] < 20:
            raise CommandError("--limit takes 20 crops or more: fewer cannot be split and judged.")
        # One line per ranking is for the site's log: 240 of them would bury what the demo tells.
        logging.getLogger("training.worker.ranking").setLevel(logging.WARNING)
        started = time.monotonic()
        own = options["manifest"] is None
        programme = Programme(
            manifest=write_demo(settings.DATA_FOLDER / "demo") if own else options["manifest"],
            task=options["task"],
            limit=options["limit"],
            held_back=HELD_BACK if own else "",
            also=ALSO if own and not options["task"] else "",
        )
        try:
            answer = show(programme, self.progress)
        except (ImageError, IngestRefused, Refused, ValueError) as error:
            raise CommandError(str(error)) from error
        return answer | {"seconds": round(time.monotonic() - started, 1)}

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if options["serve"]:
            call_command("up")

    def describe(self, answer: Answer) -> str:
        held_out = answer["heldout"]
        login = answer["login"]
        lines = [
            f"images in            {answer['images']} ({answer['rejected']} rejected by quality control)",
            f"crops                {answer['crops']}",
            f"answers              {answer['answers']}, {answer['not_sure']} of them not sure,"
            f" by {', '.join(answer['annotators'])}",
            f"Krippendorff alpha   {_estimate(answer['alpha'])} {answer['alpha']['word']}",
            f"held out             {held_out['split']}",
            f"  model              {_estimate(held_out['model']['balanced_accuracy'])}  balanced accuracy",
            f"  handcrafted        {_estimate(held_out['handcrafted']['balanced_accuracy'])}",
            f"  class prior        {_estimate(held_out['class_prior']['balanced_accuracy'])}",
            f"                     {held_out['counted']}",
            f"gate                 {answer['gate']['text']}",
            f"objects inferred     {answer['objects']} in '{answer['pipeline']['experiment']}'",
            f"replay identical     {'yes' if answer['replay_identical'] else 'no'}",
            f"took                 {answer['seconds']} s",
            answer["note"],
            f"Log in at {login['address']} as {login['names']} with the password {login['password']}",
        ]
        return "\n".join(lines)


def _estimate(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return f"none ({figure.get('reason', '')})"
    interval = f"[{figure['low']:.2f}-{figure['high']:.2f}]" if figure["low"] is not None else "[no interval]"
    return f"{figure['value']:.2f} {interval} n {figure['n']}"
