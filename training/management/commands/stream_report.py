"""`manage.py stream_report`: what a study's random stream says, computed here and now."""

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from labeling.services.studies import StudyRefused, study_named
from training.models import Status, StreamReport
from training.services.stream import request_report
from training.services.stream_words import questions
from training.worker.stream import make_report


class Command(JsonCommand):
    """Judge the queue, forecast what more labels bring, and test soft labels, on the random stream alone."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--study", required=True, help="name or number of a study")

    def answer(self, **options: Any) -> Answer:
        try:
            study = study_named(options["study"])
        except StudyRefused as error:
            raise CommandError(str(error)) from error
        report = request_report(study)
        self.progress(f"report {report.pk} of the random stream of '{study}'")
        make_report(report.pk)
        report = StreamReport.objects.get(pk=report.pk)
        if report.status == Status.RUNNING:
            raise CommandError(f"report {report.pk} is being computed by a worker already; look again in a minute.")
        if report.status != Status.DONE:
            raise CommandError(f"report {report.pk} was {report.status}: {report.problem}")
        return {
            "report": report.pk,
            "digest": report.digest,
            "seconds": round(report.seconds or 0.0, 2),
            "said": [asdict(row) for row in questions(report.content)],
            **report.content,
        }

    def describe(self, answer: Answer) -> str:
        lines = [f"{row['question']} {row['word']}.\n  {row['text']}" for row in answer["said"]]
        marked = ["The answers are simulated: this shows the workings, not a result."] if answer["simulated"] else []
        return "\n".join([*marked, *lines, f"took {answer['seconds']} s"])
