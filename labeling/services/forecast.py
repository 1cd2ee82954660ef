"""When a study will have the reads that it needs, at the pace of its last days; computes from counts alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, sqrt

import numpy as np

from labeling.agreement.shares import NORMAL

# Fewer days with answers, or fewer answers, say nothing about the days to come.
FEWEST_DAYS, FEWEST_ANSWERS = 5, 50
# Beyond this nobody plans, and a date would only look precise.
FURTHEST_DAYS = 3650
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Forecast:
    """When `missing` reads will be there, at `per_day` answers a calendar day (95 % interval `low_per_day` to
    `high_per_day`) over `days` days.

    `done`, `earliest`, `latest` are dates; None where there is too little to go by, or no end in sight. `reason` says
    which.
    """

    missing: int
    days: int
    per_day: float | None
    low_per_day: float | None
    high_per_day: float | None
    done: date | None
    earliest: date | None
    latest: date | None
    reason: str = ""


def forecast(missing: int, daily: Sequence[int], today: date) -> Forecast:
    """The forecast from the answers of the last complete days, oldest first, weekends and idle days among them.

    The range is that of the mean when the days are drawn again (seeded, 2,000 times): a study that is read in bursts
    gets a wide one.
    """
    if missing <= 0:
        return Forecast(
            0, len(daily), None, None, None, today, today, today, "every read that the target needs is there"
        )
    active, answers = sum(count > 0 for count in daily), sum(daily)
    if active < FEWEST_DAYS or answers < FEWEST_ANSWERS:
        return Forecast(missing, len(daily), None, None, None, None, None, None, _too_little(active, answers))
    rng = np.random.default_rng(0)
    means = rng.choice(np.asarray(daily, dtype=np.float64), (DRAWS, len(daily))).mean(axis=1)
    low, high = (float(value) for value in np.quantile(means, [0.025, 0.975]))
    mean = answers / len(daily)
    dates = [_date(missing, rate, today) for rate in (mean, high, low)]
    return Forecast(
        missing, len(daily), mean, low, high, *dates, "" if dates[2] else "no end is in sight at the low end"
    )


def _too_little(active: int, answers: int) -> str:
    return (
        f"too little to say: {answers:,} {'answer' if answers == 1 else 'answers'} on {active} complete "
        f"{'day' if active == 1 else 'days'}, today not among them; at least {FEWEST_ANSWERS} answers on "
        f"{FEWEST_DAYS} days are needed"
    )


def _date(missing: int, per_day: float, today: date) -> date | None:
    days = missing / per_day if per_day > 0 else float("inf")
    return today + timedelta(days=ceil(days)) if days <= FURTHEST_DAYS else None


@dataclass(frozen=True, slots=True)
class Cost:
    """What `hours` at a rate cost, and what further reads will; `low` and `high` are a 95 % interval.

    `per_answer` and what is still to come are None with fewer than two timed answers.
    """

    spent: float
    per_answer: float | None
    to_come: float | None
    low: float | None
    high: float | None


def cost(seconds: Sequence[float], missing: int, rate: float) -> Cost:
    """The cost of timed answers at `rate` an hour, and of `missing` more of the same kind."""
    spent = sum(seconds) / 3600 * rate
    n = len(seconds)
    if n < 2:
        return Cost(spent, None, None, None, None)
    mean, error = float(np.mean(seconds)), float(np.std(seconds, ddof=1)) / sqrt(n)
    each = [max(0.0, value) / 3600 * rate for value in (mean, mean - NORMAL * error, mean + NORMAL * error)]
    to_come, low, high = (missing * value for value in each)
    return Cost(spent, each[0], to_come, low, high)
