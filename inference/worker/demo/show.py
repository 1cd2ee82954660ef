"""Runs the main job once, from images to results with provenance, and tells what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model

from imaging.models import Crop, Experiment
from imaging.pixels.listing import Listing
from imaging.worker.ingest import Options, Report, ingest, list_source
from imaging.worker.storing import StoreOptions
from inference.models import InferenceRun
from inference.pipeline.run import pipeline_params
from inference.services.runs import request_run
from inference.worker.demo.figures import summary
from inference.worker.demo.people import Reader, Stage, answer, distances, invite, log_in, say, show_to_everybody
from inference.worker.demo.source import crops_of_items
from inference.worker.running import replay, run_pipeline
from labeling.models import Study
from labeling.services.queue import next_crops, release
from labeling.services.studies import StudyPlan, create_study
from labeling.worker.agreement import make_report
from training.learning.labelled import Task, choose_task, fields_of, limited
from training.models import ModelVersion, Status, TrainingRun
from training.services.models import promote, request_training
from training.services.work import Refused
from training.worker.fitting import train
from training.worker.pool import load_pool
from training.worker.ranking import ENCODER, RankingWorker

MOST_ANSWERS = 240
# The share of crops that more than one simulated annotator reads, so that alpha stands on enough items.
OVERLAP = 0.4
NOTE = "The answers are simulated or replayed: these figures show the workings, not a result."
QUESTIONS = {
    "staining": "How strongly is this cell stained brown (DAB)?",
    "synthetic_state": "In which state is the nucleus of this synthetic cell?",
}
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Programme:
    """What is shown: a manifest, one of its tasks, how many of its crops.

    `held_back` names an experiment that no study sees, so that the pipeline meets it as new; `also` names a task
    whose study is set up and ranked for people to try, without any answer.
    """

    manifest: Path
    task: str = ""
    limit: int | None = None
    held_back: str = ""
    also: str = ""


def show(programme: Programme, tell: Tell) -> dict[str, Any]:
    """The summary of the whole job; Refused where the manifest does not carry it."""
    login = log_in()
    listing = list_source(programme.manifest, None)
    task = limited(choose_task(listing.labels, programme.task), listing, programme.limit)
    tell(f"taking in {len(task.answers)} labelled crops of the task '{task.name or 'labels'}'")
    report, experiments = _take_in(task, listing, tell)
    new = [row for row in experiments if programme.held_back and row.name.startswith(programme.held_back)]
    show_to_everybody(new)
    stage = _set_stage(task, [row for row in experiments if row not in new])
    answers = _read(stage, tell)
    tell("working out how far the readers agree")
    make_report(stage.study.pk)
    model = _train(stage.study, {}, tell)
    live = model if model.gate["passed"] else _simpler(stage.study, model, tell)
    run, identical = _infer((new or experiments)[-1], live, tell)
    if programme.also:
        _set_up_empty(choose_task(listing.labels, programme.also), listing, tell)
    return summary(report, stage, answers, model) | {
        "objects": run.objects_found,
        "replay_identical": identical,
        "pipeline": {
            "run": run.pk,
            "experiment": run.experiment.name,
            "in_training": not new,
            "model": live.kind,
            "watermark": run.watermark,
        },
        "login": login,
        "note": NOTE,
    }


def _take_in(task: Task, listing: Listing, tell: Tell) -> tuple[Report, list[Experiment]]:
    options = Options(store=StoreOptions(actor="process:demo"), rename_on_conflict=True)
    report = ingest(fields_of(task, listing), options, tell)
    experiments = list(Experiment.objects.filter(name__in=report.experiments).order_by("name"))
    if not experiments:
        raise Refused("No image of the manifest could be taken in: see `ingest` for the reasons.")
    return report, experiments


def _set_stage(task: Task, experiments: list[Experiment]) -> Stage:
    several = len(task.annotators) > 1
    study = _create(task, experiments, overlap=1.0 if several else OVERLAP)
    if several:
        # Every annotator of the manifest reads every crop, as they did.
        Study.objects.filter(pk=study.pk).update(reads_per_crop=len(task.annotators))
        study.refresh_from_db()
    items = crops_of_items(task, experiments)
    truth = {crop: task.classes.index(task.truth(item)) for crop, item in items.items()}
    distance = distances(load_pool(study, ENCODER), truth, len(task.classes))
    return Stage(study, task, items, invite(study, task), distance)


def _create(task: Task, experiments: list[Experiment], overlap: float, *, is_simulated: bool = True) -> Study:
    plan = StudyPlan(
        name=_free_name(f"Demo: {_words(task)}"),
        question=QUESTIONS.get(task.name, f"Which class does this crop show ({_words(task)})?"),
        guidelines="Look at the marked object only. Say not sure (0) where it lies between two classes.",
        classes=task.classes,
        experiments=tuple(experiments),
        overlap_share=overlap,
        is_blind=False,
        is_simulated=is_simulated,
    )
    return create_study(plan, get_user_model().objects.get(username="lead"))


def _words(task: Task) -> str:
    return task.name.replace("_", " ") or "labels"


def _set_up_empty(task: Task, listing: Listing, tell: Tell) -> None:
    """A study without answers, ranked, for people to try."""
    _, experiments = _take_in(task, listing, tell)
    study = _create(task, experiments, OVERLAP, is_simulated=False)
    invite(study, task, with_readers=False)
    RankingWorker().rank(study)


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


def _train(study: Study, recipe: dict[str, Any], tell: Tell) -> ModelVersion:
    tell(f"training a {recipe.get('model', 'network')}, held out fold by fold beside its baselines")
    run = request_training(study, None, recipe)
    train(run.pk)
    run = TrainingRun.objects.get(pk=run.pk)
    if run.status != Status.DONE:
        raise Refused(f"Training was {run.status}: {run.problem}")
    model = ModelVersion.objects.get(run=run)
    tell(f"the gate says: {model.gate['text']}")
    if model.gate["passed"]:
        promote(model, None, "promoted by the demonstration: its gate lets it through")
    return model


def _simpler(study: Study, model: ModelVersion, tell: Tell) -> ModelVersion:
    """The handcrafted model where its own gate lets it through, else the blocked one, watermarked as a candidate."""
    simple = _train(study, {"model": "handcrafted"}, tell)
    return simple if simple.gate["passed"] else model


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
