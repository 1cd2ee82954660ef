"""Runs the main job once, from images to results with provenance, and tells what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.contrib.auth import get_user_model
from numpy.typing import NDArray

from imaging.models import Crop, Experiment, Image, Verdict
from imaging.services.storage import fetch
from imaging.worker.ingest import Options, Report, ingest, list_source
from imaging.worker.storing import StoreOptions
from inference.models import InferenceRun
from inference.pipeline.run import pipeline_params
from inference.services.runs import request_run
from inference.worker.demo.people import Reader, answer, distances, invite, log_in, say
from inference.worker.demo.source import Item, Task, choose_task, crops_of_items, fields_of, limited
from inference.worker.running import replay, run_pipeline
from labeling.models import Annotation, Study
from labeling.services.queue import next_crops, release
from labeling.services.studies import StudyPlan, create_study
from labeling.services.summary import agreement_of
from training.learning.evaluate import evaluate
from training.models import ModelVersion, Status, TrainingRun
from training.services.models import promote, request_training
from training.services.work import Refused
from training.worker.fitting import PREDICTIONS, train
from training.worker.pool import load_pool
from training.worker.ranking import ENCODER, RankingWorker

MOST_ANSWERS = 240
# The share of crops that more than one simulated annotator reads, so that alpha stands on enough items.
OVERLAP = 0.4
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands on the stage: the study, what its crops show, the readers, and how doubtful each crop is."""

    study: Study
    task: Task
    items: dict[int, Item]
    readers: list[Reader]
    distance: dict[int, float]


def show(manifest: Path, task_name: str, limit: int | None, held_back: str, tell: Tell) -> dict[str, Any]:
    """The summary of the whole job. `held_back` names an experiment that is kept out of the study for the pipeline."""
    login = log_in()
    listing = list_source(manifest, None)
    task = limited(choose_task(listing.labels, task_name), listing, limit)
    tell(f"taking in {len(task.answers)} labelled crops of the task '{task.name or 'labels'}'")
    options = Options(store=StoreOptions(actor="process:demo"), rename_on_conflict=True)
    report = ingest(fields_of(task, listing), options, tell)
    experiments = list(Experiment.objects.filter(name__in=report.experiments).order_by("name"))
    if not experiments:
        raise Refused("No image of the manifest could be taken in: see `ingest` for the reasons.")
    new = [row for row in experiments if held_back and row.name.startswith(held_back)]
    stage = _set_stage(task, [row for row in experiments if row not in new])
    answers = _read(stage, tell)
    model = _train(stage.study, tell)
    run, identical = _infer((new or experiments)[-1], model, tell)
    return _summary(report, stage, answers, model) | {
        "objects": run.objects_found,
        "replay_identical": identical,
        "pipeline": {"run": run.pk, "experiment": run.experiment.name, "in_training": not new},
        "login": login,
        "note": "The answers are simulated or replayed: these figures show the workings, not a result.",
    }


def _set_stage(task: Task, experiments: list[Experiment]) -> Stage:
    lead = get_user_model().objects.get(username="lead")
    plan = StudyPlan(
        name=_free_name(f"Demo: {task.name or 'labels'}"),
        question=f"Which class of '{task.name or 'labels'}' does this crop show?",
        guidelines="Simulated study. Say not sure (0) where the crop lies between two classes.",
        classes=task.classes,
        experiments=tuple(experiments),
        overlap_share=1.0 if len(task.annotators) > 1 else OVERLAP,
        is_blind=False,
        is_simulated=True,
    )
    study = create_study(plan, lead)
    if len(task.annotators) > 2:
        # Every annotator of the manifest reads every crop, as they did.
        Study.objects.filter(pk=study.pk).update(reads_per_crop=len(task.annotators))
        study.refresh_from_db()
    items = crops_of_items(task, experiments)
    truth = {crop: task.classes.index(task.truth(item)) for crop, item in items.items()}
    distance = distances(load_pool(study, ENCODER), truth, len(task.classes))
    return Stage(study, task, items, invite(study, task), distance)


def _free_name(name: str) -> str:
    taken = set(Study.objects.filter(name__startswith=name).values_list("name", flat=True))
    candidates = [name, *(f"{name} ({number})" for number in range(2, len(taken) + 3))]
    return next(candidate for candidate in candidates if candidate not in taken)


def _read(stage: Stage, tell: Tell) -> int:
    """Readers answer in turn, each from the newest ranking; the pool is ranked again after every answer."""
    worker = RankingWorker()
    if not worker.rank(stage.study):
        raise Refused(worker.refusals[stage.study.pk])
    most = len(stage.items) * len(stage.readers) if stage.readers[0].replays else MOST_ANSWERS
    waiting, answers = list(stage.readers), 0
    while waiting and answers < most:
        reader = waiting[answers % len(waiting)]
        if not _read_one(stage, reader):
            waiting.remove(reader)
            continue
        answers += 1
        worker.rank(stage.study)
        if answers % 50 == 0:
            tell(f"{answers} answers, the pool ranked again after each")
    for reader in stage.readers:
        release(stage.study, reader.user)
    worker.rank(stage.study)
    return answers


def _read_one(stage: Stage, reader: Reader) -> bool:
    """One answer of the reader; False when the queue holds nothing more that they can say something on."""
    for candidate in next_crops(stage.study, reader.user, 50):
        item = stage.items.get(candidate.crop_id)
        if item is None:
            continue
        crop = Crop.objects.get(pk=candidate.crop_id)
        label = say(reader, crop, stage.task, item, stage.distance.get(crop.pk))
        if label is not None:
            answer(stage.study, reader, crop, label)
            return True
    return False


def _train(study: Study, tell: Tell) -> ModelVersion:
    tell("training a network, held out fold by fold beside its baselines")
    run = request_training(study, None, {})
    train(run.pk)
    run = TrainingRun.objects.get(pk=run.pk)
    if run.status != Status.DONE:
        raise Refused(f"Training was {run.status}: {run.problem}")
    model = ModelVersion.objects.get(run=run)
    if model.gate["passed"]:
        promote(model, None, "the demonstration promotes what its gate lets through")
    tell(f"the gate says: {model.gate['text']}")
    return model


def _infer(experiment: Experiment, model: ModelVersion, tell: Tell) -> tuple[InferenceRun, bool]:
    tell(f"running the pipeline on '{experiment.name}', then once more to compare every byte")
    params = pipeline_params()
    run = request_run(experiment, model, params.content, params.digest)
    run_pipeline(run.pk)
    run.refresh_from_db()
    if run.status != Status.DONE:
        raise Refused(f"The pipeline run was {run.status}: {run.problem}")
    _, differences = replay(run)
    return run, not differences


def _summary(report: Report, stage: Stage, answers: int, model: ModelVersion) -> dict[str, Any]:
    agreement = agreement_of(stage.study)
    alpha = agreement["alpha_nominal"] | {"n": agreement["n_shared"], "word": agreement["word"]}
    images = Image.objects.filter(sample__experiment__name__in=report.experiments)
    return {
        "study": stage.study.name,
        "task": stage.task.name,
        "classes": list(stage.task.classes),
        "images": report.images,
        "refused": report.refused,
        "rejected": images.filter(verdict=Verdict.REJECT).count(),
        "crops": report.crops,
        "answers": answers,
        "not_sure": Annotation.objects.filter(study=stage.study, answer=Annotation.Answer.NOT_SURE).count(),
        "annotators": [reader.user.username for reader in stage.readers],
        "alpha": alpha,
        "heldout": held_out_figures(stage, model),
        "gate": {"status": model.gate["status"], "text": model.gate["text"]},
        "model": model.pk,
    }


def held_out_figures(stage: Stage, model: ModelVersion) -> dict[str, Any]:
    """Balanced accuracy on units that the models never saw, against the manifest's labels, for model and baselines."""
    pool = load_pool(stage.study, ENCODER)
    kept = np.array([row for row, crop in enumerate(pool.crop_ids) if int(crop) in stage.items])
    truth = np.array([stage.task.classes.index(stage.task.truth(stage.items[int(pool.crop_ids[row])])) for row in kept])
    split = model.report["split"]
    with np.load(fetch(PREDICTIONS, f"{model.digest}.npz"), allow_pickle=False) as found:
        unit = found["unit"][kept]
        figures = {
            name: _figures(found[name][kept], truth, unit, (stage.task.classes, split["level"]))
            for name in ("model", "class_prior", "handcrafted")
        }
    units = sorted(set(map(str, unit))) if split["level"] != "crop" else []
    return {"experiments": units, "level": split["level"], "split": split["why"], "folds": split["folds"]} | figures


def _figures(
    probabilities: NDArray[np.float64],
    truth: NDArray[np.int64],
    unit: NDArray[np.str_],
    scale: tuple[tuple[str, ...], str],
) -> dict[str, Any]:
    classes, level = scale
    report = evaluate(probabilities, truth, unit, list(classes), level)
    return {
        "balanced_accuracy": report["balanced_accuracy"],
        "macro_f1": report["macro_f1"],
        "not_evaluable": report["not_evaluable"],
        "worst": min(
            (row for row in report["per_unit"] if row.get("balanced_accuracy") is not None),
            key=lambda row: row["balanced_accuracy"],
            default=None,
        ),
    }
