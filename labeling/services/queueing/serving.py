"""The way of a crop to its reader: wishes first, then what they hold, then the queue from its top."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from audit.statements import Bound, Statement, ask_all, records
from labeling.models import Lease, QueueEntry, Reopening, RequestedCrop, Study
from labeling.services.queueing import places, rereads
from labeling.services.queueing.candidates import Candidate, Offer
from labeling.services.queueing.cases import due_cases, why_none
from labeling.services.queueing.leases import LEASED_AHEAD, LEASES, lease, leases_of, one_at_a_time, renew
from labeling.services.queueing.reader import Reader, facts_of, reader_of
from labeling.services.queueing.routing import Turn, readable
from labeling.services.queueing.slots import special_slots
from labeling.services.reads import EASY, MORE_LIKE_THIS, RE_READ, SECOND_READ, STREAM

# A fresh queue has few blocked crops at its head: one chunk fills a page of twelve. Each further one is twice as
# long: who has read most of a queue waits for six looks at it, not for thirty.
CHUNK = 32
# A crop that is gone since the queue was made is not asked any more.
STANDS = {"crop__gone_at__isnull": True}
# Without an upper end PostgreSQL reads and sorts the whole queue: it is replaced all the time, so that statistics of
# it are never fresh.
_WINDOW = Statement(
    lambda study, start, end: _ranked(QueueEntry.objects.filter(study=study, rank__lt=end), start),
    study=int,
    start=int,
    end=int,
)


@dataclass(frozen=True, slots=True)
class Served:
    """Crops for a reader, best first, with the reader that they were chosen for.

    `left`: crops still to come at the place where they stay, None where they stay nowhere. `held_back`: nothing was
    served, though crops wait that are above their ceiling. `note`: why a study of readers serves nothing.
    """

    crops: list[Candidate]
    reader: Reader
    left: int | None = None
    held_back: bool = False
    note: str = ""


def next_crops(study: Study, user: Any, count: int) -> list[Candidate]:
    """Up to `count` crops for the user, best first; the first few are leased to them for some minutes.

    Crops that the user asked for come before all others. Crops that the user answered, that others hold, or that
    need no further read are left out; crops that they put aside come last.
    """
    return serve(study, user, count).crops


def serve(study: Study, user: Any, count: int) -> Served:
    """The same as `next_crops`, with what else the reading room wants to know.

    A reader who pauses gets nothing, and nobody gets anything of a study that is archived.
    """
    leases = LEASES.of(study=study.pk, user=user.pk)
    if study.is_reader_study:
        return _serve_protocol(study, user, count)
    asked = (facts_of(study, user), leases, _window(study, 0, CHUNK))
    with one_at_a_time(study, *asked, lasts=False) as (facts, held, top):
        reader = replace(reader_of(study, user, timezone.now(), facts), top=top)
        is_closed = reader.wish.is_paused or study.archived_at is not None
        return Served([], reader) if is_closed else _serve(reader, records(Lease, held), count)


def _serve_protocol(study: Study, user: Any, count: int) -> Served:
    """The next cases of a locked protocol and nothing else; what others hold or answered does not matter."""
    leases = LEASES.of(study=study.pk, user=user.pk)
    with one_at_a_time(study, facts_of(study, user), leases) as (facts, held):
        reader, rows = reader_of(study, user, timezone.now(), facts), records(Lease, held)
        if reader.wish.is_paused or study.archived_at is not None:
            return Served([], reader)
        renew(rows, reader.now)
        running = {row.crop_id for row in rows if row.expires_at > reader.now}
        due = due_cases(reader)
        lease(study, user, [row for row in due[:LEASED_AHEAD] if row.crop_id not in running], reader.now)
    return Served(due[:count], reader, note="" if due else why_none(reader))


def sitting_state(study: Study, user: Any) -> Served:
    """How the user is served, without handing out anything."""
    reader = reader_of(study, user, timezone.now(), ask_all(facts_of(study, user))[0])
    if study.is_reader_study or not reader.wish.stay_on:
        return Served([], reader)
    leased = [row.crop_id for row in leases_of(study, user) if row.expires_at > reader.now]
    return Served([], reader, places.left_at(reader, places.stay_of(reader), leased))


def _serve(reader: Reader, rows: list[Lease], count: int) -> Served:
    renew(rows, reader.now)
    reader = places.with_returned(reader, rows) if reader.wish.stay_on else reader
    held = {row.crop_id: _held(row) for row in rows if row.expires_at > reader.now}
    # A crop that is held already keeps the reason that it was handed out for.
    asked_for = [held.pop(row.crop_id, row) for row in _asked_for(reader, count)]
    ready = [*asked_for, *held.values()]
    fresh, stays = _fresh(reader, count - len(ready), {row.crop_id for row in ready}, len(ready))
    handed_out = fresh[: max(0, LEASED_AHEAD - len(ready))]
    lease(reader.study, reader.user, [*asked_for[:LEASED_AHEAD], *handed_out], reader.now)
    crops = [*ready, *fresh][:count]
    left = _move(reader, [*ready, *handed_out], stays) if reader.wish.stay_on else None
    return Served(crops, reader, left, not crops and _is_held_back(reader))


def _move(reader: Reader, leased: Sequence[Candidate], stays: Mapping[int, places.Stay]) -> int:
    """Remember where the reader is after these crops; returns how many are left at the place of the first."""
    passed = [stays[row.crop_id] for row in leased if row.crop_id in stays]
    stay = passed[-1] if passed else places.stay_of(reader)
    places.keep(reader, stay)
    return places.left_at(reader, stay, [row.crop_id for row in leased])


def _held(row: Lease) -> Candidate:
    return Candidate(row.crop_id, row.why, row.probability, row.ranking)


def _asked_for(reader: Reader, count: int) -> list[Candidate]:
    """Crops that a person asked for and that still need a read: the user's own wishes, then what leads reopened."""
    wishes: list[tuple[Any, str]] = []
    if reader.has_wishes:
        wishes.append((RequestedCrop.objects.filter(study=reader.study, user=reader.user), MORE_LIKE_THIS))
    # Who stays at a place gets what was reopened there by the queue.
    if reader.reopened and not reader.wish.stay_on:
        wishes.append((Reopening.objects.filter(study=reader.study), SECOND_READ))
    offers: dict[int, Offer] = {}
    for rows, why in wishes:
        for crop, key in rows.filter(**STANDS).order_by("id").values_list("crop_id", "crop__key"):
            offers.setdefault(crop, Offer(crop, key, why))
    drawn = readable(reader, _as_drawn(reader.study, list(offers.values())))
    return [row for turn, row in drawn if turn != Turn.SKIPPED][:count]


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


def _fresh(
    reader: Reader, count: int, skip: set[int], start: int
) -> tuple[list[Candidate], Mapping[int, places.Stay]]:
    """Up to `count` crops that the reader does not hold, after `start` that they do; and where they stay then."""
    if count <= 0:
        return [], {}
    kinds = special_slots(reader, start, count)
    special = {RE_READ: _due_again(reader, skip, kinds), EASY: _easy(reader, skip, kinds)}
    taken = skip | {row.crop_id for rows in special.values() for row in rows}
    if not reader.wish.stay_on:
        return mixed(kinds, special, open_entries(reader, count, taken)), {}

    def waiting(number: int, others: Collection[int], at: Q) -> list[Candidate]:
        return _look(reader, _entries(reader, at), number, others)[Turn.NOW][:number]

    placed = places.stayed(reader, count, taken, waiting, lambda kind, rows: mixed(kind, special, rows), kinds)
    rows = [row for row, _ in placed]
    rows += open_entries(reader, count - len(rows), taken | {row.crop_id for row in rows})
    return rows, {row.crop_id: stay for row, stay in placed}


def mixed(
    kinds: Sequence[str], special: Mapping[str, list[Candidate]], ordinary: Iterable[Candidate]
) -> list[Candidate]:
    """One crop for each slot: a special one of its kind while there is one, else the next of the ordinary ones."""
    rest = iter(ordinary)
    chosen = [special[kind].pop(0) if special.get(kind) else next(rest, None) for kind in kinds]
    return [row for row in chosen if row is not None]


def _due_again(reader: Reader, skip: set[int], kinds: Sequence[str]) -> list[Candidate]:
    return rereads.due_again(reader, skip, kinds.count(RE_READ), places.inside(reader)) if RE_READ in kinds else []


def _easy(reader: Reader, skip: set[int], kinds: Sequence[str]) -> list[Candidate]:
    wanted = kinds.count(EASY)
    if not wanted:
        return []
    rows = _entries(reader, places.inside(reader, "crop__")).filter(why=EASY)
    return _look(reader, rows, wanted, skip, Turn.EASY)[Turn.EASY][:wanted]


def open_entries(reader: Reader, count: int, skip: Collection[int]) -> list[Candidate]:
    """Up to `count` crops of the queue: those whose turn is now, best first, then those that come later."""
    if count <= 0:
        return []
    is_whole = reader.wish.not_sure_ceiling is None
    found = _look(reader, None if is_whole else _entries(reader, Q()), count, skip)
    return [row for turn in Turn for row in found[turn]][:count]


def _entries(reader: Reader, at: Q) -> QuerySet[QueueEntry]:
    """The queue's entries at this place within the reader's ceiling.

    The random stream does not mind it: it would lose the crops that are hard, and no longer be random.
    """
    rows = QueueEntry.objects.filter(at, study=reader.study)
    ceiling = reader.wish.not_sure_ceiling
    if ceiling is None:
        return rows
    return rows.filter(Q(expected_not_sure__isnull=True) | Q(expected_not_sure__lte=ceiling) | Q(why=STREAM))


def _is_held_back(reader: Reader) -> bool:
    if reader.wish.not_sure_ceiling is None:
        return False
    # Most of what stands above the ceiling may be read, or held by others: would this reader get any of it?
    unlimited = replace(reader, wish=replace(reader.wish, not_sure_ceiling=None))
    return bool(open_entries(unlimited, 1, ()))


def _look(
    reader: Reader, rows: QuerySet[QueueEntry] | None, count: int, skip: Collection[int], wanted: Turn = Turn.NOW
) -> Mapping[Turn, list[Candidate]]:
    """Crops that the reader may get, by their turn; looks from the top until `count` of the wanted turn are found.

    `rows`: entries of the queue, None for all.
    """
    found: dict[Turn, list[Candidate]] = defaultdict(list)
    seen, start, size = set(skip), 0, CHUNK
    while len(found[wanted]) < count:
        chunk = _from_rank(reader, rows, start, size)
        # Another ranking may have come between two looks: what was seen is not offered twice.
        for turn, row in readable(reader, [offer for _, offer in chunk if offer.crop_id not in seen]):
            found[turn].append(row)
        if len(chunk) < size:
            break
        seen |= {offer.crop_id for _, offer in chunk}
        start, size = chunk[-1][0] + 1, 2 * size
    return found


def _from_rank(reader: Reader, rows: QuerySet[QueueEntry] | None, start: int, size: int) -> list[tuple[int, Offer]]:
    """The next entries from this rank on, with their ranks; `rows` None: of the whole queue."""
    found = reader.top if rows is None and start == 0 else []
    if rows is None and start > 0:
        (found,) = ask_all(_window(reader.study, start, size))
    if len(found) < size:
        # The end of the queue, or crops are gone from it.
        rows = QueueEntry.objects.filter(study=reader.study) if rows is None else rows
        found = list(_ranked(rows, start)[:size])
    return [(rank, Offer(*offered)) for rank, *offered in found]


def _window(study: Study, start: int, size: int) -> Bound:
    return _WINDOW.of(study=study.pk, start=start, end=start + size)


def _ranked(rows: QuerySet[QueueEntry], start: int) -> QuerySet[QueueEntry, Any]:
    columns = ("rank", "crop_id", "crop__key", "why", "probability", "ranking")
    return rows.filter(**STANDS, rank__gte=start).order_by("rank").values_list(*columns)
