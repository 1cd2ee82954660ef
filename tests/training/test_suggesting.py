"""The ranking worker hands its opinions in, in studies that show them and for crops that may come with one."""

from pathlib import Path

import numpy as np
import pytest

from labeling.models import QueueEntry, Ranked, Study, Suggestion
from labeling.services.reads import STREAM
from tests.factories import answer, answer_all, kind_of
from tests.training.conftest import Bench
from training.worker.ranking import RankingWorker
from training.worker.saving import file_names


def ranked(bench: Bench, **settings: object) -> list[Suggestion]:
    Study.objects.filter(pk=bench.study.pk).update(**settings)
    RankingWorker().step()
    return list(Suggestion.objects.select_related("label_class", "crop"))


def test_every_queued_crop_has_the_likeliest_class_of_the_newest_ranking(data_folder: Path, bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:16])
    rows = ranked(bench, shows_suggestions=True)
    digest = Ranked.objects.get().digest
    asked = QueueEntry.objects.exclude(why=STREAM)
    assert {row.crop_id for row in rows} == set(asked.values_list("crop_id", flat=True)) != set()
    assert {row.model for row in rows} == {digest}
    _, probabilities, crops = (
        np.load(data_folder / "files" / "rankings" / name, allow_pickle=False) for name in file_names(digest)
    )
    places = {number: place for place, number in enumerate(crops.tolist())}
    for row in rows:
        share = probabilities[places[row.crop_id]]
        assert row.probability == pytest.approx(share.max(), abs=2e-3) and row.probability >= 0.5
        assert row.label_class.position == share.argmax()
    assert np.mean([row.label_class.key == kind_of(row.crop) for row in rows]) > 0.8


@pytest.mark.parametrize("settings", [{}, {"shows_suggestions": True, "is_blind": True}])
def test_a_study_that_shows_none_keeps_none(bench: Bench, settings: dict[str, object]) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:8])
    assert ranked(bench, **settings) == []


def test_a_study_that_becomes_blind_forgets_them(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:8])
    assert ranked(bench, shows_suggestions=True)
    assert ranked(bench, is_blind=True) == []


def test_before_two_classes_are_answered_nothing_is_suggested(bench: Bench) -> None:
    answer(bench.study, bench.bob, bench.crops[0])
    assert ranked(bench, shows_suggestions=True) == []
