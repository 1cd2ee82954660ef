"""The way of a crop to its reader: wishes first, then what they hold, then the queue from its top."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from labeling.models import Lease, QueueEntry, Reopening, RequestedCrop, Study
from labeling.services.queue.candidates import Candidate, Offer
from labeling.services.queue.leases import LEASED_AHEAD, lease, lock, renewed_leases
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

# A fresh queue has few blocked crops at its head: one chunk fills a page of twelve. Each further one is twice as
# long: who has read most of a queue waits for six looks at it, not for thirty.
CHUNK = 32


def next_crops(study: Study, user: Any, count: int) -> list[Candidate]:
    """Up to `count` crops for the user, best first; the first few are leased to them for some minutes.

    Crops that the user asked for come before all others. Crops that the user answered, that others hold, or that
    need no further read are left out.
    """
    now = timezone.now()
    with transaction.atomic():
        lock(study)
        held = {row.crop_id: _held(row) for row in renewed_leases(study, user, now)}
        # A crop that is held already keeps the reason that it was handed out for.
        reader = _Reader(study, user, now, reopened_after(study))
        asked_for = [held.pop(row.crop_id, row) for row in _asked_for(reader, count)]
        known = {row.crop_id for row in asked_for} | set(held)
        fresh = _open_entries(reader, count - len(known), known)
        lease(study, user, [*asked_for[:LEASED_AHEAD], *fresh[: max(0, LEASED_AHEAD - len(known))]], now)
    return [*asked_for, *held.values(), *fresh][:count]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Who asks for crops of which study, and when; `reopened` as `reads.reopened_after` tells it."""

    study: Study
    user: Any
    now: datetime
    reopened: Mapping[int, int]


def _asked_for(reader: _Reader, count: int) -> list[Candidate]:
    """Crops that a person asked for and that still need a read: the user's own wishes, then what leads reopened."""
    wishes = [(RequestedCrop.objects.filter(study=reader.study, user=reader.user), MORE_LIKE_THIS)]
    if reader.reopened:
        wishes.append((Reopening.objects.filter(study=reader.study), SECOND_READ))
    offers: dict[int, Offer] = {}
    for rows, why in wishes:
        for crop, key in rows.order_by("id").values_list("crop_id", "crop__key"):
            offers.setdefault(crop, Offer(crop, key, why))
    return _readable(reader, _as_drawn(reader.study, list(offers.values())))[:count]


def _as_drawn(study: Study, offers: list[Offer]) -> list[Offer]:
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


def _held(row: Lease) -> Candidate:
    return Candidate(row.crop_id, row.why, row.probability, row.ranking)


def _open_entries(reader: _Reader, count: int, skip: set[int]) -> list[Candidate]:
    found: list[Candidate] = []
    seen, start, size = set(skip), 0, CHUNK
    while len(found) < count:
        rows = QueueEntry.objects.filter(study=reader.study, rank__gte=start).annotate(crop_key=F("crop__key"))
        chunk = list(rows.order_by("rank")[:size])
        # Another ranking may have come between two looks: what was seen is not offered twice.
        offers = [
            Offer(entry.crop_id, entry.crop_key, entry.why, entry.probability, entry.ranking)
            for entry in chunk
            if entry.crop_id not in seen
        ]
        found += _readable(reader, offers)
        if len(chunk) < size:
            break
        seen |= {entry.crop_id for entry in chunk}
        start, size = chunk[-1].rank + 1, 2 * size
    return found[:count]


def _readable(reader: _Reader, offers: Sequence[Offer]) -> list[Candidate]:
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


def _candidate(offer: Offer, *, is_third: bool) -> Candidate:
    if is_third:
        return Candidate(offer.crop_id, ADJUDICATION, None, offer.ranking)
    return Candidate(offer.crop_id, offer.why, offer.probability, offer.ranking)
