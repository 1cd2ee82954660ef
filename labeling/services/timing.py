"""What people did day by day, and how long they took; computes from rows, asks nothing.

A day is one of the server, by the moment the answer arrived: whatever the browser's clock says, it keeps its day.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from statistics import median


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as far as time is concerned; `by_hand`: given to this one crop, by a person.

    `stands`: neither superseded nor taken back. `active_ms`: time on the crop, longer pauses left out already.
    """

    received_at: datetime
    shown_at: datetime | None
    answered_at: datetime
    active_ms: int | None
    is_not_sure: bool = False
    stands: bool = True
    by_hand: bool = True


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds on a crop, and whether a pause was cut from them."""

    seconds: float
    is_capped: bool


@dataclass(frozen=True, slots=True)
class Day:
    """One day, or several: standing `answers` and how many of them are `not_sure`.

    `median_s` is over `timed` answers given by hand whose time is known, None without any; `read_s` is their sum.
    `capped` of them held a pause that was cut to the study's cap.
    """

    day: date
    answers: int
    not_sure: int
    timed: int
    median_s: float | None
    read_s: float
    capped: int

    @property
    def not_sure_share(self) -> float | None:
        """Share of "not sure", in [0, 1]; n is `answers`; None without answers."""
        return self.not_sure / self.answers if self.answers else None

    @property
    def minutes(self) -> float:
        """Time read, in minutes."""
        return self.read_s / 60


def spent_on(given: Given, cap_s: float) -> Spent | None:
    """Time on the crop; None where it is not known, or where the clock was set back in between."""
    if not given.by_hand:
        return None
    if given.active_ms is not None:
        return Spent(given.active_ms / 1000, False) if given.active_ms >= 0 else None
    if given.shown_at is None:
        return None
    seconds = (given.answered_at - given.shown_at).total_seconds()
    return None if seconds < 0 else Spent(min(seconds, cap_s), seconds > cap_s)


def by_day(rows: Iterable[Given], days: Sequence[date], cap_s: float, zone: tzinfo) -> list[Day]:
    """One Day for each of the days, in their order; rows of other days are left out."""
    sorted_rows: dict[date, list[Given]] = defaultdict(list)
    for row in rows:
        sorted_rows[row.received_at.astimezone(zone).date()].append(row)
    return [together(sorted_rows[day], day, cap_s) for day in days]


def together(rows: Sequence[Given], day: date, cap_s: float) -> Day:
    """The rows as one Day, called `day`."""
    times = [spent for row in rows if (spent := spent_on(row, cap_s)) is not None]
    standing = [row for row in rows if row.stands]
    return Day(
        day=day,
        answers=len(standing),
        not_sure=sum(row.is_not_sure for row in standing),
        timed=len(times),
        median_s=median(spent.seconds for spent in times) if times else None,
        read_s=sum(spent.seconds for spent in times),
        capped=sum(spent.is_capped for spent in times),
    )


def last_days(today: date, number: int) -> list[date]:
    """The last days up to today, oldest first."""
    return [today - timedelta(days=back) for back in reversed(range(number))]
