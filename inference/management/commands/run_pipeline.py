"""`manage.py run_pipeline`: quality check, preprocessing, segmentation, prediction and results of an experiment."""

import json
import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Sum

from audit.management.base import Answer, JsonCommand
from imaging.models import Experiment
from inference.models import InferenceRun
from inference.pipeline.run import pipeline_params
from inference.services.runs import model_for, request_run
from inference.worker.running import run_folder, run_pipeline
from training.models import Status
from training.services.work import Refused


class Command(JsonCommand):
    """Run a model over an experiment; objects, per-sample counts, label images and the record land in --out."""

    help = __doc__

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("experiment")
        parser.add_argument("--model", default="", help="number or digest (default: the newest that fits)")
        parser.add_argument("--out", type=Path, required=True, help="folder for the results; made where missing")

    def answer(self, **options: Any) -> Answer:
        experiment = Experiment.objects.filter(name=options["experiment"]).first()
        if experiment is None:
            raise CommandError(f"There is no experiment '{options['experiment']}': ingest it first.")
        try:
            model = model_for(experiment, options["model"])
        except Refused as error:
            raise CommandError(str(error)) from error
        _check_writable(options["out"])
        params = pipeline_params()
        run = request_run(experiment, model, params.content, params.digest)
        by = f"model {model.pk}" if model else "no model: objects only"
        self.progress(f"run {run.pk} on '{experiment}' with {by}")
        run_pipeline(run.pk)
        run = InferenceRun.objects.get(pk=run.pk)
        if run.status != Status.DONE:
            raise CommandError(f"run {run.pk} was {run.status}: {run.problem}")
        _forget_earlier(options["out"])
        shutil.copytree(run_folder(run), options["out"], dirs_exist_ok=True)
        samples = run.sample_results.aggregate(fields=Sum("fields"), rejected=Sum("rejected_fields"))
        return {
            "run": run.pk,
            "images": samples["fields"] or 0,
            "rejected": samples["rejected"] or 0,
            "objects": run.objects_found,
            "out": str(options["out"]),
            "model": model.digest if model else None,
            "watermark": run.watermark,
            "record": run.record_digest,
        }

    def describe(self, answer: Answer) -> str:
        return (
            f"run {answer['run']}: {answer['objects']} objects in {answer['images']} images"
            f" ({answer['rejected']} rejected); results in {answer['out']}"
        )


def _check_writable(out: Path) -> None:
    """Refuse a folder that cannot be made before the work is done, not after."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{out} cannot be made: {error.strerror}. Choose another --out.") from error


def _forget_earlier(out: Path) -> None:
    """Remove the files that an earlier run left here, by its own list, so that none stands beside the new ones."""
    record = out / "record.json"
    if not record.is_file():
        return
    try:
        names = json.loads(record.read_text(encoding="utf-8"))["outputs"]
    except (ValueError, KeyError, TypeError):
        return
    for name in [*names, record.name]:
        path = (out / name).resolve()
        if path.is_relative_to(out.resolve()):
            path.unlink(missing_ok=True)
