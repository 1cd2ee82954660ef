"""`manage.py train`: fit a model from a study's answers, here and now."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from audit.management.base import Answer, JsonCommand
from labeling.services.studies import StudyRefused, study_named
from training.models import ModelVersion, Status, TrainingRun
from training.services.models import request_training
from training.worker.fitting import train


class Command(JsonCommand):
    """Freeze the labels, hold units out, fit, compare with simple baselines, and register the model."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="name or number of a study")
        parser.add_argument("--recipe", type=Path, help="JSON file with training settings")

    def answer(self, **options: Any) -> Answer:
        try:
            study = study_named(options["study"])
        except StudyRefused as error:
            raise CommandError(str(error)) from error
        run = request_training(study, None, _recipe(options["recipe"]))
        self.progress(f"training run {run.pk} of '{study}'")
        train(run.pk)
        run = TrainingRun.objects.get(pk=run.pk)
        if run.status != Status.DONE:
            raise CommandError(f"training run {run.pk} was {run.status}: {run.problem}")
        model = ModelVersion.objects.get(run=run)
        return {
            "run": run.pk,
            "model": model.pk,
            "digest": model.digest,
            "split": model.report["split"],
            "balanced_accuracy": model.report["balanced_accuracy"],
            "comparisons": model.report["comparisons"],
            "gate": model.gate,
        }

    def describe(self, answer: Answer) -> str:
        figure = answer["balanced_accuracy"]
        shown = f"{figure['value']:.3f}" if figure["value"] is not None else f"none ({figure['reason']})"
        return f"model {answer['model']}: balanced accuracy {shown}, n {figure['n']}\n{answer['gate']['text']}"


def _recipe(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} is not a recipe: {error}. Write a JSON object of settings.") from error
    if not isinstance(recipe, dict):
        raise CommandError(f"{path} is not a recipe: write a JSON object of settings.")
    return recipe
