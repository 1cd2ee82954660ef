"""Who reads which crop next: leases of minutes over the newest ranking.

Not in charge of the order: the ranking worker writes it through `replace_queue`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from labeling.models import Annotation, Lease, QueueEntry, Ranked, Reopening, RequestedCrop, Study
from labeling.services.reads import (
    ADJUDICATION,
    MORE_LIKE_THIS,
    SECOND_READ,
    STREAM,
    awaits_adjudication,
    reads_needed,
    reads_of,
    reopened_after,
    situation_of,
)

LEASE = timedelta(minutes=5)
# The crop on screen and the two after it are leased: the next one is painted before the server has answered.
LEASED_AHEAD = 3
# A fresh queue has few blocked crops at its head: one chunk fills a page of twelve. Each further one is twice as
# long: who has read most of a queue waits for six looks at it, not for thirty.
CHUNK = 32
# An object that a newer segmentation does not find is asked no more; the ranking learns of it a moment later.
STANDS = {"crop__gone_at__isnull": True}
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
    """Which state made a ranking, over how many crops, up to which answer.

    `encoder` is the digest of the encoder that ranked, `encoder_name` its name and `note` why it is another one than
    the study's. `answers`: how many answered crops it knew. `expected_not_sure`: share of the queue that will
    probably be answered "not sure", in [0, 1], None where nothing can be said. `seconds`: how long ranking took.
    """

    digest: str
    strategy: str
    encoder: str
    pool_size: int
    last_annotation: int
    encoder_name: str = ""
    note: str = ""
    expected_not_sure: float | None = None
    seconds: float | None = None
    answers: int = 0


def next_crops(study: Study, user: Any, count: int) -> list[Candidate]:
    """Up to `count` crops for the user, best first; the first few are leased to them for some minutes.

    Crops that the user asked for come before all others. Crops that the user answered, that others hold, or that
    need no further read are left out.
    """
    now = timezone.now()
    with transaction.atomic():
        lock(study)
        held = {lease.crop_id: _held(lease) for lease in _renewed_leases(study, user, now)}
        # A crop that is held already keeps the reason that it was handed out for.
        reader = _Reader(study, user, now, reopened_after(study))
        asked_for = [held.pop(row.crop_id, row) for row in _asked_for(reader, count)]
        known = {row.crop_id for row in asked_for} | set(held)
        fresh = _open_entries(reader, count - len(known), known)
        _lease(study, user, [*asked_for[:LEASED_AHEAD], *fresh[: max(0, LEASED_AHEAD - len(known))]], now)
    return [*asked_for, *held.values(), *fresh][:count]


def release(study: Study, user: Any) -> None:
    """Give back everything that the user holds: they left."""
    Lease.objects.filter(study=study, user=user).delete()


def forget_outside(study: Study) -> None:
    """Drop leases, wishes and queue entries of crops whose experiment the study no longer holds.

    Such a crop would be handed out again and again, and every answer to it refused.
    """
    inside = study.experiments.values("pk")
    for rows in (Lease.objects, RequestedCrop.objects, QueueEntry.objects):
        rows.filter(study=study).exclude(crop__image__sample__experiment__in=inside).delete()
    RequestedCrop.objects.filter(study=study).exclude(like__image__sample__experiment__in=inside).delete()


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
            defaults=asdict(info) | {"ranked_at": now},
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


@dataclass(frozen=True, slots=True)
class _Reader:
    """Who asks for crops of which study, and when; `reopened` as `reads.reopened_after` tells it."""

    study: Study
    user: Any
    now: datetime
    reopened: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class _Offer:
    """A crop that might be shown, with the key that decides on shared reads."""

    crop_id: int
    crop_key: str
    why: str
    probability: float | None = None
    ranking: str = ""


def _asked_for(reader: _Reader, count: int) -> list[Candidate]:
    """Crops that a person asked for and that still need a read: the user's own wishes, then what leads reopened."""
    wishes = [(RequestedCrop.objects.filter(study=reader.study, user=reader.user), MORE_LIKE_THIS)]
    if reader.reopened:
        wishes.append((Reopening.objects.filter(study=reader.study), SECOND_READ))
    offers: dict[int, _Offer] = {}
    for rows, why in wishes:
        for crop, key in rows.filter(**STANDS).order_by("id").values_list("crop_id", "crop__key"):
            offers.setdefault(crop, _Offer(crop, key, why))
    return _readable(reader, _as_drawn(reader.study, list(offers.values())))[:count]


def _as_drawn(study: Study, offers: list[_Offer]) -> list[_Offer]:
    """The same, those wishes that the random stream draws anyway with its reason and probability.

    They would leave the stream by a reader's choice otherwise, and it would no longer be random.
    """
    wished = [offer.crop_id for offer in offers if offer.why == MORE_LIKE_THIS]
    if not wished:
        return offers
    rows = QueueEntry.objects.filter(study=study, crop__in=wished, why=STREAM)
    drawn = {row.crop_id: row for row in rows}
    return [
        replace(offer, why=STREAM, probability=row.probability, ranking=row.ranking)
        if (row := drawn.get(offer.crop_id))
        else offer
        for offer in offers
    ]


def _held(lease: Lease) -> Candidate:
    return Candidate(lease.crop_id, lease.why, lease.probability, lease.ranking)


def _open_entries(reader: _Reader, count: int, skip: set[int]) -> list[Candidate]:
    found: list[Candidate] = []
    seen, start, size = set(skip), 0, CHUNK
    while len(found) < count:
        rows = QueueEntry.objects.filter(study=reader.study, rank__gte=start, **STANDS)
        rows = rows.annotate(crop_key=F("crop__key"))
        chunk = list(rows.order_by("rank")[:size])
        # Another ranking may have come between two looks: what was seen is not offered twice.
        offers = [
            _Offer(entry.crop_id, entry.crop_key, entry.why, entry.probability, entry.ranking)
            for entry in chunk
            if entry.crop_id not in seen
        ]
        found += _readable(reader, offers)
        if len(chunk) < size:
            break
        seen |= {entry.crop_id for entry in chunk}
        start, size = chunk[-1].rank + 1, 2 * size
    return found[:count]


def _readable(reader: _Reader, offers: Sequence[_Offer]) -> list[Candidate]:
    """Those of the crops that this reader may get now, in the same order."""
    crops = [offer.crop_id for offer in offers]
    if not crops:
        return []
    study, reads = reader.study, reads_of(reader.study, crops)
    held = Lease.objects.filter(study=study, crop__in=crops, expires_at__gt=reader.now).exclude(user=reader.user)
    others = Counter(held.values_list("crop_id", flat=True))
    found = []
    for offer in offers:
        given = reads[offer.crop_id]
        at = situation_of(given, reader.reopened.get(offer.crop_id), drawn=offer.why == STREAM)
        needed = reads_needed(study, offer.crop_key, [read.answer for read in given], at)
        mine = any(read.annotator == reader.user.pk for read in given)
        if not mine and len(given) + others[offer.crop_id] < needed:
            found.append(_candidate(offer, is_third=awaits_adjudication(given)))
    return found


def _candidate(offer: _Offer, *, is_third: bool) -> Candidate:
    if is_third:
        return Candidate(offer.crop_id, ADJUDICATION, None, offer.ranking)
    return Candidate(offer.crop_id, offer.why, offer.probability, offer.ranking)


def _lease(study: Study, user: Any, entries: Sequence[Candidate], now: datetime) -> None:
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
