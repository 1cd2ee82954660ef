"""The queue of a study as rows: what the ranking asks first, further reads between, crops that are held last."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, compress, islice

import numpy as np
from django.utils import timezone

from labeling.models import Lease, RequestedCrop, Study
from labeling.services.queue import NewEntry
from labeling.services.reads import MORE_LIKE_THIS
from training.learning.ranking import Ranking
from training.services.labels import FURTHER_READS, Standing
from training.worker.pool import Ids, RankingPool

# Only the head of a queue is ever asked: the next answer makes it anew.
QUEUE_LENGTH = 1000
# Every third place of the queue goes to further reads while some wait, so that agreement grows with the labels.
FURTHER_READ_EVERY = 3


@dataclass(frozen=True, slots=True)
class Held:
    """Crops that are spoken for: somebody looks at them now, or asked to read them next."""

    leases: tuple[Lease, ...]
    requested: tuple[int, ...]

    @property
    def crop_ids(self) -> tuple[int, ...]:
        """Numbers of these crops; their neighbourhood counts as covered."""
        return (*(lease.crop_id for lease in self.leases), *self.requested)


def held_crops(study: Study) -> Held:
    """What is held in the study now."""
    leases = Lease.objects.filter(study=study, expires_at__gt=timezone.now()).order_by("-id")
    requested = RequestedCrop.objects.filter(study=study).order_by("id").values_list("crop_id", flat=True)
    return Held(tuple(leases), tuple(requested))


def entries(pool: RankingPool, ranking: Ranking, standing: Standing, held: Held) -> list[NewEntry]:
    """The queue, first to be asked first, at most 1,000 long."""
    fresh = chain(_ranked(pool, ranking), _held(pool, standing, held))
    return list(islice(_interleaved(further_reads(pool, standing), fresh), QUEUE_LENGTH))


def further_reads(pool: RankingPool, standing: Standing) -> list[NewEntry]:
    """Crops that were read but need one more reader; who read them already is sorted out when they are served.

    Where several copies of a crop were read none waits: its next reader might be one who has read the other.
    """
    places = pool.rows_of(standing.crop_ids)
    waits = np.flatnonzero((standing.further_read > 0) & (places >= 0) & ~_read_as_copies(places))
    return [
        NewEntry(int(standing.crop_ids[row]), 1.0, FURTHER_READS[standing.further_read[row]], None)
        for row in waits[:QUEUE_LENGTH]
    ]


def _read_as_copies(places: Ids) -> np.typing.NDArray[np.bool_]:
    _, inverse, count = np.unique(places, return_inverse=True, return_counts=True)
    return np.asarray(count[inverse] > 1)


def _ranked(pool: RankingPool, ranking: Ranking) -> Iterator[NewEntry]:
    for place, score, why, probability in zip(
        ranking.order, ranking.queue_score, ranking.why, ranking.probability, strict=True
    ):
        drawn = float(probability) if np.isfinite(probability) else None
        yield NewEntry(int(pool.crop_ids[place]), float(score), why, drawn)


def _held(pool: RankingPool, standing: Standing, held: Held) -> list[NewEntry]:
    """Held crops last: a lease that ends unanswered, or a wish that is never fulfilled, must strand no crop."""
    if not held.crop_ids:
        return []
    found = {crop: NewEntry(crop, 0.0, MORE_LIKE_THIS, None) for crop in held.requested}
    found |= {lease.crop_id: NewEntry(lease.crop_id, 0.0, lease.why, lease.probability) for lease in held.leases}
    places = pool.rows_of(list(found))
    open_ones = (places >= 0) & ~np.isin(places, pool.rows_of(standing.crop_ids))
    return list(compress(found.values(), open_ones))


def _interleaved(further: list[NewEntry], fresh: Iterator[NewEntry]) -> Iterator[NewEntry]:
    for entry in further:
        yield entry
        yield from islice(fresh, FURTHER_READ_EVERY - 1)
    yield from fresh
