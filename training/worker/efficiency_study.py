"""The labelled crops of a study that a label-efficiency run may replay: those that no strategy chose."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeling.models import Annotation, Study
from training.learning.efficiency.plan import LabelledPool
from training.learning.simulation import NOT_SURE
from training.learning.splits import Units
from training.services.labels import Standing, class_keys, standing_answers
from training.services.work import Refused
from training.worker.efficiency_manifest import Labelled
from training.worker.pool import Pool, load_pool

# Fewer leave neither a pool that strategies can differ on nor test parts that tell them apart.
FEWEST_CROPS = 100
# Smaller ones may have been answered to their end because the queue liked their crops.
SMALLEST_WHOLE = 10

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Kinds:
    """Which crops of a pool (N,) carry a class or a "not sure" (`usable`), and how they came to be answered."""

    usable: Mask
    stream: Mask
    whole: Mask


def study_pool(study: Study) -> Labelled:
    """The crops of the random stream, or of experiments and fields that were answered whole, whichever are more.

    Refused where most answers were chosen by the queue: replaying strategies on them would favour the one that
    chose them.
    """
    classes = tuple(class_keys(study))
    pool, standing = load_pool(study, study.encoder), standing_answers(study)
    label, kinds = _kinds(pool, standing, _leaning(study))
    by_name = {"stream": kinds.usable & kinds.stream, "whole": kinds.usable & kinds.whole}
    name = max(by_name, key=lambda kind: np.count_nonzero(by_name[kind]))
    rows = np.flatnonzero(by_name[name])
    if len(rows) < FEWEST_CROPS:
        raise Refused(_reason(study, kinds))
    if len(np.unique(label[rows][label[rows] >= 0])) < 2:
        raise Refused(f"These {len(rows)} answers of '{study}' name fewer than two classes: nothing can be compared.")
    unsure = int(np.sum(label[rows] == NOT_SURE))
    source = {"stream": "random checks", "whole": "experiments and fields that were answered whole"}[name]
    about = {
        "study": study.name,
        "encoder": study.encoder,
        "crops": len(rows),
        "source": f"{len(rows)} crops of {source}, {unsure} of them not sure",
        "simulated_study": study.is_simulated,
    }
    data = LabelledPool(np.asarray(pool.features[rows]), label[rows], pool.experiment_index[rows], len(classes))
    return Labelled(data, _units(pool.units, rows), classes, about)


def _kinds(pool: Pool, standing: Standing, leaning: Collection[int]) -> tuple[NDArray[np.int64], Kinds]:
    """Class of every crop of the pool (N,), NOT_SURE where none is named, and the kinds of answers.

    Crops of `leaning` were answered many at once, by accepting a suggestion or in a file: nothing is held to them.
    """
    rows = pool.rows_of(standing.crop_ids)
    inside = rows >= 0
    named = standing.labelled()[inside]
    answered, usable, stream = (np.zeros(len(pool.crop_ids), dtype=bool) for _ in range(3))
    label = np.full(len(pool.crop_ids), NOT_SURE, dtype=np.int64)
    answered[rows[inside]] = True
    independent = ~np.isin(standing.crop_ids[inside], np.fromiter(leaning, np.int64))
    usable[rows[inside]] = independent & (named | (standing.not_sure[inside] > 0))
    stream[rows[inside]] = standing.in_stream[inside]
    label[rows[inside]] = np.where(named, standing.votes[inside].argmax(axis=1), NOT_SURE)
    return label, Kinds(usable, stream, whole_crops(pool.experiment_index, pool.places.image, answered))


def _leaning(study: Study) -> set[int]:
    """Crops with a standing answer that is no independent reading."""
    standing = Annotation.objects.current().included().filter(study=study)
    leaning = standing.exclude(pk__in=standing.independent().values("pk"))
    return set(leaning.values_list("crop_id", flat=True))


def whole_crops(experiment: NDArray[np.integer], image: NDArray[np.str_], answered: Mask) -> Mask:
    """Crops (N,) of experiments and fields of at least ten crops in which every crop was answered."""
    whole = np.zeros(len(answered), dtype=bool)
    for names in (experiment, image):
        member = np.unique(names, return_inverse=True)[1]
        size = np.bincount(member)
        complete = (np.bincount(member, weights=answered) == size) & (size >= SMALLEST_WHOLE)
        whole |= complete[member]
    return whole


def _reason(study: Study, kinds: Kinds) -> str:
    usable = kinds.usable
    total = np.count_nonzero(usable)
    chosen = np.count_nonzero(usable & ~kinds.stream & ~kinds.whole)
    stream, whole = (np.count_nonzero(usable & kind) for kind in (kinds.stream, kinds.whole))
    return (
        f"{chosen} of {total} labelled crops of '{study}' were chosen by the queue; replaying strategies on them "
        f"would favour the one that chose them. {stream} answers of the random stream and {whole} crops of "
        f"experiments or fields that were answered whole stand; at least {FEWEST_CROPS} of one kind are needed. "
        "Answer all crops of an experiment, or let the stream grow."
    )


def _units(units: Units, rows: NDArray[np.int64]) -> Units:
    crop = None if units.crop is None else units.crop[rows]
    return Units(units.experiment[rows], units.subject[rows], units.sample[rows], units.field[rows], crop)
