"""The slow loop: fits a model from a study's answers, judges it on what it has never seen, registers it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Image
from imaging.services.storage import keep, local_folder
from training.learning.calibrate import fit_temperature, temperatures_of_others, tempered
from training.learning.checkpoints import Model, save_model
from training.learning.encoders import make_encoder
from training.learning.evaluate import class_prior, evaluate, gate, with_comparisons
from training.learning.fit import TrainingCancelled, fit_network
from training.learning.head import Head, HeadSettings, fit_head, probabilities
from training.learning.leakage import Places, find_leakage
from training.learning.predict import HandcraftedPredictor, NetworkPredictor, with_temperature
from training.learning.recipe import Recipe
from training.learning.splits import Split
from training.learning.torch_setup import best_device
from training.models import LabelSnapshot, ModelVersion, Status, TrainingRun
from training.services.models import NewModel, register
from training.services.work import Cancelled, Refused, beat, claim, failure_text, finish
from training.worker.beside_readers import beside_readers
from training.worker.examples import Examples, freeze, load_examples, split_of
from training.worker.left_out import labels_left_out

MODELS = "models"
PREDICTIONS = "predictions"
PRIOR = "class prior"
BASELINE = "handcrafted"
# The search compares every crop with every other one: 20,000 take about half a minute.
MOST_SEARCHED = 20_000
Probabilities = NDArray[np.float64]
Tell = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Predictions (pool, classes) for every crop by a model that never saw its unit.

    `model` and `baseline` by the recipe's model and by handcrafted features, `prior` by the class frequency of all
    labelled crops; `fold` (pool,) is the fold whose model predicted a crop. The temperature of each fold of `model`
    was fitted on the labels of the others; `temperature`, on all held-out labels, is that of the final model.
    """

    model: Probabilities
    baseline: Probabilities
    prior: Probabilities
    fold: NDArray[np.int64]
    unit: NDArray[np.str_]
    temperature: float


def train(run_pk: int) -> None:
    """Carry out a training run; returns at once where another worker has it. May be called twice."""
    run = claim(TrainingRun, run_pk)
    if run is None:
        return
    try:
        _train(run)
    except (Refused, ValueError) as error:
        finish(run, Status.REFUSED, str(error))
    except (Cancelled, TrainingCancelled):
        finish(run, Status.CANCELLED)
    except Exception as error:
        finish(run, Status.FAILED, failure_text(error))
        raise


def _train(run: TrainingRun) -> ModelVersion | None:
    recipe = Recipe.from_mapping(run.recipe)
    beat(run, 0.01, "reading labels and crops")
    examples = load_examples(run.study)
    split = split_of(run.study, examples)
    snapshot = freeze(run.study, examples, split)
    parts = len(split.folds) + 1

    def tell(part: int, fraction: float, text: str) -> None:
        place = f"fold {part + 1} of {parts - 1}" if part < parts - 1 else "final model"
        beat(run, (part + fraction) / parts, f"{place}: {text}")

    held_out = hold_out(examples, split, recipe, tell)
    beat(run, (parts - 1) / parts, "searching for copies across the split")
    report = report_of(examples, split, held_out, recipe) | {"left_out": labels_left_out(run.study)}
    report["readers"] = beside_readers(run.study, examples, held_out.model)
    model = _final_model(examples, recipe, held_out, partial(tell, parts - 1))
    return _register(run, snapshot, examples, (model, recipe, report), held_out)


def hold_out(examples: Examples, split: Split, recipe: Recipe, tell: Callable[[int, float, str], None]) -> HeldOut:
    """Predictions for every crop of the pool by models that never saw its unit, fold by fold."""
    size, classes = len(examples.pool.crop_ids), len(examples.classes)
    fold = _fold_of_pool(examples, split)
    logits, baseline = np.zeros((size, classes)), np.zeros((size, classes))
    for number, (train_rows, _) in enumerate(split.folds):
        rows = np.flatnonzero(fold == number)
        model = fit_model(examples, train_rows, recipe, lambda done, text, n=number: tell(n, done, text))
        for part, found in _logits(model, examples, rows, partial(tell, number)):
            logits[part] = found
        head = _fit_baseline(examples, train_rows)
        baseline[rows] = probabilities(head, examples.pool.features[rows])
    tested = examples.tested
    known, held_to = logits[examples.labelled[tested]], examples.held_to[tested]
    temperatures = _temperatures(known, held_to, split.fold_of[tested], len(split.folds))
    model_says = tempered(logits / temperatures[fold, None], 1.0)
    # One constant in all folds: constants that differ, pooled, would score below chance.
    prior = class_prior(examples.labels, classes, size)
    temperature = fit_temperature(known, held_to)
    return HeldOut(model_says, baseline, prior, fold, split.unit_of_pool, temperature)


def _temperatures(
    known: Probabilities, held_to: Probabilities, fold_of: NDArray[np.int64], folds: int
) -> NDArray[np.float64]:
    """The temperature of each fold (folds,); a fold without a crop that is judged takes that of all."""
    found = temperatures_of_others(known, held_to, fold_of)
    return np.concatenate([found, np.full(folds - len(found), fit_temperature(known, held_to))])


def fit_model(examples: Examples, train_rows: NDArray[np.int64], recipe: Recipe, tell: Tell) -> Model:
    """A model of the recipe's kind, fitted on some of the labelled crops (rows of `examples.labelled`)."""
    channels = examples.crops.shape[1]
    if recipe.model == "handcrafted":
        return HandcraftedPredictor.from_head(_fit_baseline(examples, train_rows), tuple(examples.classes), channels)

    def progress(fraction: float, text: str) -> bool:
        tell(fraction, text)
        return True

    network = fit_network(
        examples.crops[train_rows],
        unit_windows(channels),
        examples.shares[train_rows],
        recipe,
        progress,
        device=best_device(),
    )
    return NetworkPredictor(network, tuple(examples.classes))


def unit_windows(channels: int) -> list[tuple[float, float]]:
    """Windows for crops that are scaled to [0, 1] already."""
    return [(0.0, 1.0)] * channels


def report_of(examples: Examples, split: Split, held_out: HeldOut, recipe: Recipe) -> dict[str, Any]:
    """The held-out report on the labelled crops: the model beside its baselines, with intervals over units."""
    rows = examples.labelled[examples.tested]
    unit = held_out.unit[rows]
    truth = np.asarray(examples.held_to[examples.tested].argmax(axis=1), dtype=np.int64)
    report = evaluate(held_out.model[rows], truth, unit, examples.classes, split.level)
    report = with_comparisons(
        report | {"kind": recipe.model},
        held_out.model[rows],
        _others(held_out, recipe, rows),
        truth,
        unit,
    )
    return report | {
        "leakage": leakage_of(examples, split),
        "split": {
            "level": split.level,
            "why": split.why,
            "folds": len(split.folds),
            "units": sorted(set(map(str, unit))) if split.level != "crop" else [],
            "not_evaluable": [{"experiment": row.experiment, "reason": row.reason} for row in split.not_evaluable],
        },
        "labels": {
            "crops": len(rows),
            "in_random_stream": int(examples.in_stream[examples.tested].sum()),
            "only_trained_on": int((~examples.tested).sum()),
            "note": "Most of these crops were chosen by the ranking, so they are harder than the average crop.",
        },
    }


def _others(held_out: HeldOut, recipe: Recipe, rows: NDArray[np.int64]) -> dict[str, Probabilities]:
    """What the model is compared with; a handcrafted model is itself the baseline."""
    others = {PRIOR: held_out.prior[rows]}
    return others if recipe.model == BASELINE else others | {BASELINE: held_out.baseline[rows]}


def leakage_of(examples: Examples, split: Split) -> dict[str, Any]:
    """What the search for copies across the split found among the labelled crops."""
    rows = examples.labelled
    if len(rows) > MOST_SEARCHED:
        return {"text": f"Not searched: {len(rows)} crops are more than the {MOST_SEARCHED} that a search covers."}
    places = examples.pool.places
    own = Places(places.image[rows], places.centre[rows], places.field_px)
    found = find_leakage(examples.crops, split.fold_of, own)
    return {"text": found.text} | found.counts


def _fit_baseline(examples: Examples, train_rows: NDArray[np.int64]) -> Head:
    features = np.asarray(examples.pool.features[examples.labelled[train_rows]], dtype=np.float64)
    return fit_head(features, examples.shares[train_rows], settings=HeadSettings(calibrate=True))


def _logits(
    model: Model, examples: Examples, rows: NDArray[np.int64], tell: Tell
) -> Iterator[tuple[NDArray[np.int64], Probabilities]]:
    """Rows of the pool and their logits, chunk by chunk; every chunk is told of."""
    if isinstance(model, HandcraftedPredictor):
        yield rows, model.logits_of_embeddings(examples.pool.features[rows]).astype(np.float64)
        return
    done = 0
    for part, crops in examples.pixels.chunks(rows):
        yield part, model.logits(crops, unit_windows(model.channels)).astype(np.float64)
        done += len(part)
        tell(1.0, f"predicted {done} of {len(rows)} crops")


def _fold_of_pool(examples: Examples, split: Split) -> NDArray[np.int64]:
    """For every crop the fold whose model has not seen its unit.

    Crops of a unit without any label are unseen by all models: they are dealt out evenly.
    """
    by_unit = dict(zip(map(str, split.unit_of), split.fold_of))
    spread = np.arange(len(split.unit_of_pool)) % len(split.folds)
    fold = [by_unit.get(str(name), spread[i]) for i, name in enumerate(split.unit_of_pool)]
    found = np.array(fold, dtype=np.int64)
    found[examples.labelled] = split.fold_of
    return found


def _final_model(examples: Examples, recipe: Recipe, held_out: HeldOut, tell: Tell) -> Model:
    model = fit_model(examples, np.arange(len(examples.labelled)), recipe, tell)
    return with_temperature(model, held_out.temperature)


def _register(
    run: TrainingRun,
    snapshot: LabelSnapshot,
    examples: Examples,
    result: tuple[Model, Recipe, dict[str, Any]],
    held_out: HeldOut,
) -> ModelVersion | None:
    model, recipe, report = result
    path = local_folder(MODELS) / f"run-{run.pk}.safetensors"
    meta = {
        # Else the same answers and recipe would give the same file, and one version would stand for two runs.
        "run": run.pk,
        "recipe": recipe.as_mapping(),
        "preprocessing": _preprocessing(run, examples),
        "snapshot": snapshot.digest,
        "study": run.study.name,
        "channel_names": [channel["name"] for channel in examples.pool.channels],
        "encoder_digest": make_encoder(BASELINE, examples.crops.shape[1]).digest,
    }
    digest = save_model(path, model, meta)
    final = path.with_name(f"{digest}.safetensors")
    path.replace(final)
    keep(MODELS, final)
    _keep_predictions(digest, held_out)
    channels = examples.pool.channels
    return register(run, snapshot, NewModel(digest, recipe.model, examples.classes, channels, report, gate(report)))


def _preprocessing(run: TrainingRun, examples: Examples) -> dict[str, Any]:
    """How crops were cut for training, so that inference cuts them the same way."""
    image = Image.objects.filter(sample__experiment__studies=run.study).order_by("id").first()
    assert image is not None  # a pool with labels has images
    field_um = image.crop_field_px * image.pixel_size_um if image.pixel_size_um else None
    return {"size_px": examples.crops.shape[-1], "field_px": image.crop_field_px, "field_um": field_um}


def _keep_predictions(digest: str, held_out: HeldOut) -> None:
    path = local_folder(PREDICTIONS) / f"{digest}.npz"
    np.savez(
        path,
        model=held_out.model,
        handcrafted=held_out.baseline,
        class_prior=held_out.prior,
        unit=held_out.unit,
    )
    keep(PREDICTIONS, path)
