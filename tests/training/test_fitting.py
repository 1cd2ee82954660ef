"""Held-out predictions: no crop is ever predicted by a model that saw its unit."""

from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.models import Crop
from imaging.pixels.normalise import scale_crops
from imaging.services.storage import shard
from labeling.models import Annotation
from labeling.services.bulk import BulkItem, BulkStep, submit_bulk
from labeling.services.decisions import decide
from labeling.services.imports.store import take
from tests.factories import add_reader, answer, answer_all, crops_of, kind_of, submission
from tests.labeling.exchange_files import csv_upload
from tests.training.conftest import Bench
from training.learning.evaluate import evaluate
from training.learning.leakage import Places
from training.learning.recipe import Recipe
from training.learning.splits import SplitRules, Units, choose_split, unit_names
from training.services.layout import layout_of, windows_of
from training.services.work import Refused
from training.worker import fitting
from training.worker import pixels as pixels_module
from training.worker.examples import Examples, load_examples, split_of
from training.worker.pixels import pool_pixels
from training.worker.pool import Pool, load_pool

QUICK = Recipe.from_mapping({"model": "handcrafted"})


def pool_of(units: Units) -> Pool:
    n = len(units.experiment)
    places = Places(np.full(n, "image"), np.zeros((n, 2)), 1.0)
    keys = units.crop if units.crop is not None else np.arange(n).astype(np.str_)
    features = np.random.default_rng(0).normal(size=(n, 3)).astype(np.float32)
    return Pool(np.arange(n), tuple(map(str, keys)), features, np.zeros(n, np.int64), units, places, [])


def examples_of(units: Units, labelled: np.ndarray, labels: np.ndarray) -> Examples:
    crops: Any = np.zeros((len(labelled), 1, 4, 4), np.float32)
    shares = np.eye(2)[labels]
    pixels: Any = None
    return Examples(
        pool_of(units), pixels, crops, ["disc", "ring"], labelled, shares, np.zeros(len(labelled), bool), 0
    )


def three_experiments(level: str) -> tuple[Units, np.ndarray]:
    """20 labelled crops each; one more each without a label, by which the first two belong together."""
    experiment = np.repeat(["e1", "e2", "e3"], 21)
    subject, crop = np.full(63, "", dtype="<U8"), np.arange(63).astype("<U8")
    if level == "experiment":
        subject[[20, 41]] = "shared"
    else:
        experiment, crop[21:42] = np.repeat(["e1", "e2", "e1"], 21), crop[:21]
    blank = np.full(63, "")
    return Units(experiment, subject, blank, blank, crop), np.setdiff1d(np.arange(63), [20, 41, 62])


class Remembering:
    """Stands for a model: remembers the rows it was trained on and checks those that it predicts."""

    def __init__(self, unit: np.ndarray) -> None:
        self.unit, self.checked = unit, 0

    def fit(self, examples: Examples, train_rows: np.ndarray, *_: object) -> set[str]:
        return set(self.unit[examples.labelled[train_rows]])

    def logits(self, seen: set[str], examples: Examples, rows: np.ndarray, *_: object) -> Any:
        assert not seen & set(self.unit[rows])
        self.checked += len(rows)
        yield rows, np.zeros((len(rows), 2))


def check(examples: Examples) -> str:
    """Level of the split, once every prediction was found to be held out."""
    split = choose_split(examples.pool.units, examples.labels, SplitRules(), examples.labelled)
    fake = Remembering(unit_names(examples.pool.units, split.level))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "fit_model", fake.fit)
        patch.setattr(fitting, "_logits", fake.logits)
        held_out = fitting.hold_out(examples, split, QUICK, lambda *_: None)
    assert fake.checked == len(examples.pool.crop_ids)
    assert np.array_equal(held_out.fold[examples.labelled], split.fold_of)
    assert (held_out.prior == held_out.prior[0]).all()
    return split.level


@pytest.mark.parametrize("level", ["experiment", "crop"])
def test_crops_without_a_label_join_the_units_of_the_labelled_ones(level: str) -> None:
    units, labelled = three_experiments(level)
    assert check(examples_of(units, labelled, labelled % 21 % 2)) == level


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.booleans(), st.booleans())
def test_no_crop_is_predicted_by_a_model_that_saw_its_unit(
    seed: int, experiments: int, with_subjects: bool, copied: bool
) -> None:
    rng = np.random.default_rng(seed)
    n, blank = 160, np.full(160, "")
    names = rng.integers(0, experiments, n).astype(np.str_)
    subject = np.where(rng.random(n) < 0.2, rng.integers(0, 8, n).astype(np.str_), "") if with_subjects else blank
    crop = rng.integers(0, 120, n).astype(np.str_) if copied else np.arange(n).astype(np.str_)
    labelled = np.sort(rng.choice(n, 90, replace=False))
    # Copies of a crop get one label, so that enough of both classes stand for their group.
    labels = crop[labelled].astype(np.int64) % 2
    check(examples_of(Units(names, subject, blank, blank, crop), labelled, labels))


def test_the_pixels_of_a_pool_are_those_of_its_crops_in_any_order(bench: Bench) -> None:
    pixels, pool = pool_pixels(bench.study), load_pool(bench.study, "handcrafted")
    assert len(pixels.row) == len(pool.crop_ids)
    whole = np.concatenate(
        [
            scale_crops(shard(crop.shard)[[crop.row]], windows_of(layout_of(experiment)))
            for experiment in bench.study.experiments.order_by("name")
            for crop in crops_of(experiment)
        ]
    )
    rows = np.random.default_rng(0).permutation(len(whole))
    assert np.array_equal(pixels.take(rows), whole[rows])


def test_the_pool_is_read_in_chunks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels_module, "CHUNK", 10)
    parts = list(pool_pixels(bench.study).chunks(np.arange(24)))
    assert [len(crops) for _, crops in parts] == [10, 10, 4]
    assert np.concatenate([rows for rows, _ in parts]).tolist() == list(range(24))


def test_a_network_predicts_the_whole_pool_in_chunks_and_tells_of_each(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels_module, "CHUNK", 5)
    answer_all(bench.study, bench.bob, bench.crops[4:44])
    examples, told = load_examples(bench.study), []
    assert len(examples.crops) == 40
    tiny = Recipe.from_mapping({"epochs": 1, "min_steps": 1, "width": 4, "crop_px": 16})
    split = split_of(bench.study, examples)
    held_out = fitting.hold_out(examples, split, tiny, lambda *given: told.append(given[2]))
    assert np.allclose(held_out.model.sum(axis=1), 1.0) and len(held_out.model) == 48
    assert sum("predicted" in text for text in told) >= 48 // 5
    report = fitting.report_of(examples, split, held_out, tiny)
    prior = evaluate(held_out.prior[examples.labelled], examples.labels, held_out.unit[examples.labelled], "ab")
    assert prior["balanced_accuracy"]["value"] == pytest.approx(0.5)
    assert report["n"] == 40


def test_what_was_answered_in_bulk_teaches_and_does_not_test(bench: Bench) -> None:
    """Bulk answers that say the opposite of what is seen change the model and no truth that it is held to."""
    answer_all(bench.study, bench.bob, bench.crops[:36])
    before = load_examples(bench.study)
    wrong = [crop for crop in bench.crops[36:] if kind_of(crop) == "disc"]
    items = tuple(BulkItem(uuid4(), crop.pk) for crop in wrong)
    submit_bulk(bench.study, bench.bob, BulkStep("label", timezone.now(), items, ("ring",)))
    examples = load_examples(bench.study)
    split = split_of(bench.study, examples)
    assert len(examples.labelled) == len(before.labelled) + len(wrong)
    assert examples.tested.sum() == len(before.labelled)
    assert (examples.held_to[examples.tested] == before.shares).all()
    held_out = fitting.hold_out(examples, split, QUICK, lambda part, done, text: None)
    report = fitting.report_of(examples, split, held_out, QUICK)
    assert report["n"] == report["labels"]["crops"] == len(before.labelled)
    assert report["labels"]["only_trained_on"] == len(wrong)


def test_labels_out_of_a_file_teach_and_do_not_test(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:36])
    before = load_examples(bench.study)
    lines = [f"{crop.image.sample.experiment.name}/field.tif,{crop.x},{crop.y},disc" for crop in bench.crops[30:]]
    take(bench.study, csv_upload("image,x,y,class", *lines), bench.alice)
    examples = load_examples(bench.study)
    assert len(examples.labelled) == len(bench.crops)
    assert (examples.held_to[examples.tested] == before.shares).all()


def test_a_study_that_was_answered_in_bulk_alone_is_not_judged(bench: Bench) -> None:
    for label, crops in (("disc", bench.crops[:12]), ("ring", bench.crops[12:24])):
        items = tuple(BulkItem(uuid4(), crop.pk) for crop in crops)
        submit_bulk(bench.study, bench.bob, BulkStep("label", timezone.now(), items, (label,)))
    with pytest.raises(Refused, match="one by one"):
        load_examples(bench.study)


def test_a_model_is_held_to_what_a_lead_decided_and_only_where_somebody_read_alone(bench: Bench) -> None:
    """Two against one call a disc a ring; the lead knows better. Of another crop all reads are answers to many."""
    answer_all(bench.study, bench.bob, bench.crops)
    disc, bulk = (next(crop for crop in bench.crops[start:] if kind_of(crop) == "disc") for start in (0, 24))
    for name in ("carol", "dave"):
        for crop in (disc, bulk):
            answer(bench.study, add_reader(bench.study, f"{name} {crop.pk}"), crop, "ring")
    Annotation.objects.filter(crop=bulk).update(is_bulk=True)
    for crop in (disc, bulk):
        assert told(bench, crop)[0] == "ring"
        decide(bench.study, bench.alice, submission(crop, "disc"))
    assert [told(bench, crop) for crop in (disc, bulk)] == [("disc", [1.0, 0.0]), ("disc", [0.0, 0.0])]


def told(bench: Bench, crop: Crop) -> tuple[str, list[float]]:
    """What a model learns of a crop, and what it is held to (disc, ring)."""
    examples = load_examples(bench.study)
    keys = [examples.pool.crop_keys[row] for row in examples.labelled]
    row = keys.index(crop.key)
    return examples.classes[examples.labels[row]], examples.held_to[row].tolist()
