"""Days and seconds: by the server's clock, medians with their n, pauses cut and counted."""

from datetime import UTC, date, datetime, timedelta
from statistics import median
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling.services.timing import Given, Spent, by_day, last_days, spent_on, together

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
DAY = NOON.date()


def row(seconds: float | None = 4.0, at: datetime = NOON, **more: object) -> Given:
    shown = None if seconds is None else at - timedelta(seconds=seconds)
    return Given(**({"received_at": at, "shown_at": shown, "answered_at": at, "active_ms": None} | more))


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (row(4), Spent(4.0, False)),
        (row(60), Spent(60.0, False)),
        (row(61), Spent(60.0, True)),
        (row(4, active_ms=1500), Spent(1.5, False)),
        (row(None), None),
        (row(-5), None),
        (row(4, by_hand=False), None),
        (row(4, active_ms=-1), None),
    ],
)
def test_time_on_a_crop_is_what_was_measured_and_pauses_are_cut(what: Given, expected: Spent | None) -> None:
    assert spent_on(what, 60) == expected


def test_a_browser_that_is_a_day_off_neither_moves_an_answer_nor_makes_time_negative() -> None:
    for wrong in (timedelta(days=1), timedelta(days=-1)):
        told = row(4, answered_at=NOON + wrong, shown_at=NOON + wrong - timedelta(seconds=4))
        (day,) = by_day([told], [DAY], 60, UTC)
        assert (day.answers, day.median_s) == (1, 4.0)
    torn = row(4, answered_at=NOON - timedelta(days=1))
    (day,) = by_day([torn], [DAY], 60, UTC)
    assert (day.answers, day.timed, day.median_s, day.read_s) == (1, 0, None, 0)


def test_the_day_is_that_of_the_server_s_time_zone() -> None:
    late = row(at=datetime(2026, 3, 4, 23, 30, tzinfo=UTC))
    days = [DAY, DAY + timedelta(days=1)]
    assert [day.answers for day in by_day([late], days, 60, UTC)] == [1, 0]
    assert [day.answers for day in by_day([late], days, 60, ZoneInfo("Europe/Berlin"))] == [0, 1]


def test_an_answer_that_was_changed_counts_once_and_its_time_twice() -> None:
    day = together([row(4, stands=False, is_not_sure=True), row(6)], DAY, 60)
    assert (day.answers, day.not_sure, day.not_sure_share) == (1, 0, 0.0)
    assert (day.timed, day.median_s, day.read_s) == (2, 5.0, 10.0)


def test_a_day_without_answers_has_no_share_and_no_median() -> None:
    day = together([], DAY, 60)
    assert (day.not_sure_share, day.median_s, day.minutes) == (None, None, 0)


def test_the_last_days_end_today() -> None:
    assert last_days(date(2026, 3, 1), 3) == [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.floats(-200, 200), st.booleans(), st.booleans()), max_size=30))
def test_medians_agree_with_the_reference_and_nothing_is_negative(rows: list[tuple[float, bool, bool]]) -> None:
    day = together([row(s, is_not_sure=unsure, stands=stands) for s, unsure, stands in rows], DAY, 60)
    known = [
        min(timedelta(seconds=s).total_seconds(), 60) for s, _, _ in rows if timedelta(seconds=s) >= timedelta(0)
    ]
    assert day.timed == len(known)
    assert day.median_s == (pytest.approx(median(known)) if known else None)
    assert day.read_s == pytest.approx(sum(known))
    assert 0 <= day.not_sure <= day.answers == sum(stands for _, _, stands in rows)
    assert day.capped <= day.timed
