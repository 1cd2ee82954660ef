"""The page of a reader: figures that a plain count gives too, for leads; programs and files have no pace."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.agreement.intervals import Estimate
from labeling.models import Annotation
from labeling.services.counts import count
from labeling.services.exclusions import exclude
from labeling.services.guidelines import keep_version
from labeling.services.pace import answered, class_times, names_of, pace_of
from labeling.services.readers import figures_of
from labeling.services.reads import ADJUDICATION
from labeling.services.workload import workload
from labeling.worker.agreement import compute
from tests.factories import answer
from tests.labeling.conftest import Room


def read(room: Room, user: Any, labels: str, **more: Any) -> None:
    """Answers to the crops in order: d and r for the classes, n for not sure, a dot for none."""
    names = {"d": "disc", "r": "ring", "n": ""}
    for crop, letter in zip(room.crops, labels, strict=False):
        if letter in names:
            answer(room.study, user, crop, names[letter], **more)


def hits(share: Estimate) -> tuple[int, int]:
    """How many of how many a share stands for."""
    return round((share.value or 0) * share.n), share.n


def test_the_figures_are_those_of_a_plain_count(room: Room) -> None:
    read(room, room.bob, "dddrrrnn....")
    read(room, room.dora, "ddrrrr.d....")
    figures = figures_of(room.study, room.bob)
    assert (figures.reads, hits(figures.not_sure), hits(figures.bad)) == (8, (2, 8), (0, 8))
    assert hits(figures.others.same) == (5, 6)
    assert [(name, hits(row)) for name, row in figures.per_class] == [("disc", (2, 2)), ("ring", (3, 4))]
    assert figures.sources == {"reading room": 8}
    assert figures.pace.per_hour is None and figures.said == []


def test_a_reader_who_is_left_out_is_shown_beside_those_who_count_and_changes_nobodys_figures(room: Room) -> None:
    read(room, room.bob, "dddd........")
    read(room, room.dora, "dddd........")
    read(room, room.alice, "rrrr........")
    assert figures_of(room.study, room.bob).others.same.n == 0
    exclude(room.study, room.alice, room.alice, "too fast")
    assert hits(figures_of(room.study, room.bob).others.same) == (4, 4)
    own = figures_of(room.study, room.alice)
    assert (own.reads, hits(own.others.same)) == (4, (0, 4))


def test_own_re_reads_tell_how_far_a_reader_repeats_themselves(room: Room) -> None:
    read(room, room.bob, "ddd.........")
    for crop, label in zip(room.crops[:3], ("disc", "ring", "disc"), strict=True):
        given = answer(room.study, room.dora, crop, label)
        Annotation.objects.filter(pk=given.pk).update(is_reread=True, annotator=room.bob)
    figures = figures_of(room.study, room.bob)
    assert hits(figures.themselves) == (2, 3)
    assert figures.reads == 3


def test_pauses_programs_and_files_give_no_pace(room: Room) -> None:
    now = timezone.now()
    shown = {"shown_at": now - timedelta(seconds=7), "answered_at": now}
    for _ in range(2):
        read(room, room.bob, "d" * 12, **shown)
    answer(room.study, room.bob, room.crops[0], "ring", shown_at=now - timedelta(hours=1), answered_at=now)
    read(room, room.dora, "d" * 12, source="simulated", **shown)
    rows = answered(room.study)
    pace = pace_of(rows, room.study.idle_cap_s)
    assert pace.answers == 25
    assert pace.hours == pytest.approx((24 * 7 + 60) / 3600)
    assert pace.per_hour == pytest.approx(25 / pace.hours)
    assert pace_of([row for row in rows if row.annotator == room.dora.pk], 60).per_hour is None
    times = class_times(rows, names_of(room.study), room.study.idle_cap_s)
    assert [(row.said, row.n, row.median_s) for row in times] == [("disc", 24, 7.0), ("ring", 1, None)]


def test_versions_of_the_guidelines_that_the_reader_had_are_counted(room: Room) -> None:
    room.study.guidelines = "Look twice."
    room.study.save()
    keep_version(room.study, room.alice)
    newest = room.study.guideline_versions.first()
    read(room, room.bob, "ddd.........", guideline=newest.number)
    Annotation.objects.filter(pk=answer(room.study, room.bob, room.crops[5]).pk).update(guideline=None)
    assert figures_of(room.study, room.bob).guidelines == [(None, 1), (newest.number, 3)]


def test_the_page_opens_for_leads_for_everybody_who_takes_part_and_links_to_the_answers(room: Room) -> None:
    read(room, room.bob, "dddrrrnn....")
    client = Client()
    client.force_login(room.alice)
    for user in (room.bob, room.dora, room.alice):
        page = client.get(reverse("labeling:reader", args=[room.study.pk, user.pk]))
        assert page.status_code == 200
        assert f"?reader={user.pk}" in page.content.decode()
    assert client.get(reverse("labeling:reader", args=[room.study.pk, 999_999])).status_code == 404
    for name in ("members", "overview"):
        text = client.get(reverse(f"labeling:{name}", args=[room.study.pk])).content.decode()
        assert reverse("labeling:reader", args=[room.study.pk, room.bob.pk]) in text


def test_the_reader_page_and_the_report_of_agreement_tell_the_same_of_a_reader(room: Room) -> None:
    read(room, room.bob, "dddrrrnnd...")
    read(room, room.dora, "ddrrrr.dr...")
    read(room, room.alice, "..rd......dd")
    Annotation.objects.filter(annotator=room.alice, crop=room.crops[3]).update(why_asked=ADJUDICATION)
    answer(room.study, room.bob, room.crops[11], "", answer="bad_crop")
    data, _, _ = compute(room.study)
    for row in data["readers"]:
        figures = figures_of(room.study, get_user_model().objects.get(pk=row["id"]))
        for told, kept in ((figures.others.same, row["reliability"]), (figures.not_sure, row["not_sure"])):
            assert (told.n, told.value) == (kept["n"], kept["value"]), row["name"]


def test_the_overview_and_the_page_of_progress_tell_one_pace(room: Room) -> None:
    now = timezone.now()
    read(room, room.bob, "d" * 12, shown_at=now - timedelta(seconds=7), answered_at=now)
    assert [row["per_hour"] for row in count(room.study).by_annotator] == [None], "twelve answers are too few"
    read(room, room.bob, "r" * 12, shown_at=now - timedelta(seconds=7), answered_at=now)
    (told,), (shown,) = count(room.study).by_annotator, [row for row in workload(room.study).readers if row.answers]
    assert told["per_hour"] == shown.pace.per_hour == pytest.approx(3600 / 7)
