"""The queue of a study as rows: what the ranking asks first, further reads between, crops that are held last."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain, compress, islice, pairwise, zip_longest

import numpy as np
from django.utils import timezone
from numpy.typing import NDArray

from labeling.models import Lease, RequestedCrop, Study
from labeling.services.queue import NewEntry
from labeling.services.reads import EASY, MORE_LIKE_THIS, STREAM
from training.learning.ranking import Ranking
from training.services.labels import FURTHER_READS, PLANNED, Standing
from training.worker.pool import Ids, RankingPool

# Only the head of a queue is ever asked: the next answer makes it anew.
QUEUE_LENGTH = 1000
# Every third place of the queue goes to further reads while some wait, so that agreement grows with the labels.
FURTHER_READ_EVERY = 3
# So many crops of which the head is sure end the queue, for readers who want some that are no effort.
EASY_CROPS = 50
EASY_FROM = 0.9


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
    """The queue, first to be asked first, at most 1,000 long.

    Crops that are read again only because every crop is read so often come after all first reads; easy ones last.
    """
    rows = easy_rows(pool, ranking, pool.rows_of([*standing.crop_ids, *held.crop_ids]))
    easy = [_entry(pool, ranking, row, 0.0, EASY) for row in rows]
    fresh = chain(_ranked(pool, ranking, set(rows)), _held(pool, standing, held))
    urgent, planned = (further_reads(pool, ranking, standing, later=later) for later in (False, True))
    return [*islice(chain(_interleaved(urgent, fresh), planned), QUEUE_LENGTH - len(easy)), *easy]


def further_reads(pool: RankingPool, ranking: Ranking, standing: Standing, *, later: bool) -> list[NewEntry]:
    """Crops that were read but need one more reader; who read them already is sorted out when they are served.

    `later`: those that wait until every crop was read once, else the others. Where several copies of a crop were
    read none waits: its next reader might be one who has read the other.
    """
    places = pool.rows_of(standing.crop_ids)
    waits = (standing.further_read > 0) & ((standing.further_read == PLANNED) == later)
    waits &= (places >= 0) & ~_read_as_copies(places)
    return [
        NewEntry(
            int(standing.crop_ids[row]),
            0.0 if later else 1.0,
            FURTHER_READS[standing.further_read[row]],
            None,
            _expected_not_sure(ranking, int(places[row])),
        )
        for row in np.flatnonzero(waits)[:QUEUE_LENGTH]
    ]


def easy_rows(pool: RankingPool, ranking: Ranking, taken: Ids) -> list[int]:
    """Rows of up to 50 crops whose likeliest class is nearly certain, from all experiments in turn, surest first.

    None of `taken`, which were read or are held, and none that the random stream drew. None at all before two
    classes were answered. A quarter of the open crops at most, so that a small pool is not easy as a whole.
    """
    if ranking.probabilities is None:
        return []
    sure = ranking.probabilities.max(axis=1)
    sure[taken[taken >= 0]] = 0.0
    room = min(EASY_CROPS, np.count_nonzero(sure) // 4)
    sure[[row for row, why in zip(ranking.order, ranking.why, strict=True) if why == STREAM]] = 0.0
    ends = np.flatnonzero(np.diff(pool.experiment_index, append=-1)) + 1
    surest = [_surest(sure, start, end, room) for start, end in pairwise([0, *ends.tolist()])]
    in_turn = chain.from_iterable(zip_longest(*surest))
    return list(islice((row for row in in_turn if row is not None), room))


def _surest(sure: NDArray[np.float32], start: int, end: int, count: int) -> list[int]:
    rows = start + np.flatnonzero(sure[start:end] >= EASY_FROM)
    first: list[int] = rows[np.argsort(-sure[rows], kind="stable")[:count]].tolist()
    return first


def _read_as_copies(places: Ids) -> NDArray[np.bool_]:
    _, inverse, count = np.unique(places, return_inverse=True, return_counts=True)
    return np.asarray(count[inverse] > 1)


def _ranked(pool: RankingPool, ranking: Ranking, but: Collection[int]) -> Iterator[NewEntry]:
    for place, score, why, probability in zip(
        ranking.order, ranking.queue_score, ranking.why, ranking.probability, strict=True
    ):
        if int(place) not in but:
            drawn = float(probability) if np.isfinite(probability) else None
            yield _entry(pool, ranking, int(place), float(score), why, drawn)


def _entry(
    pool: RankingPool, ranking: Ranking, row: int, score: float, why: str, probability: float | None = None
) -> NewEntry:
    return NewEntry(int(pool.crop_ids[row]), score, why, probability, _expected_not_sure(ranking, row))


def _expected_not_sure(ranking: Ranking, row: int) -> float | None:
    return None if ranking.not_sure is None else float(ranking.not_sure[row])


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
