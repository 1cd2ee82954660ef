"""`manage.py replay`: repeat a run and compare every byte."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from inference.models import InferenceRun
from inference.worker.running import replay
from training.services.work import Refused


class Command(JsonCommand):
    """Run again with the recorded model and parameters; exit code 1 names what differs."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int, help="number of a finished run")

    def answer(self, **options: Any) -> Answer:
        run = InferenceRun.objects.filter(pk=options["run"]).first()
        if run is None:
            known = ", ".join(map(str, InferenceRun.objects.values_list("pk", flat=True)[:10])) or "none yet"
            raise CommandError(f"There is no run {options['run']}. Known: {known}.")
        try:
            again, differences = replay(run)
        except Refused as error:
            raise CommandError(str(error)) from error
        return {"run": run.pk, "replay": again.pk, "identical": not differences, "differences": differences}

    def failed(self, answer: Answer) -> bool:
        return not answer["identical"]

    def describe(self, answer: Answer) -> str:
        if answer["identical"]:
            return f"run {answer['run']}: the replay is identical, byte for byte"
        return "\n".join([f"run {answer['run']}: the replay differs", *answer["differences"]])
