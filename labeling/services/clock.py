"""The moments of an answer by one clock: the server's, whatever the browser's says."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

# A reply that takes a while is no wrong clock.
TRUSTED_OFFSET = timedelta(seconds=10)
LONGEST_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Times:
    """When a crop was shown, when a key was first pressed and when it was answered, with the time spent on it.

    `active_ms` leaves longer pauses out. `offset_s`: by how many seconds the moments were moved, 0 for a right clock.
    """

    answered_at: datetime
    shown_at: datetime | None = None
    first_key_at: datetime | None = None
    active_ms: int | None = None
    offset_s: float = 0.0


def settled(told: Times, sent_at: datetime | None, received: datetime) -> Times:
    """The same moments in order and none in the future; a clock that `sent_at` shows to be wrong is corrected.

    Differences between the moments stay as they are told; the time spent is at most that from shown to answered.
    """
    moved = _moved(told, received - sent_at) if sent_at else told
    answered = min(moved.answered_at, received)
    shown = min(moved.shown_at, answered) if moved.shown_at else None
    first = min(max(moved.first_key_at, shown or moved.first_key_at), answered) if moved.first_key_at else None
    most = LONGEST_MS if shown is None else round((answered - shown) / timedelta(milliseconds=1))
    active = None if moved.active_ms is None else max(0, min(moved.active_ms, most, LONGEST_MS))
    return Times(answered, shown, first, active, moved.offset_s)


def _moved(told: Times, offset: timedelta) -> Times:
    if abs(offset) <= TRUSTED_OFFSET:
        return told
    try:
        return replace(
            told,
            answered_at=told.answered_at + offset,
            shown_at=told.shown_at and told.shown_at + offset,
            first_key_at=told.first_key_at and told.first_key_at + offset,
            offset_s=offset.total_seconds(),
        )
    except OverflowError:
        return told
