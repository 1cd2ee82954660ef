"""Reads what the report of a random stream is computed from: answers, settled stream crops, embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from django.db.models import Min
from numpy.typing import NDArray

from imaging.models import Crop
from imaging.pixels.digest import array_digest, mapping_digest
from labeling.models import Annotation, Study
from labeling.services.stream import State, StreamCrop, stream_crops
from training.learning.head import design
from training.learning.ranking import RankingSettings
from training.learning.stream import StreamData, StreamPlan
from training.models import Ranking
from training.services.embedding import AT_ONCE
from training.services.labels import Standing, class_keys, standing_answers
from training.worker.embedding import compute
from training.worker.page_pool import page_pool

# Raised whenever the same answers would give other figures.
VERSION = 1
AT_A_TIME = 500
SETTLED = (State.AGREE, State.DECIDED)
# Not settled yet, but read: left out, only the easy crops would be tested.
PROVISIONAL = (State.ONE_READ, State.WAITING)

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything that a report says is computed from this; `digest` names it.

    `data`: the answered crops that are in the pool, in the order of answering; `doubt` (n,) the share of "not sure"
    among the reads of each that are about the class. `crops`: the stream, crop by crop. `experiments`: names by
    number. `queue_asked`, `queue_taught`, `queue_reads`: crops that the queue chose, those of them that name a class,
    and their reads.
    """

    data: StreamData
    doubt: Floats
    plan: StreamPlan
    crops: Sequence[StreamCrop]
    experiments: tuple[str, ...]
    queue_asked: int
    queue_unsure: int
    queue_taught: int
    queue_reads: int
    newest: int
    digest: str


def gather(study: Study) -> Gathered:
    """What stands now; Refused where the pool has no embeddings."""
    standing, crops = standing_answers(study), stream_crops(study)
    if study.encoder == AT_ONCE:
        for experiment in study.experiments.order_by("name"):
            compute(experiment, study.encoder)
    known = page_pool(study)
    pool = known.pool
    order = _in_order(study, standing)
    places = pool.rows_of(standing.crop_ids[order])
    order, places = order[places >= 0], places[places >= 0]
    ids = standing.crop_ids[order]
    rows = pool.features[places].astype(np.float64)
    truth, weight = _truth(study, standing, crops)
    experiment = pool.experiment_index[places]
    data = StreamData(
        phi=design(rows, known.norm.mean, known.norm.scale),
        targets=_shares(standing)[order],
        in_stream=standing.in_stream[order],
        truth=truth[order],
        weight=_filled(weight[order], experiment),
        experiment=experiment,
        group=_fields(ids),
        stream_trains=study.stream_in_training,
    )
    told = np.maximum(standing.reads - standing.bad, 1)[order]
    doubt = np.where(standing.bad[order] > 0, 0.0, standing.not_sure[order] / told)
    plan, chosen = _plan(study), ~standing.in_stream
    return Gathered(
        data=data,
        doubt=doubt,
        plan=plan,
        crops=crops,
        experiments=tuple(study.experiments.order_by("name").values_list("name", flat=True)),
        queue_asked=int(chosen.sum()),
        queue_unsure=int((chosen & (standing.not_sure > 0)).sum()),
        queue_taught=int((chosen & standing.labelled()).sum()),
        queue_reads=int(standing.reads[chosen].sum()),
        newest=standing.newest,
        digest=_digest(data, doubt, plan, crops),
    )


def _in_order(study: Study, standing: Standing) -> Ids:
    """Rows of the answers by the number of the first answer that their crop was ever given."""
    given = Annotation.objects.filter(study=study).exclude(answer=Annotation.Answer.WITHDRAWN)
    first = dict(given.order_by().values("crop").annotate(first=Min("id")).values_list("crop", "first"))
    return np.argsort([first[int(crop)] for crop in standing.crop_ids], kind="stable").astype(np.int64)


def _shares(standing: Standing) -> Floats:
    """Vote shares (crops, classes); rows of zeros where no class stands."""
    total = standing.votes.sum(axis=1, keepdims=True)
    shares = np.divide(standing.votes, total, out=np.zeros_like(standing.votes), where=total > 0)
    return np.where(standing.labelled()[:, None], shares, 0.0)


def _truth(study: Study, standing: Standing, crops: Sequence[StreamCrop]) -> tuple[Floats, Floats]:
    """What is right for each stream crop (crops, classes), and one over its probability of being drawn (crops,).

    A settled crop has its class; one that waits for a further read has the shares of the votes so far.
    """
    classes = {key: place for place, key in enumerate(class_keys(study))}
    row_of = {int(crop): row for row, crop in enumerate(standing.crop_ids)}
    truth, weight = np.zeros_like(standing.votes), np.full(len(standing.crop_ids), np.nan)
    for crop in crops:
        row = row_of.get(crop.crop_id)
        if row is None:
            continue
        weight[row] = 1 / crop.probability if crop.probability else np.nan
        if crop.state in SETTLED and crop.label in classes:
            truth[row, classes[crop.label]] = 1.0
        elif crop.state in PROVISIONAL:
            truth[row] = _shares_of(crop, classes)
    return truth, weight


def _shares_of(crop: StreamCrop, classes: Mapping[str, int]) -> Floats:
    """Shares of the classes (classes,) among the reads of a random check so far; zeros where none is named."""
    named = [classes[read.label] for read in crop.reads if read.label in classes]
    return np.bincount(named, minlength=len(classes)) / max(len(named), 1)


def _filled(weight: Floats, experiment: Ids) -> Floats:
    """Weights with 1 on average; where a probability is not known, the mean of its experiment, else of all."""
    known = np.isfinite(weight)
    if not known.any():
        return np.ones(len(weight))
    filled = np.where(known, weight, weight[known].mean())
    for number in np.unique(experiment[~known]):
        inside = experiment == number
        if (inside & known).any():
            filled[inside & ~known] = weight[inside & known].mean()
    return np.asarray(filled / weight[known].mean())


def _fields(ids: Ids) -> Ids:
    """Number of the picture of each crop (n,); copies of a picture, in two experiments say, have the same."""
    picture: dict[int, str] = {}
    for start in range(0, len(ids), AT_A_TIME):
        part = [int(crop) for crop in ids[start : start + AT_A_TIME]]
        picture |= dict(Crop.objects.filter(pk__in=part).values_list("pk", "image__sha256"))
    return np.unique([picture[int(crop)] for crop in ids], return_inverse=True)[1].astype(np.int64)


def _plan(study: Study) -> StreamPlan:
    """The plan with the ridge that the newest ranking tuned, so that the judged head is the one in use."""
    plan = StreamPlan(seed=study.seed)
    found = Ranking.objects.filter(study=study).order_by("-id").values_list("parameters", flat=True).first() or {}
    ridge = found.get("ridge", RankingSettings().head.ridge)
    return replace(plan, head=replace(plan.head, ridge=ridge))


def _digest(data: StreamData, doubt: Floats, plan: StreamPlan, crops: Sequence[StreamCrop]) -> str:
    arrays: dict[str, Any] = {
        "phi": data.phi,
        "targets": data.targets,
        "in_stream": data.in_stream,
        "truth": data.truth,
        "weight": data.weight,
        "experiment": data.experiment,
        "group": data.group,
        "doubt": doubt,
    }
    states = [[crop.crop_key, str(crop.state), crop.label, len(crop.reads)] for crop in crops]
    settings = {"ridge": plan.head.ridge, "seed": plan.seed, "stream_trains": data.stream_trains}
    named = {name: array_digest(array) for name, array in arrays.items()}
    return mapping_digest({"version": VERSION, "stream": states, "settings": settings, **named})
