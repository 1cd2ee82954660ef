"""Who reads which crop next: leases of minutes over the newest ranking.

Not in charge of the order: the ranking worker writes it through `replace_queue`.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from labeling.models import Annotation, Lease, QueueEntry, Ranked, Study
from labeling.services.reads import STREAM, reads_needed

LEASE = timedelta(minutes=5)
# The crop on screen and the two after it are leased: the next one is painted before the server has answered.
LEASED_AHEAD = 3
# A fresh queue has few blocked crops at its head: one chunk fills a page of twelve.
CHUNK = 32
ENTRY_COLUMNS = ("study_id", "crop_id", "rank", "score", "why", "probability", "ranking", "ranked_at")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A crop that may be shown, and why it is asked."""

    crop_id: int
    why: str
    probability: float | None
    ranking: str


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A queue entry as the ranking worker hands it in; a higher score means: ask a person first."""

    crop_id: int
    score: float
    why: str
    probability: float | None


@dataclass(frozen=True, slots=True)
class RankingInfo:
    """Which state made a ranking, over how many crops, up to which answer."""

    digest: str
    strategy: str
    encoder: str
    pool_size: int
    last_annotation: int


def next_crops(study: Study, user: Any, count: int) -> list[Candidate]:
    """Up to `count` crops for the user, best first; the first few are leased to them for some minutes.

    Crops that the user answered, that others hold, or that need no further read are left out.
    """
    now = timezone.now()
    with transaction.atomic():
        lock(study)
        held = _renewed_leases(study, user, now)
        fresh = _open_entries(study, user, count - len(held), now, {lease.crop_id for lease in held})
        to_lease = fresh[: max(0, LEASED_AHEAD - len(held))]
        _lease(study, user, to_lease, now)
    return [Candidate(row.crop_id, row.why, row.probability, row.ranking) for row in (*held, *fresh)]


def release(study: Study, user: Any) -> None:
    """Give back everything that the user holds: they left."""
    Lease.objects.filter(study=study, user=user).delete()


def replace_queue(study: Study, entries: Sequence[NewEntry], info: RankingInfo) -> None:
    """Put a new ranking in place of the old one, in one short transaction."""
    now = timezone.now()
    stamp = connection.ops.adapt_datetimefield_value(now)
    rows = [
        (study.pk, entry.crop_id, rank, entry.score, entry.why, entry.probability, info.digest, stamp)
        for rank, entry in enumerate(entries)
    ]
    with transaction.atomic():
        QueueEntry.objects.filter(study=study).delete()
        _insert_entries(rows)
        Ranked.objects.update_or_create(
            study=study,
            defaults={
                "digest": info.digest,
                "strategy": info.strategy,
                "encoder": info.encoder,
                "pool_size": info.pool_size,
                "last_annotation": info.last_annotation,
                "ranked_at": now,
            },
        )


def _insert_entries(rows: list[tuple[Any, ...]]) -> None:
    # Plain SQL: bulk_create takes four times as long for a thousand rows, and every answer that comes meanwhile
    # waits for this transaction.
    places = ", ".join(["%s"] * len(ENTRY_COLUMNS))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {QueueEntry._meta.db_table} ({', '.join(ENTRY_COLUMNS)}) VALUES ({places})", rows
        )


def lock(study: Study) -> None:
    """Let one writer of leases and answers of the study in at a time, until the caller's transaction ends.

    Two annotators who ask at the same moment must not be handed the same crop, and answers must be committed in
    the order of their numbers, or the ranking worker would pass one over. SQLite's immediate transactions do that
    already; on PostgreSQL the study's row is the gate. `no_key` lets others insert rows that point to the study.
    """
    if connection.features.has_select_for_update:
        Study.objects.select_for_update(no_key=True).get(pk=study.pk)


def hold_again(annotation: Annotation) -> None:
    """Lease the crop of an answer that is taken back to the one who gave it: they look at it now."""
    Lease.objects.update_or_create(
        study=annotation.study,
        crop=annotation.crop,
        user=annotation.annotator,
        defaults={
            "why": annotation.why_asked,
            "probability": annotation.probability_asked,
            "ranking": annotation.ranking,
            "expires_at": timezone.now() + LEASE,
        },
    )


def leased_crops(study: Study) -> list[int]:
    """Crops that somebody is looking at now: their neighbourhood counts as covered."""
    now = timezone.now()
    return list(Lease.objects.filter(study=study, expires_at__gt=now).values_list("crop_id", flat=True))


def newer_answers(study: Study, last_annotation: int) -> int:
    """How many answers the ranking on screen does not know yet."""
    return Annotation.objects.filter(study=study, id__gt=last_annotation).count()


def _renewed_leases(study: Study, user: Any, now: datetime) -> list[Lease]:
    mine = Lease.objects.filter(study=study, user=user, expires_at__gt=now)
    mine.update(expires_at=now + LEASE)
    return list(mine.order_by("id"))


def _open_entries(study: Study, user: Any, count: int, now: datetime, skip: set[int]) -> list[QueueEntry]:
    found: list[QueueEntry] = []
    start = 0
    while len(found) < count:
        rows = QueueEntry.objects.filter(study=study, rank__gte=start).annotate(crop_key=F("crop__key"))
        chunk = list(rows.order_by("rank")[:CHUNK])
        if not chunk:
            break
        start = chunk[-1].rank + 1
        blocked = skip | _blocked(study, user, chunk, now)
        found += [entry for entry in chunk if entry.crop_id not in blocked]
    return found[:count]


def _blocked(study: Study, user: Any, entries: Sequence[QueueEntry], now: datetime) -> set[int]:
    """Crops among the entries that this user must not get now."""
    crops = [entry.crop_id for entry in entries]
    reads, mine = _reads(study, user, crops)
    others: dict[int, int] = defaultdict(int)
    for crop_id in (
        Lease.objects.filter(study=study, crop__in=crops, expires_at__gt=now)
        .exclude(user=user)
        .values_list("crop_id", flat=True)
    ):
        others[crop_id] += 1
    return mine | {
        entry.crop_id
        for entry in entries
        if len(reads[entry.crop_id]) + others[entry.crop_id]
        >= reads_needed(study, entry.crop_key, reads[entry.crop_id], in_stream=entry.why == STREAM)
    }


def _reads(study: Study, user: Any, crops: Sequence[int]) -> tuple[dict[int, list[str]], set[int]]:
    reads: dict[int, list[str]] = defaultdict(list)
    mine: set[int] = set()
    standing = Annotation.objects.current().filter(study=study, crop__in=crops)
    for crop_id, annotator_id, answer in standing.values_list("crop_id", "annotator_id", "answer"):
        reads[crop_id].append(answer)
        if annotator_id == user.pk:
            mine.add(crop_id)
    return reads, mine


def _lease(study: Study, user: Any, entries: Sequence[QueueEntry], now: datetime) -> None:
    # An expired lease of the same user may still stand: it is written anew.
    Lease.objects.bulk_create(
        [
            Lease(
                study=study,
                crop_id=entry.crop_id,
                user=user,
                why=entry.why,
                probability=entry.probability,
                ranking=entry.ranking,
                expires_at=now + LEASE,
            )
            for entry in entries
        ],
        update_conflicts=True,
        unique_fields=["study", "crop", "user"],
        update_fields=["why", "probability", "ranking", "expires_at"],
    )
