"""How far a study is, how fast it goes, and what is left: answers by day and reader, for the page of leads.

People's answers alone: what programs gave and what came out of files is counted apart, since it has no pace.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils import timezone

from imaging.models import Crop
from labeling.models import Annotation, ReaderStudy, Study
from labeling.services.exclusions import excluded_readers
from labeling.services.forecast import Cost, Forecast, cost, forecast
from labeling.services.history import BY_HAND, DAYS
from labeling.services.pace import Answered, ClassTime, Pace, answered, class_times, names_of, pace_of, seconds_of
from labeling.services.progress import pool_size
from labeling.services.reader_study.progress import progress_of
from labeling.services.reads import Read, given_reads, reads_needed, reads_of, reopened_after, situation_of
from labeling.services.timing import Day, by_day, last_days, together


@dataclass(frozen=True, slots=True)
class ReaderWork:
    """A reader's last days (oldest first), pace and answers since the beginning, goal, and days that `reached` it."""

    user: int
    name: str
    days: list[Day]
    pace: Pace
    answers: int
    goal: int | None
    reached: int
    is_excluded: bool


@dataclass(frozen=True, slots=True)
class Left:
    """Crops of the target that were read, and reads that are missing: of crops in hand, and of crops nobody has read.

    `per_fresh_crop`: reads that a crop nobody has read will need on average, by the study's settings.
    """

    target: int
    answered: int
    missing_in_hand: int
    missing_fresh: int
    per_fresh_crop: float

    @property
    def missing(self) -> int:
        """Reads that are missing in all."""
        return self.missing_in_hand + self.missing_fresh


@dataclass(frozen=True, slots=True)
class Workload:
    """Everything that the page of progress shows; see the classes of its parts."""

    days: list[Day]
    readers: list[ReaderWork]
    pace: Pace
    times: list[ClassTime]
    left: Left
    forecast: Forecast
    cost: Cost | None
    apart: dict[str, int]


def workload(study: Study, target: int | None = None, rate: float | None = None) -> Workload:
    """The work on a study; `target` crops (None: the whole pool), `rate` an hour (None: no cost is told)."""
    rows = answered(study)
    people = [row for row in rows if row.source in BY_HAND]
    days, zone = last_days(timezone.localdate(), DAYS), timezone.get_current_timezone()
    out = {row.user for row in excluded_readers(study)}
    left = reads_left(study, target)
    return Workload(
        days=by_day([row.given for row in people], days, study.idle_cap_s, zone),
        readers=_readers(study, people, days, out),
        pace=pace_of(people, study.idle_cap_s),
        times=class_times(people, names_of(study), study.idle_cap_s),
        left=left,
        forecast=forecast(left.missing, _daily(people, out, days[-1]), days[-1]),
        cost=None if rate is None else cost(seconds_of(people, study.idle_cap_s), left.missing, rate),
        apart=_apart(rows),
    )


def reads_left(study: Study, target: int | None = None) -> Left:
    """Reads that are missing until `target` crops have all that they need; those of crops in hand count first.

    In a study of readers: reads of cases, those that come again among them; nothing is missing once it is closed.
    """
    if study.is_reader_study:
        return _cases_left(ReaderStudy.objects.get(study=study))
    reads, reopened = reads_of(study), reopened_after(study)
    keys = dict(Crop.objects.filter(annotations__study=study).values_list("pk", "key").distinct())
    in_hand = sum(_missing(study, keys[crop], reads[crop], reopened.get(crop)) for crop in list(reads))
    target = pool_size(study) if target is None else target
    once = 1 - (1 - study.overlap_share) * (1 - study.random_share)
    fresh = study.reads_per_crop + (once if study.reads_per_crop < 2 else 0.0)
    return Left(target, len(reads), in_hand, round(max(0, target - len(reads)) * fresh), fresh)


def _cases_left(protocol: ReaderStudy) -> Left:
    rows = progress_of(protocol)
    planned, given = sum(row.cases + row.again_planned for row in rows), sum(row.read + row.again for row in rows)
    return Left(planned, given, 0 if protocol.closed_at else planned - given, 0, 0.0)


def _missing(study: Study, key: str, reads: list[Read], reopened_at: int | None) -> int:
    given = [read.answer for read in given_reads(reads)]
    return max(0, reads_needed(study, key, given, situation_of(reads, reopened_at)) - len(given))


def _daily(people: list[Answered], out: set[int], today: date) -> list[int]:
    """Standing answers of the last complete days by those who count, from the first day with any on."""
    counts: dict[date, int] = defaultdict(int)
    zone = timezone.get_current_timezone()
    for row in people:
        if row.given.stands and row.annotator not in out:
            counts[row.given.received_at.astimezone(zone).date()] += 1
    days = last_days(today - timedelta(days=1), DAYS)
    began = min(counts, default=today)
    return [counts[day] for day in days if day >= began]


def _readers(study: Study, people: list[Answered], days: list[date], out: set[int]) -> list[ReaderWork]:
    zone = timezone.get_current_timezone()
    own: dict[int, list[Answered]] = defaultdict(list)
    for row in people:
        own[row.annotator].append(row)
    goals = dict(study.memberships.filter(is_simulated=False).values_list("user_id", "daily_goal"))
    users = Annotation.annotator.field.related_model.objects.filter(pk__in={*own, *goals}).order_by("username")
    found = []
    for user in users:
        spent = by_day([row.given for row in own[user.pk]], days, study.idle_cap_s, zone)
        found.append(_reader(user, spent, own[user.pk], goals.get(user.pk), study.idle_cap_s, user.pk in out))
    return found


def _reader(
    user: Any, days: list[Day], rows: list[Answered], goal: int | None, cap_s: float, is_out: bool
) -> ReaderWork:
    reached = sum(day.answers >= goal for day in days) if goal else 0
    standing = sum(row.given.stands for row in rows)
    return ReaderWork(user.pk, user.username, days, pace_of(rows, cap_s), standing, goal, reached, is_out)


def _apart(rows: list[Answered]) -> dict[str, int]:
    """Standing answers that have no pace, by what they are; only what there is."""
    kinds = {Annotation.Source.SIMULATED: "simulated", Annotation.Source.IMPORT: "imported"}
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        if row.given.stands and row.source in kinds:
            counts[kinds[Annotation.Source(row.source)]] += 1
        elif row.given.stands and not row.given.by_hand:
            counts["given to many crops at once"] += 1
    return dict(counts)


DAY_HEADER = ["day", "annotator", "answers", "not_sure", "timed", "median_s", "hours", "capped"]


def day_rows(study: Study) -> Iterator[list[object]]:
    """One row per day and person since the beginning, by day and number; `hours` and `median_s` leave pauses out."""
    zone = timezone.get_current_timezone()
    sorted_rows: dict[tuple[date, int], list[Answered]] = defaultdict(list)
    for row in answered(study):
        if row.source in BY_HAND:
            sorted_rows[row.given.received_at.astimezone(zone).date(), row.annotator].append(row)
    for (day, user), rows in sorted(sorted_rows.items(), key=lambda item: item[0]):
        spent = together([row.given for row in rows], day, study.idle_cap_s)
        middle = "" if spent.median_s is None else round(spent.median_s, 3)
        yield [
            day.isoformat(), f"user:{user}", spent.answers, spent.not_sure, spent.timed, middle,
            round(spent.read_s / 3600, 5), spent.capped,
        ]  # fmt: skip
