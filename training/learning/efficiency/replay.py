"""Replays labelling: one arm with one seed on one fold, crop by crop, and what its head says of the test part."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.learning.acquisition.scores import Probabilities
from training.learning.efficiency.plan import RANDOM, Arm, EfficiencyPlan, Index, LabelledPool
from training.learning.head import Array, HeadSettings, fit_head, logits, standardise
from training.learning.ranking import Answers, PoolRanker
from training.learning.simulation import NOT_SURE


@dataclass(frozen=True, slots=True)
class Run:
    """One arm with one seed on one fold."""

    arm: Arm
    seed: int
    fold: int


@dataclass(frozen=True, slots=True)
class Replay:
    """What a run found. predicted (points, tested crops): classes by the head after each point's queries;
    not_sure (points,): answers "not sure" among them; asked (queries,): crops in the order they were asked."""

    predicted: NDArray[np.int16]
    not_sure: Index
    asked: Index


class Notes:
    """The answers given so far: a class per crop, and the crops that were "not sure" with their two likeliest."""

    def __init__(self, classes: int, soft: bool) -> None:
        self._rows = np.eye(classes)
        self._soft = soft
        self._named: dict[int, Array] = {}
        self.unsure: list[int] = []

    def add(self, crop: int, label: int, probabilities: Probabilities | None) -> None:
        """Note an answer; probabilities (K,) are those of the head that asked, where there was one."""
        if label != NOT_SURE:
            self._named[crop] = self._rows[label]
            return
        self.unsure.append(crop)
        if self._soft and probabilities is not None and len(probabilities) > 1:
            self._named[crop] = self._rows[np.argsort(probabilities)[-2:]].mean(axis=0)

    def answers(self) -> Answers:
        """What the head learns from."""
        crops = np.fromiter(self._named, dtype=np.int64, count=len(self._named))
        targets = np.stack(list(self._named.values())) if self._named else np.empty((0, len(self._rows)))
        return Answers(crops, targets, np.ones(len(crops)))


def asked_crops(run: Run, plan: EfficiencyPlan, pool: LabelledPool, count: int) -> Iterator[tuple[int, Notes]]:
    """Each of the first `count` crops asked, with the notes after its answer; every answer is ranked anew."""
    seed = run.seed + run.arm.seed_shift
    notes = Notes(pool.classes, run.arm.soft_not_sure)
    everything = np.ones(len(pool.labels), dtype=bool)
    if run.arm.ranking.strategy == RANDOM:
        # Answers do not change a random order, so the whole of it is drawn at once.
        settings = replace(run.arm.ranking, seed=seed, queue_length=count)
        order = PoolRanker(pool.embeddings, pool.experiment, settings).rank(notes.answers(), everything).order
        for crop in order.tolist():
            notes.add(crop, _answer(plan, pool, crop), None)
            yield crop, notes
        return
    # As in the running site: ridge and temperature are tuned where experiments can be held out.
    tuned = len(np.unique(pool.experiment)) >= 2
    settings = replace(run.arm.ranking, seed=seed, queue_length=1, tuned=tuned)
    ranker = PoolRanker(pool.embeddings, pool.experiment, settings)
    for _ in range(count):
        ranking = ranker.rank(notes.answers(), everything, np.array(notes.unsure, dtype=np.int64))
        crop = int(ranking.order[0])
        known = None if ranking.probabilities is None else ranking.probabilities[crop]
        notes.add(crop, _answer(plan, pool, crop), known)
        yield crop, notes


def _answer(plan: EfficiencyPlan, pool: LabelledPool, crop: int) -> int:
    """What is said to a crop: the real "not sure" where it stands, else what the simulated annotator says."""
    label = int(pool.labels[crop])
    if label < 0:
        return NOT_SURE
    distance = None if pool.distance is None else float(pool.distance[crop])
    number = crop if pool.rows is None else int(pool.rows[crop])
    return plan.annotator.answer_crop(str(number), label, distance, pool.classes)


def replay(
    run: Run, plan: EfficiencyPlan, data: LabelledPool, fold: tuple[Index, Index], points: list[int]
) -> Replay:
    """The run's predictions for the test rows of the fold at each of the points.

    Every arm is judged by the same head; only the pool's rows are ranked, standardised and asked about.
    """
    train, test = fold
    pool, norm = data.part(train), standardise(data.embeddings[train])
    asked, predicted, unsure = [], [], []
    for crop, notes in asked_crops(run, plan, pool, points[-1]):
        asked.append(int(train[crop]))
        if len(asked) in points:
            answers = notes.answers()
            head = fit_head(pool.embeddings[answers.crop_index], answers.targets, None, plan.ranking.head, None, norm)
            predicted.append(logits(head, data.embeddings[test]).argmax(axis=1))
            unsure.append(len(notes.unsure))
    return Replay(np.array(predicted, dtype=np.int16), np.array(unsure, dtype=np.int64), np.array(asked))


def full_pool_predictions(data: LabelledPool, fold: tuple[Index, Index], settings: HeadSettings) -> NDArray[np.int16]:
    """Classes (1, tested crops) by the head that learns from every label of the pool: what the labels can give."""
    train, test = fold
    named = train[data.labels[train] >= 0]
    targets = np.eye(data.classes)[data.labels[named]]
    head = fit_head(data.embeddings[named], targets, None, settings, None, standardise(data.embeddings[train]))
    return np.asarray(logits(head, data.embeddings[test]).argmax(axis=1)[None], dtype=np.int16)
