"""What a training run learns from: the labelled crops of a study as arrays, frozen in a snapshot."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.digest import mapping_digest
from labeling.models import Study
from labeling.services.reads import Read, decision_of, independent, reads_of, reopened_after
from training.learning.splits import Split, SplitRules, choose_split
from training.models import LabelSnapshot
from training.services.labels import class_keys, standing_answers
from training.services.work import Refused
from training.worker.pixels import Crops, PoolPixels, pool_pixels
from training.worker.pool import Pool, load_pool


@dataclass(frozen=True, slots=True)
class Examples:
    """The pool of a study and the labels it carries.

    `labelled` (n,) are rows of the pool, `shares` (n, classes) their vote shares, `crops` (n, channel, s, s) their
    pixels, scaled to [0, 1]. The pixels of the whole pool stay in their files and are read through `pixels`.
    `truth` (n, classes) are the shares among independent reads alone, or the class that a lead decided on them, rows
    of zeros where there is none; all reads where it is left out.
    """

    pool: Pool
    pixels: PoolPixels
    crops: Crops
    classes: list[str]
    labelled: NDArray[np.int64]
    shares: NDArray[np.float64]
    in_stream: NDArray[np.bool_]
    newest: int
    truth: NDArray[np.float64] | None = None

    @property
    def held_to(self) -> NDArray[np.float64]:
        """What a held-out prediction is held to (n, classes): never bulk, suggested or imported answers."""
        return self.shares if self.truth is None else self.truth

    @property
    def tested(self) -> NDArray[np.bool_]:
        """Which of the labelled crops (n,) a model may be judged on."""
        return np.asarray(self.held_to.sum(axis=1) > 0)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class index of each labelled crop: the class that most reads name, the first one in a tie."""
        return np.asarray(self.shares.argmax(axis=1), dtype=np.int64)


def load_examples(study: Study) -> Examples:
    """The study's pool and labels; Refused, with the way out, where nothing can be learned from them."""
    classes = class_keys(study)
    if len(classes) < 2:
        raise Refused(f"Study '{study}' has {len(classes)} classes: a model needs two or more.")
    pool = load_pool(study, "handcrafted")
    standing = standing_answers(study)
    places = pool.rows_of(standing.crop_ids)
    kept = standing.labelled() & (places >= 0)
    shares = _shares(standing.votes[kept])
    present = int((shares.sum(axis=0) > 0).sum())
    if present < 2:
        raise Refused(
            f"The answers of '{study}' name {present} of its classes: label crops of at least two before training."
        )
    pixels = pool_pixels(study)
    return Examples(
        pool=pool,
        pixels=pixels,
        crops=pixels.take(places[kept]),
        classes=classes,
        labelled=places[kept],
        shares=shares,
        in_stream=standing.in_stream[kept],
        newest=standing.newest,
        truth=_truth(study, classes, standing.crop_ids[kept]),
    )


def _shares(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(votes / np.maximum(votes.sum(axis=1, keepdims=True), 1))


def _truth(study: Study, classes: list[str], crop_ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shares (n, classes) among independent reads of the crops, or what a lead decided on them.

    Refused where they name fewer than two classes.
    """
    places = {key: place for place, key in enumerate(classes)}
    rows = {int(crop): row for row, crop in enumerate(crop_ids)}
    votes = np.zeros((len(crop_ids), len(classes)))
    reopened = reopened_after(study)
    for crop, reads in reads_of(study).items():
        for read in _judging(reads, reopened.get(crop)):
            if crop in rows and read.label in places:
                votes[rows[crop], places[read.label]] += 1
    named = int((votes.sum(axis=0) > 0).sum())
    if named < 2:
        raise Refused(
            f"The crops of '{study}' that were read one by one name {named} of its classes: a model is judged on "
            "those alone, so read crops of at least two classes in the reading room."
        )
    return _shares(votes)


def _judging(reads: list[Read], reopened_at: int | None) -> list[Read]:
    """What tells the class that a model is held to: the independent reads, or what a lead decided on them."""
    alone = independent(reads)
    decision = decision_of(reads, reopened_at)
    return [decision] if alone and decision is not None else alone


def split_of(study: Study, examples: Examples) -> Split:
    """How the labelled crops are held out, in units of the whole pool; Refused where even folds of crops are
    impossible."""
    rules = SplitRules(classes=tuple(examples.classes))
    try:
        return choose_split(examples.pool.units, examples.labels, rules, examples.labelled)
    except ValueError as error:
        raise Refused(f"Study '{study}': {error}.") from error


def freeze(study: Study, examples: Examples, split: Split) -> LabelSnapshot:
    """The snapshot of these labels and their split; the same content is the same row."""
    keys = [examples.pool.crop_keys[row] for row in examples.labelled]
    order = np.argsort(np.array(keys, dtype=np.str_), kind="stable")
    content = [
        [keys[i], int(examples.labels[i]), [round(float(share), 6) for share in examples.shares[i]]] for i in order
    ]
    described: dict[str, Any] = {
        "level": split.level,
        "why": split.why,
        "folds": [int(split.fold_of[i]) for i in order],
    }
    digest = mapping_digest({"classes": examples.classes, "content": content, "split": described})
    snapshot, _ = LabelSnapshot.objects.get_or_create(
        study=study,
        digest=digest,
        defaults={
            "classes": examples.classes,
            "content": content,
            "split": described,
            "last_annotation": examples.newest,
        },
    )
    return snapshot
