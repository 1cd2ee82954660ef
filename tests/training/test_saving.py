"""What a ranking leaves behind: files by its digest, a row that stays, nothing of workers that died."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labeling.models import Annotation, AnnotationLabel, Ranked
from tests.factories import answer, answer_all, make_study
from tests.training.conftest import Bench
from training.models import Ranking
from training.worker import saving
from training.worker.pool import load_ranking_pool
from training.worker.ranking import RankingWorker
from training.worker.saving import KEPT_RANKINGS, LEFT_BEHIND_AFTER_S, file_names, sweep


@pytest.fixture
def rankings(data_folder: Path) -> Path:
    return data_folder / "files" / "rankings"


def newest(bench: Bench) -> str:
    return Ranked.objects.get(study=bench.study).digest


def test_scores_probabilities_and_crops_lie_under_the_rankings_digest(rankings: Path, bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:12])
    RankingWorker().step()
    scores, probabilities, crops = (
        np.load(rankings / name, mmap_mode="r", allow_pickle=False) for name in file_names(newest(bench))
    )
    assert crops.tolist() == load_ranking_pool(bench.study, "handcrafted").crop_ids.tolist()
    assert len(scores) == len(crops) and probabilities.shape == (len(crops), 2)
    assert probabilities.dtype == np.float16 and probabilities.flags.f_contiguous
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=2e-3)


def test_before_two_classes_are_known_there_are_no_probabilities(rankings: Path, bench: Bench) -> None:
    answer(bench.study, bench.bob, bench.crops[0])
    RankingWorker().step()
    assert [(rankings / name).exists() for name in file_names(newest(bench))] == [True, False, True]


def test_the_row_of_a_ranking_tells_what_it_was_made_with(rankings: Path, bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:8])
    RankingWorker().step()
    row, ranked = Ranking.objects.get(), Ranked.objects.get()
    assert row.parameters["ridge"] > 0 and row.parameters["temperature"] > 0
    assert (row.encoder_name, row.encoder) == ("handcrafted", ranked.encoder) and len(row.encoder) == 64
    assert row.last_annotation == ranked.last_annotation and row.answers == ranked.answers == 8
    assert ranked.seconds == row.seconds > 0


def test_a_digest_without_an_answer_behind_it_keeps_no_ranking_out(bench: Bench) -> None:
    """A database that was restored holds a newer number than there are answers."""
    answer_all(bench.study, bench.bob, bench.crops[:4])
    worker = RankingWorker()
    worker.step()
    last = Annotation.objects.order_by("-id")[0]
    AnnotationLabel.objects.filter(annotation=last).delete()
    Annotation.objects.filter(pk=last.pk).delete()
    assert worker.step() == 1
    assert Ranked.objects.get().last_annotation < last.pk


def test_files_that_another_study_ranks_by_stay(rankings: Path, bench: Bench) -> None:
    other = make_study(bench.alice, *bench.study.experiments.all(), name="other")
    worker = RankingWorker()
    worker.step()
    shared = newest(bench)
    assert Ranked.objects.get(study=other).digest == shared
    for crop in bench.crops[: KEPT_RANKINGS + 3]:
        answer(bench.study, bench.bob, crop)
        worker.step()
    assert (rankings / file_names(shared)[0]).exists()


def test_a_starting_worker_sweeps_what_killed_ones_left(rankings: Path, bench: Bench) -> None:
    RankingWorker().step()
    kept = set(rankings.iterdir())
    leftovers = [rankings / name for name in ("tmpabc.tmp", *file_names("f" * 64))]
    for path in (*leftovers, *kept):
        path.touch()
        os.utime(path, (0, path.stat().st_mtime - 2 * LEFT_BEHIND_AFTER_S))
    fresh = rankings / "tmpdef.tmp"
    fresh.touch()
    sweep()
    assert set(rankings.iterdir()) == kept | {fresh}


def test_sweeping_beside_a_worker_that_writes_stops_nothing(
    rankings: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    RankingWorker().step()
    kept = sorted(rankings.iterdir())
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter([folder / "tmpgone.tmp", *kept]))
    sweep()
    assert all(path.exists() for path in kept)


def test_a_file_that_another_worker_dropped_meanwhile_is_written_again(
    rankings: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_queue = saving.replace_queue

    def meanwhile(*given: Any) -> None:
        for path in rankings.iterdir():
            path.unlink()
        replace_queue(*given)

    monkeypatch.setattr(saving, "replace_queue", meanwhile)
    assert RankingWorker().step() == 1
    assert (rankings / file_names(newest(bench))[0]).exists()


def test_probabilities_of_a_huge_pool_with_many_classes_are_left_out(
    rankings: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving, "MOST_PROBABILITIES", 10)
    answer_all(bench.study, bench.bob, bench.crops[:8])
    RankingWorker().step()
    assert not list(rankings.glob("*.probabilities.npy"))
