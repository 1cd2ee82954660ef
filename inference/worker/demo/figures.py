"""The figures of a demonstration: agreement, and held-out accuracy beside the baselines."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Image, Verdict
from imaging.services.storage import fetch
from imaging.worker.ingest import Report
from inference.worker.demo.people import Stage
from labeling.models import Annotation
from labeling.services.summary import agreement_of
from training.learning.evaluate import evaluate
from training.models import ModelVersion
from training.worker.fitting import PREDICTIONS
from training.worker.pool import load_pool
from training.worker.ranking import ENCODER


def summary(report: Report, stage: Stage, answers: int, model: ModelVersion) -> dict[str, Any]:
    """What went in, what was said, how far readers agree, and what the model is worth on what it never saw."""
    agreement = agreement_of(stage.study)
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
        "noise": [
            {"annotator": reader.user.username, "slips": reader.noise.error_rate}
            for reader in stage.readers
            if reader.noise
        ],
        "alpha": agreement["alpha_nominal"] | {"n": agreement["n_shared"], "word": agreement["word"]},
        "heldout": held_out_figures(stage, model),
        "leakage": model.report["leakage"],
        "gate": {"status": model.gate["status"], "text": model.gate["text"]},
    }


def held_out_figures(stage: Stage, model: ModelVersion) -> dict[str, Any]:
    """Model and baselines on units that they never saw, against the manifest's labels."""
    pool = load_pool(stage.study, ENCODER)
    kept = np.array([row for row, crop in enumerate(pool.crop_ids) if int(crop) in stage.items])
    shown = [stage.task.truth(stage.items[int(pool.crop_ids[row])]) for row in kept]
    truth = np.array([stage.task.classes.index(label) for label in shown])
    split = model.report["split"]
    with np.load(fetch(PREDICTIONS, f"{model.digest}.npz"), allow_pickle=False) as found:
        unit = found["unit"][kept]
        figures = {
            name: _figures(found[name][kept], truth, unit, (stage.task.classes, split["level"]))
            for name in ("model", "class_prior", "handcrafted")
        }
    return {
        "experiments": split["units"],
        "level": split["level"],
        "split": split["why"],
        "folds": split["folds"],
        "not_evaluable": _of_one_class(pool.units.experiment[kept], shown),
        "counted": _counted(len(kept), model),
    } | figures


def _counted(labelled: int, model: ModelVersion) -> str:
    """What n is here, and on the page of the models."""
    return (
        f"n {labelled} are all crops of the study, held to the labels that came with the images; the site holds the"
        f" model to its readers' answers, on the {model.report['n']} crops that they named a class for"
    )


def _of_one_class(experiments: NDArray[np.str_], shown: list[str]) -> list[dict[str, str]]:
    """Experiments that hold one class only, by the manifest's labels: alone they cannot be judged."""
    found = []
    for name in np.unique(experiments):
        labels = {label for label, where in zip(shown, experiments) if where == name}
        if len(labels) == 1:
            count = int((experiments == name).sum())
            reason = f"holds one class only ({labels.pop()} {count}): balanced accuracy needs two"
            found.append({"experiment": str(name), "reason": reason})
    return found


def _figures(
    probabilities: NDArray[np.float64],
    truth: NDArray[np.int64],
    unit: NDArray[np.str_],
    scale: tuple[tuple[str, ...], str],
) -> dict[str, Any]:
    classes, level = scale
    report = evaluate(probabilities, truth, unit, list(classes), level)
    scored = [row for row in report["per_unit"] if row.get("balanced_accuracy") is not None]
    return {
        "balanced_accuracy": report["balanced_accuracy"],
        "macro_f1": report["macro_f1"],
        "not_evaluable": report["not_evaluable"],
        "worst": min(scored, key=lambda row: row["balanced_accuracy"], default=None),
    }
