"""Find more like this: the crops of a study's pool that look most like one of them."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Crop
from labeling.models import Annotation, Study
from training.learning.similar import Distances, nearest_first, standardised_distance
from training.services.work import Refused
from training.worker.page_pool import PagePool, page_pool

SHOWN = 50
# A page is filtered and sent back several times for the same crop.
KEPT_DISTANCES = 8


@dataclass(frozen=True, slots=True)
class Wish:
    """Which crops are looked for: without answers (of the user `by` where given), of the crop's own experiment."""

    unanswered: bool = False
    same_experiment: bool = False
    by: Any = None


@dataclass(frozen=True, slots=True)
class Similar:
    """A crop and how far it lies from the one that was asked about, in standard deviations of the pool per column."""

    crop_id: int
    distance: float


def similar_crops(study: Study, crop: Crop, wish: Wish, count: int = SHOWN) -> list[Similar]:
    """At most `count` crops of the pool, nearest first, ties by number, without the crop itself.

    Refused where the pool has no embeddings yet or the crop is not in it.
    """
    known, place, distance = _looked_up(study, crop)
    pool = known.pool
    allowed = np.ones(len(distance), dtype=bool)
    allowed[place] = False
    if wish.same_experiment:
        allowed &= pool.experiment_index == pool.experiment_index[place]
    if wish.unanswered:
        places = pool.rows_of(_answered(study, wish.by))
        allowed[places[places >= 0]] = False
    nearest = nearest_first(distance, pool.crop_ids, count, allowed)
    return [Similar(int(pool.crop_ids[at]), float(distance[at])) for at in nearest]


def distances_to(study: Study, crop: Crop) -> tuple[NDArray[np.int64], Distances]:
    """Numbers of all crops of the pool (n,) and how far each lies from this one (n,); Refused as above."""
    known, _, distance = _looked_up(study, crop)
    return known.pool.crop_ids, distance


def _looked_up(study: Study, crop: Crop) -> tuple[PagePool, int, Distances]:
    known = page_pool(study)
    place = int(known.pool.rows_of([crop.pk])[0])
    if place < 0:
        raise Refused("This crop is not in the pool: quality control rejected its image, or it has no embedding yet.")
    return known, place, _distances(known, place)


def _answered(study: Study, by: Any) -> list[int]:
    standing = Annotation.objects.counted().filter(study=study)
    if by is not None:
        standing = standing.filter(annotator=by)
    return list(standing.values_list("crop_id", flat=True))


@lru_cache(maxsize=KEPT_DISTANCES)
def _distances(known: PagePool, place: int) -> Distances:
    features = known.pool.features
    return standardised_distance(features, features[place], known.norm)
