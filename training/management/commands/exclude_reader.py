"""`manage.py exclude_reader`: leave a reader's answers out of a study, or put them back."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from labeling.models import Annotation, Study
from labeling.services.exclusions import exclude, put_back, reader_named
from labeling.services.refusals import StudyRefused
from labeling.services.studies import study_named
from training.models import TrainingRun
from training.services.models import request_training


class Command(JsonCommand):
    """Leave a reader's answers out of labels, ranking and verdicts; they stay stored, and can be put back."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="name or number of a study")
        parser.add_argument("user", help="name or number of a reader who has answered in it")
        parser.add_argument("--undo", action="store_true", help="put the reader back: all their answers count again")
        parser.add_argument(
            "--retrain", action="store_true", help="ask for a training run on the labels that are left"
        )
        parser.add_argument("--reason", required=True, metavar="TEXT", help="why; kept and shown")

    def answer(self, **options: Any) -> Answer:
        try:
            study = study_named(options["study"])
            reader = reader_named(study, options["user"])
            changed = (put_back if options["undo"] else exclude)(study, reader, None, options["reason"])
        except StudyRefused as error:
            raise CommandError(str(error)) from error
        answers = Annotation.objects.reads().filter(study=study, annotator=reader).count()
        run = _train_again(study) if options["retrain"] and changed else None
        return {
            "study": study.name,
            "reader": reader.get_username(),
            "excluded": not options["undo"],
            "changed": changed,
            "answers": answers,
            "run": run.pk if run else None,
        }

    def describe(self, answer: Answer) -> str:
        state = "left out" if answer["excluded"] else "counted"
        done = "are now" if answer["changed"] else "were already"
        text = f"The {answer['answers']} answers of {answer['reader']} in '{answer['study']}' {done} {state}."
        return text if answer["run"] is None else f"{text}\nTraining run {answer['run']} waits for a worker."


def _train_again(study: Study) -> TrainingRun:
    """A run with the settings of the study's newest one."""
    newest = TrainingRun.objects.filter(study=study).order_by("-id").first()
    return request_training(study, None, dict(newest.recipe) if newest else {})
