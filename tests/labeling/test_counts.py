"""What the overview counts: the same whether it was kept or counted now, and kept for large studies alone."""

import pytest

from labeling.models import AgreementReport
from labeling.services import counts
from labeling.services.counts import Counts, count, counts_of
from labeling.services.exclusions import exclude
from labeling.worker.agreement import make_report
from tests.factories import answer_all
from tests.labeling.conftest import Room


def test_kept_counts_are_those_of_the_moment(room: Room) -> None:
    answer_all(room.study, room.bob, room.crops[:6])
    now = count(room.study)
    assert Counts.from_json(now.as_json()) == now
    make_report(room.study.pk)
    assert Counts.from_json(AgreementReport.objects.get(study=room.study).counts) == now


def test_a_small_study_is_counted_anew_and_a_large_one_is_not(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    answer_all(room.study, room.bob, room.crops[:4])
    make_report(room.study.pk)
    answer_all(room.study, room.bob, room.crops[4:6])
    assert counts_of(room.study).answered == 6
    monkeypatch.setattr(counts, "COUNTED_AT_ONCE", 5)
    assert counts_of(room.study).answered == 4
    make_report(room.study.pk)
    assert counts_of(room.study).answered == 6


def test_a_large_study_without_a_report_is_counted(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "COUNTED_AT_ONCE", 1)
    answer_all(room.study, room.bob, room.crops[:3])
    assert counts_of(room.study).answered == 3


def test_leaving_a_reader_out_makes_a_new_report_without_them(room: Room) -> None:
    answer_all(room.study, room.bob, room.crops[:4])
    answer_all(room.study, room.alice, room.crops[:4])
    make_report(room.study.pk)
    exclude(room.study, room.bob, room.alice, "looked at the wrong channel")
    assert make_report(room.study.pk)
    data = AgreementReport.objects.get(study=room.study).data
    assert [row["name"] for row in data["readers"]] == ["alice"]
