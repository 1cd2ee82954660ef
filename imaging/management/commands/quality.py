"""`manage.py quality`: what quality control says of an experiment's images."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from imaging.models import Experiment
from imaging.services.quality import file_reports


class Command(JsonCommand):
    """Verdict, reasons and metrics of every image file, also of those that were rejected."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("experiment")

    def answer(self, **options: Any) -> Answer:
        experiment = Experiment.objects.filter(name=options["experiment"]).first()
        if experiment is None:
            known = ", ".join(Experiment.objects.values_list("name", flat=True)[:10]) or "none yet"
            raise CommandError(f"There is no experiment '{options['experiment']}'. Known: {known}.")
        return {"images": file_reports(experiment)}

    def describe(self, answer: Answer) -> str:
        rows = answer["images"]
        lines = [f"{row['verdict']:<9}{row['path']}  {'; '.join(row['reasons'])}" for row in rows]
        return "\n".join([*lines, f"{sum(row['verdict'] == 'reject' for row in rows)} of {len(rows)} rejected"])
