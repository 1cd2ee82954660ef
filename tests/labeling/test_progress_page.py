"""Progress, forecast and cost: counted as plain loops count, silent where too little is known, and kept nowhere."""

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from labeling.models import Annotation
from labeling.services.exclusions import exclude
from labeling.services.forecast import cost, forecast
from labeling.services.reads import STREAM
from labeling.services.workload import reads_left, workload
from tests.factories import answer, fill_queue
from tests.labeling.conftest import Room

TODAY = date(2026, 3, 31)


@given(st.integers(1, 5000), st.integers(0, 500), st.lists(st.integers(10, 90), min_size=5, max_size=14))
def test_more_to_do_never_ends_earlier_and_the_date_lies_in_its_range(
    missing: int, more: int, daily: list[int]
) -> None:
    near, far = forecast(missing, daily, TODAY), forecast(missing + more, daily, TODAY)
    if sum(daily) < 50:
        assert near.done is None
        return
    assert near.done is not None and near.earliest is not None
    assert TODAY < near.earliest <= near.done and (near.latest is None or near.done <= near.latest)
    assert far.done is None or near.done <= far.done
    assert near.low_per_day <= near.per_day <= near.high_per_day


def test_an_even_pace_ends_on_its_day_and_a_ragged_one_within_a_wide_range() -> None:
    even, ragged = forecast(300, [30] * 14, TODAY), forecast(300, [0, 60] * 7, TODAY)
    assert even.done == even.earliest == even.latest == TODAY + timedelta(days=10)
    assert ragged.done == even.done and ragged.earliest < ragged.done < ragged.latest


@pytest.mark.parametrize("daily", [[], [0] * 14, [500], [100] * 4, [9] * 5])
def test_a_few_days_or_answers_say_nothing(daily: list[int]) -> None:
    found = forecast(100, daily, TODAY)
    assert (found.done, found.per_day) == (None, None) and found.reason.startswith("too little to say")


def test_nothing_missing_is_done_and_a_lifetime_has_no_date() -> None:
    assert forecast(0, [], TODAY).done == TODAY
    found = forecast(10**9, [20] * 14, TODAY)
    assert (found.done, found.latest, found.per_day) == (None, None, 20)


def test_the_range_of_the_daily_pace_covers_the_true_one_as_often_as_it_says() -> None:
    import numpy as np

    rng = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        found = forecast(1000, rng.poisson(40, 14).tolist(), TODAY)
        held += found.low_per_day <= 40 <= found.high_per_day
    assert held / 300 > 0.88


@given(st.lists(st.floats(0.5, 60), min_size=2, max_size=50), st.integers(0, 1000), st.floats(0, 200))
def test_cost_grows_with_rate_and_work(seconds: list[float], missing: int, rate: float) -> None:
    found = cost(seconds, missing, rate)
    assert found.spent == pytest.approx(sum(seconds) / 3600 * rate)
    assert found.low <= found.to_come + 1e-9 and found.to_come <= found.high + 1e-9
    assert found.to_come == pytest.approx(missing * sum(seconds) / len(seconds) / 3600 * rate, abs=1e-9)
    assert cost(seconds, missing, 2 * rate).to_come == pytest.approx(2 * found.to_come)
    assert cost(seconds[:1], missing, rate).to_come is None


def test_reads_that_are_missing_are_those_that_the_queue_would_ask_for(room: Room) -> None:
    room.study.reads_per_crop = 2
    room.study.random_share = 0.0
    room.study.save()
    answer(room.study, room.bob, room.crops[0])
    answer(room.study, room.bob, room.crops[1])
    answer(room.study, room.dora, room.crops[1])
    answer(room.study, room.bob, room.crops[2], "", answer=Annotation.Answer.BAD_CROP)
    left = reads_left(room.study)
    assert (left.answered, left.missing_in_hand, left.missing_fresh) == (3, 1, 9 * 2)
    assert reads_left(room.study, 3).missing == 1
    exclude(room.study, room.bob, room.alice, "hasty")
    left = reads_left(room.study)
    assert (left.answered, left.missing_in_hand, left.missing_fresh) == (1, 1, 11 * 2)


def test_a_random_check_and_a_share_of_second_reads_count_beforehand(room: Room) -> None:
    room.study.overlap_share, room.study.random_share = 0.2, 0.1
    room.study.save()
    assert reads_left(room.study).per_fresh_crop == pytest.approx(1 + 1 - 0.8 * 0.9)
    fill_queue(room.study, room.crops, why=STREAM)
    answer(room.study, room.bob, room.crops[0])
    assert reads_left(room.study).missing_in_hand == 1


def days_ago(row: Annotation, days: int, seconds: float = 4) -> None:
    """Put an answer back by so many days, its look so many seconds long."""
    at = timezone.now() - timedelta(days=days)
    Annotation.objects.filter(pk=row.pk).update(
        received_at=at, answered_at=at, shown_at=at - timedelta(seconds=seconds)
    )


def read_for_a_week(room: Room) -> None:
    """Bob answers one crop twelve times on each of six days, superseding; Dora a program, Alice a file."""
    for day in range(1, 7):
        for crop in room.crops:
            days_ago(answer(room.study, room.bob, crop, "disc"), day)
    answer(room.study, room.dora, room.crops[0], source="simulated")
    given = answer(room.study, room.alice, room.crops[0])
    Annotation.objects.filter(pk=given.pk).update(source="import")


def test_answers_by_day_and_reader_keep_programs_and_files_apart(room: Room) -> None:
    read_for_a_week(room)
    room.study.memberships.filter(user=room.bob).update(daily_goal=12)
    work = workload(room.study)
    bob = next(row for row in work.readers if row.user == room.bob.pk)
    assert bob.pace.answers == work.pace.answers == 72
    assert bob.pace.per_hour == pytest.approx(900)
    assert sum(day.answers for day in work.days) == sum(day.answers for day in bob.days) == bob.answers == 12
    assert bob.reached == 1
    assert work.apart == {"simulated": 1, "imported": 1}
    assert work.cost is None


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_the_page_shows_cost_only_where_a_rate_is_given_and_keeps_none(room: Room) -> None:
    read_for_a_week(room)
    client, page = client_of(room.alice), reverse("labeling:progress", args=[room.study.pk])
    assert "Still to come" not in client.get(page).content.decode()
    assert "Still to come" in client.get(page, {"rate": "36"}).content.decode()
    assert "Still to come" not in client.get(page).content.decode()
    for wrong in (
        {"rate": "-1"},
        {"rate": "nan"},
        {"rate": "1e9"},
        {"target": "0"},
        {"target": "13"},
        {"target": "x"},
    ):
        answered = client.get(page, wrong)
        assert answered.status_code == 200 and "errorlist" in answered.content.decode(), wrong
    assert "errorlist" not in client.get(page, {"target": "12", "rate": "0"}).content.decode()


def test_the_file_has_a_row_for_each_day_and_person_and_no_name(room: Room) -> None:
    read_for_a_week(room)
    response = client_of(room.alice).get(reverse("labeling:progress-csv", args=[room.study.pk]))
    text = b"".join(response.streaming_content).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 6 and {row["annotator"] for row in rows} == {f"user:{room.bob.pk}"}
    assert [row["timed"] for row in rows] == ["12"] * 6 and "bob" not in text
    assert sum(float(row["hours"]) for row in rows) == pytest.approx(72 * 4 / 3600, abs=1e-4)


def test_annotators_see_neither_page_nor_file(room: Room) -> None:
    for name in ("progress", "progress-csv"):
        assert client_of(room.bob).get(reverse(f"labeling:{name}", args=[room.study.pk])).status_code == 403
