"""Small real things for tests: images on disk that are taken in, people, studies, answers, models."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import tifffile
from django.contrib.auth import get_user_model
from django.utils import timezone
from numpy.typing import NDArray

from imaging.models import Crop, Experiment
from imaging.worker.ingest import Options, Report, ingest, list_source
from inference.models import InferenceRun
from inference.pipeline.run import pipeline_params
from inference.services.runs import request_run
from inference.worker.running import run_pipeline
from labeling.models import Annotation, Membership, Study
from labeling.services.access import join
from labeling.services.answers import Submission, submit
from labeling.services.queue import NewEntry, RankingInfo, replace_queue
from labeling.services.studies import StudyPlan, create_study
from training.models import ModelVersion, TrainingRun
from training.services.models import request_training
from training.worker.fitting import train

CELL = 24
COLUMNS = 6
KINDS = ("disc", "ring")


def picture(crops: int = 24, seed: int = 0) -> NDArray[np.uint16]:
    """A 16-bit field with `crops` objects on a grid: discs in even columns, rings in odd ones."""
    rng = np.random.default_rng(seed)
    rows = -(-crops // COLUMNS)
    field = rng.normal(300, 25, (rows * CELL, COLUMNS * CELL))
    y, x = np.mgrid[:CELL, :CELL]
    for number in range(crops):
        row, column = divmod(number, COLUMNS)
        distance = np.hypot(y - CELL / 2 + rng.uniform(-1, 1), x - CELL / 2 + rng.uniform(-1, 1))
        shape = distance < 7 if column % 2 == 0 else abs(distance - 7) < 2
        field[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL][shape] += rng.uniform(2000, 4000)
    return field.clip(0, 65535).astype(np.uint16)


def kind_of(crop: Crop) -> str:
    """What the crop of a `picture` shows."""
    return KINDS[int(crop.x // CELL) % 2]


def write_manifest(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """A manifest.csv in the folder with the columns that the rows name."""
    path = folder / "manifest.csv"
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, columns, restval="")
        table.writeheader()
        table.writerows(rows)
    return path


def box_rows(name: str, experiment: str, crops: int, **more: Any) -> list[dict[str, Any]]:
    """Manifest rows that draw the grid's boxes into an image."""
    corners = [divmod(number, COLUMNS) for number in range(crops)]
    return [
        {
            "path": name, "kind": "box", "experiment": experiment,
            "x0": column * CELL, "y0": row * CELL, "x1": (column + 1) * CELL, "y1": (row + 1) * CELL, **more,
        }
        for row, column in corners
    ]  # fmt: skip


def write_experiment(folder: Path, name: str = "plate 1", *, crops: int = 24, seed: int = 0) -> Path:
    """A folder with one field and a manifest that draws its boxes; returns the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(folder / "field.tif", picture(crops, seed))
    return write_manifest(folder, box_rows("field.tif", name, crops))


def take_in(path: Path, **options: Any) -> Report:
    """What became of the files below a folder or in a manifest."""
    return ingest(list_source(path, None), Options(**options))


def make_experiment(folder: Path, name: str = "plate 1", *, crops: int = 24, seed: int = 0) -> Experiment:
    """An experiment of one field with `crops` boxed objects, half of them discs, half rings."""
    report = take_in(write_experiment(folder / name, name, crops=crops, seed=seed), pixel_size_um=0.5)
    assert not report.refused, report.refused
    return Experiment.objects.get(name=name)


def crops_of(experiment: Experiment) -> list[Crop]:
    """Its crops in order of number."""
    return list(Crop.objects.filter(image__sample__experiment=experiment).order_by("id"))


def make_user(name: str = "alice", **more: Any) -> Any:
    """A person who can log in with the password "let me in"."""
    return get_user_model().objects.create_user(name, password="let me in", **more)


def make_study(lead: Any, *experiments: Experiment, name: str = "nuclei", **plan: Any) -> Study:
    """A study over the experiments with the classes disc and ring; no second reads unless asked for."""
    settings = {"overlap_share": 0.0, "is_blind": False} | plan
    return create_study(StudyPlan(name, "Disc or ring?", KINDS, experiments, **settings), lead)


def add_reader(study: Study, name: str, role: str = Membership.Role.ANNOTATOR) -> Any:
    """A new person who takes part in the study."""
    user = make_user(name)
    join(study, user, role)
    return user


def fill_queue(study: Study, crops: Sequence[Crop], *, why: str = "uncertain", newest: int = 0) -> None:
    """Put these crops into the queue, the first one on top."""
    entries = [NewEntry(crop.pk, 1.0 / (place + 1), why, None) for place, crop in enumerate(crops)]
    replace_queue(study, entries, RankingInfo("ab" * 32, "uherding", "handcrafted", len(entries), newest))


def submission(crop: Crop | int, label: str = "disc", **more: Any) -> Submission:
    """An answer that names one class; other kinds by `answer=` with an empty label."""
    fields = {
        "client_id": uuid4(),
        "crop_id": crop if isinstance(crop, int) else crop.pk,
        "answer": Annotation.Answer.LABEL if label else Annotation.Answer.NOT_SURE,
        "classes": (label,) if label else (),
        "answered_at": timezone.now(),
    }
    return Submission(**(fields | more))


def answer(study: Study, user: Any, crop: Crop | int, label: str = "disc", **more: Any) -> Annotation:
    """The stored answer."""
    return submit(study, user, submission(crop, label, **more))[0]


def answer_all(study: Study, user: Any, crops: Sequence[Crop]) -> None:
    """Answer each crop with what it shows."""
    for crop in crops:
        answer(study, user, crop, kind_of(crop))


def make_model(study: Study, user: Any = None) -> ModelVersion:
    """A model on handcrafted features, trained on the study's answers."""
    run = request_training(study, user, {"model": "handcrafted"})
    train(run.pk)
    run = TrainingRun.objects.get(pk=run.pk)
    assert run.status == "done", run.problem
    return ModelVersion.objects.get(run=run)


def make_run(experiment: Experiment, model: ModelVersion, user: Any = None) -> InferenceRun:
    """A finished run of the pipeline."""
    params = pipeline_params()
    run = request_run(experiment, model, params.content, params.digest, user=user)
    run_pipeline(run.pk)
    run.refresh_from_db()
    assert run.status == "done", run.problem
    return run
