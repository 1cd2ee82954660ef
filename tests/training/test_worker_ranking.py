"""The ranking worker: a function of the set of answers, rebuilt from rows by any worker."""

from pathlib import Path
from unittest.mock import Mock
from uuid import uuid4

import numpy as np
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from imaging.models import Image
from labeling.models import Lease, QueueEntry, Ranked, Study
from labeling.services.answers import undo
from labeling.services.queue import leased_crops, next_crops
from labeling.services.reads import SECOND_READ
from tests.factories import answer, answer_all, kind_of, make_experiment, make_study, make_user
from tests.training.conftest import Bench
from training.models import EmbeddingSet, Ranking
from training.worker.ranking import RankingWorker
from training.worker.saving import KEPT_RANKINGS

Queue = list[tuple[int, float, str]]


def ranked(study: Study, worker: RankingWorker | None = None) -> tuple[Queue, str]:
    """Queue and digest of the study, ranked now."""
    worker = worker or RankingWorker()
    assert worker.rank(study), worker.refusals
    return list(study.queue.values_list("crop", "score", "why")), Ranked.objects.get(study=study).digest


def test_permuting_the_answers_gives_the_same_queue(bench: Bench) -> None:
    given = bench.crops[:10]
    for crop in given:
        answer(bench.study, bench.bob, crop, kind_of(crop))
    first = ranked(bench.study)
    for _ in given:
        undo(bench.study, bench.bob, uuid4())
    for crop in given[::-1]:
        answer(bench.study, bench.bob, crop, kind_of(crop))
    Lease.objects.all().delete()
    assert ranked(bench.study) == first


def test_withdrawing_an_answer_restores_the_ranking(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:8])
    worker = RankingWorker()
    before = ranked(bench.study, worker)
    answer(bench.study, bench.bob, bench.crops[9], "disc")
    assert ranked(bench.study, worker) != before
    undo(bench.study, bench.bob, uuid4())
    Lease.objects.all().delete()
    assert ranked(bench.study, worker) == before


def test_a_worker_that_was_killed_is_replaced_without_a_trace(bench: Bench) -> None:
    old = RankingWorker()
    for crop in bench.crops[:8]:
        answer(bench.study, bench.bob, crop, kind_of(crop))
        last = ranked(bench.study, old)
    assert ranked(bench.study, RankingWorker()) == last


def test_the_worker_ranks_when_there_is_something_new_and_only_then(bench: Bench) -> None:
    worker = RankingWorker()
    assert [worker.step() for _ in range(2)] == [1, 0]
    given = answer(bench.study, bench.bob, bench.crops[0])
    assert [worker.step() for _ in range(2)] == [1, 0]
    assert Ranked.objects.get(study=bench.study).last_annotation == given.pk
    undo(bench.study, bench.bob, uuid4())
    assert worker.step() == 1


@pytest.mark.parametrize("change", [{"strategy": "margin"}, {"random_share": 0.5}, {"seed": 9}])
def test_a_changed_study_is_ranked_again(bench: Bench, change: dict[str, object]) -> None:
    worker = RankingWorker()
    worker.step()
    Study.objects.filter(pk=bench.study.pk).update(**change)
    assert worker.step() == 1


def test_answered_crops_leave_the_queue_and_the_rest_of_the_pool_stays(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:8])
    queue, _ = ranked(bench.study)
    assert {crop for crop, _, _ in queue} == {crop.pk for crop in bench.crops[8:]}


def test_a_pool_of_which_everything_is_answered_has_an_empty_queue(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops)
    assert ranked(bench.study)[0] == []


def test_with_plain_margin_the_first_crop_is_the_one_between_the_classes(bench: Bench) -> None:
    study = make_study(
        bench.alice, *bench.study.experiments.all(), name="margin", strategy="margin", random_share=0.0
    )
    for crop in bench.crops[:-1]:
        answer(study, bench.bob, crop, kind_of(crop))
    assert [crop for crop, _, _ in ranked(study)[0]] == [bench.crops[-1].pk]


def test_the_first_crop_differs_from_what_was_labelled_alone(bench: Bench) -> None:
    """With only discs of one experiment labelled, a ring is asked before another disc."""
    study = make_study(
        bench.alice, *bench.study.experiments.all(), name="typical", random_share=0.0, coverage_share=0.0
    )
    discs = [crop for crop in bench.crops if kind_of(crop) == "disc"]
    for crop in discs[: len(discs) - 4]:
        answer(study, bench.bob, crop, "disc")
    answer(study, bench.bob, next(crop for crop in bench.crops if kind_of(crop) == "ring"), "ring")
    first = ranked(study)[0][0][0]
    assert kind_of(next(crop for crop in bench.crops if crop.pk == first)) == "ring"


def test_scores_are_finite_and_those_of_the_whole_pool_are_the_file_named_by_the_digest(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:8])
    queue, digest = ranked(bench.study)
    assert np.isfinite([score for _, score, _ in queue]).all()
    scores = np.load(Path(settings.DATA_FOLDER) / "files" / "rankings" / f"{digest}.npy", allow_pickle=False)
    assert len(scores) == len(bench.crops)


def test_held_crops_stand_last_so_that_they_are_asked_when_their_lease_ends(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:-4])
    ranked(bench.study)
    next_crops(bench.study, bench.bob, 3)
    held = set(leased_crops(bench.study))
    queue, _ = ranked(bench.study)
    assert {crop for crop, _, _ in queue[1:]} == held
    assert len(next_crops(bench.study, bench.alice, 5)) == 1
    Lease.objects.all().delete()
    assert len(next_crops(bench.study, bench.alice, 5)) == 4


@pytest.mark.parametrize(
    ("rule", "place"),
    [({"overlap_share": 1.0}, 0), ({"reads_per_crop": 2}, 47)],
    ids=["shared crops first", "all crops last"],
)
def test_crops_that_need_a_second_reader_stand_where_the_study_wants_them(
    bench: Bench, rule: dict[str, float], place: int
) -> None:
    Study.objects.filter(pk=bench.study.pk).update(**rule)
    bench.study.refresh_from_db()
    answer(bench.study, bench.bob, bench.crops[5])
    crop, _, why = ranked(bench.study)[0][place]
    assert (crop, why) == (bench.crops[5].pk, SECOND_READ)


def test_an_empty_pool_is_refused_once_and_ranked_when_it_fills(bench: Bench) -> None:
    Image.objects.update(verdict="reject")
    worker = RankingWorker()
    assert [worker.step() for _ in range(3)] == [0, 0, 0]
    assert "is empty" in worker.refusals[bench.study.pk]
    assert not QueueEntry.objects.exists()


def test_studies_that_cannot_be_ranked_do_not_stop_the_others(bench: Bench) -> None:
    Study.objects.create(name="without experiments", question="?")
    odd = make_study(bench.alice, *bench.study.experiments.all(), name="a odd")
    Study.objects.filter(pk=odd.pk).update(random_share=0.9, coverage_share=0.9)
    worker = RankingWorker()
    assert [worker.step(), worker.step()] == [1, 0]
    assert list(Ranked.objects.values_list("study", flat=True)) == [bench.study.pk]
    assert any("at most 1 together" in reason for reason in worker.refusals.values())


def test_files_of_old_rankings_are_forgotten_and_their_rows_stay(data_folder: Path, bench: Bench) -> None:
    worker = RankingWorker()
    for crop in bench.crops[: KEPT_RANKINGS + 4]:
        answer(bench.study, bench.bob, crop, kind_of(crop))
        worker.step()
    files = {path.name.partition(".")[0] for path in (data_folder / "files" / "rankings").iterdir()}
    assert len(files) == KEPT_RANKINGS
    assert files < set(Ranking.objects.values_list("digest", flat=True))


def test_embeddings_are_computed_once_per_experiment(bench: Bench) -> None:
    for _ in range(2):
        ranked(bench.study)
    assert EmbeddingSet.objects.count() == 2
    assert sum(EmbeddingSet.objects.values_list("count", flat=True)) == len(bench.crops)


def test_answers_of_the_random_stream_teach_only_where_the_study_says_so(bench: Bench) -> None:
    def digest_with(teaches: bool) -> str:
        study = make_study(bench.alice, *bench.study.experiments.all(), name=f"stream {teaches}", random_share=0.8)
        Study.objects.filter(pk=study.pk).update(stream_in_training=teaches)
        study.refresh_from_db()
        reader = make_user(f"reader {teaches}")
        ranked(study)
        for candidate in next_crops(study, reader, 3):
            answer(study, reader, candidate.crop_id, "disc")
        return ranked(study)[1]

    assert digest_with(True) != digest_with(False)


def test_newer_answers_of_a_retired_class_do_not_break_the_ranking(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:8])
    bench.study.classes.filter(key="ring").update(retired_at=timezone.now())
    assert RankingWorker().step() == 1


@pytest.mark.parametrize("lacking", ["experiment", "class"])
def test_a_study_that_lacks_its_experiments_or_classes_is_told_what_to_add(bench: Bench, lacking: str) -> None:
    if lacking == "experiment":
        bench.study.experiments.clear()
    else:
        bench.study.classes.update(retired_at=timezone.now())
    with pytest.raises(CommandError, match=f"Study 'nuclei' has no {lacking}"):
        call_command("rank", "nuclei")


def test_odd_studies_are_ranked(bench: Bench, tmp_path: Path) -> None:
    for number in range(298):
        bench.study.classes.create(key=f"kind-{number}", name=f"kind {number}", position=number + 2)
    answer_all(bench.study, bench.bob, bench.crops[:6])
    ranked(bench.study)
    small = make_study(bench.alice, make_experiment(tmp_path, "small", crops=3), name="small")
    ranked(small)


@pytest.mark.parametrize("answers", [0, 6])
def test_a_pool_of_equal_embeddings_is_ranked(bench: Bench, monkeypatch: pytest.MonkeyPatch, answers: int) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:answers])
    monkeypatch.setattr("training.worker.pool.embeddings", lambda *_: np.ones((24, 8), np.float32))
    ranked(bench.study)


def test_a_failure_in_one_study_is_said_and_the_worker_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "training.worker.ranking.load_ranking_pool", Mock(side_effect=FileNotFoundError(2, "No such file"))
    )
    worker = RankingWorker()
    assert [worker.step() for _ in range(2)] == [0, 0]
    assert "No such file" in worker.refusals[bench.study.pk]
