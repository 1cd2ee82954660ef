"""Staying on one experiment, sample or image: the queue's crops of that place, then its other unread ones."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from django.db.models import Exists, OuterRef, Q

from imaging.models import Crop
from labeling.models import Annotation, Lease, QueueEntry, Sitting
from labeling.services.progress import pool
from labeling.services.queueing.candidates import Candidate, Offer
from labeling.services.queueing.reader import Reader
from labeling.services.queueing.routing import Turn, readable
from labeling.services.reads import RE_READ, SAME_PLACE

PATHS = {
    Sitting.StayOn.EXPERIMENT: "image__sample__experiment",
    Sitting.StayOn.SAMPLE: "image__sample",
    Sitting.StayOn.IMAGE: "image",
}
LOOK = 32
LONGEST_LOOK = 2048

# Crops that may be served now: (how many, which not, of which place) -> candidates.
Fresh = Callable[[int, Collection[int], Q], list[Candidate]]
# Puts special crops between ordinary ones: (kind of each slot, ordinary crops) -> crops.
Mix = Callable[[Sequence[str], Sequence[Candidate]], list[Candidate]]


@dataclass(frozen=True, slots=True)
class Stay:
    """Where a reader is: `left` more crops of the place with the number `place` are to be handed out."""

    place: int | None
    left: int


def stay_of(reader: Reader) -> Stay:
    """Where the reader is now."""
    return Stay(reader.wish.stay_at, reader.wish.stay_left)


def inside(reader: Reader, prefix: str = "") -> Q:
    """Which crops are at the reader's place; all of them where they do not stay or have no place yet.

    `prefix` leads from the rows that are asked to their crop: "crop__" for entries of the queue.
    """
    wish = reader.wish
    if not wish.stay_on or wish.stay_at is None:
        return Q()
    return _at(reader, wish.stay_at, prefix)


def stayed(
    reader: Reader, count: int, skip: Collection[int], fresh: Fresh, mix: Mix, kinds: Sequence[str]
) -> list[tuple[Candidate, Stay]]:
    """Up to `count` crops place by place, each with where the reader is once it is handed out.

    A new place is that of the queue's next crop. Ends where nothing can be served now. `mix` puts special crops of
    the present place into slots of these `kinds`: no sign may tell them from the others.
    """
    found: list[tuple[Candidate, Stay]] = []
    stay, seen = stay_of(reader), set(skip)
    while len(found) < count:
        if stay.place is None or not stay.left:
            stay, kinds = Stay(_next_place(reader, seen, fresh), max(1, reader.wish.stay_for)), ()
            if stay.place is None:
                break
        number = min(stay.left, count - len(found))
        here = _of_place(reader, stay.place, number, seen, fresh)
        here, kinds = (mix(kinds[:number], here), ()) if kinds else (here, ())
        seen |= {row.crop_id for row in here}
        for row in here:
            stay = replace(stay, left=stay.left - 1)
            found.append((row, stay))
        stay = stay if here else Stay(None, 0)
    return found


def _at(reader: Reader, place: int, prefix: str) -> Q:
    return Q((prefix + PATHS[Sitting.StayOn(reader.wish.stay_on)], place))


def _next_place(reader: Reader, seen: Collection[int], fresh: Fresh) -> int | None:
    first = fresh(1, seen, Q())
    return place_of(reader, [first[0].crop_id])[first[0].crop_id] if first else None


def place_of(reader: Reader, crops: Sequence[int]) -> dict[int, int]:
    """The number of the place of each crop, of the kind that the reader stays on."""
    path = PATHS[Sitting.StayOn(reader.wish.stay_on)]
    return dict(Crop.objects.filter(pk__in=crops).values_list("pk", path))


def _of_place(reader: Reader, place: int, count: int, seen: Collection[int], fresh: Fresh) -> list[Candidate]:
    """The queue's crops of the place first, then its other unread crops by their number."""
    here = fresh(count, seen, _at(reader, place, "crop__"))
    if len(here) < count:
        known = {*seen, *(row.crop_id for row in here)}
        here += _unread(reader, _at(reader, place, ""), count - len(here), known)
    return here


def _unread(reader: Reader, at: Q, count: int, seen: Collection[int]) -> list[Candidate]:
    """The queue holds the best 1,000 crops of the pool: a place may have many more.

    What the queue holds and did not give, above the reader's ceiling say, is not given here either.
    """
    read = Annotation.objects.reads().included().filter(study=reader.study, crop=OuterRef("pk"))
    queued = QueueEntry.objects.filter(study=reader.study, crop=OuterRef("pk"))
    rows = pool(reader.study).filter(at).filter(~Exists(read), ~Exists(queued)).order_by("pk")
    found: list[Candidate] = []
    after, size = 0, LOOK
    while len(found) < count:
        chunk = list(rows.filter(pk__gt=after).values_list("pk", "key")[:size])
        offers = [Offer(crop, key, SAME_PLACE) for crop, key in chunk if crop not in seen]
        found += [row for turn, row in readable(reader, offers) if turn == Turn.NOW]
        if len(chunk) < size:
            break
        after, size = chunk[-1][0], min(2 * size, LONGEST_LOOK)
    return found[:count]


def left_at(reader: Reader, stay: Stay, leased: Sequence[int]) -> int:
    """How many crops of the place of the first leased crop are left, that one included."""
    if not leased:
        return stay.left
    places = place_of(reader, leased)
    here = places.get(leased[0])
    held = 0
    for crop in leased:
        if places.get(crop) != here:
            break
        held += 1
    return held + (stay.left if stay.place == here else 0)


def keep(reader: Reader, stay: Stay) -> None:
    """Remember where the reader is."""
    if stay != stay_of(reader):
        mine = Sitting.objects.filter(study=reader.study, user=reader.user)
        mine.update(stay_at=stay.place, stay_left=stay.left)


def with_returned(reader: Reader, leases: Sequence[Lease]) -> Reader:
    """The reader with those crops still to come at their place whose lease ended unanswered; such leases go.

    What they were reading again is remembered, for an answer that is on its way.
    """
    ended = [row.pk for row in leases if row.expires_at <= reader.now and row.why != RE_READ]
    if not ended or reader.wish.stay_at is None:
        return reader
    Lease.objects.filter(pk__in=ended).delete()
    stay = Stay(reader.wish.stay_at, min(reader.wish.stay_for, reader.wish.stay_left + len(ended)))
    keep(reader, stay)
    return replace(reader, wish=replace(reader.wish, stay_left=stay.left))
