"""Odd pools and broken files: a defined result or a clear reason, the last good ranking stays, the others go on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import tifffile
from django.db import IntegrityError

from imaging.models import Crop, Experiment
from imaging.services.storage import shard
from labeling.models import Annotation, AnnotationLabel, QueueEntry, Ranked, Study
from labeling.services.queue import next_crops
from tests.factories import (
    add_reader,
    answer,
    answer_all,
    box_rows,
    crops_of,
    kind_of,
    make_experiment,
    make_study,
    make_user,
    picture,
    take_in,
    write_manifest,
)
from tests.training.conftest import Bench
from training.learning.ranking import PoolRanker
from training.models import EmbeddingSet, Ranking
from training.services.labels import standing_answers
from training.worker import pool as pool_module
from training.worker import ranking as worker_module
from training.worker.embedding import embed_study
from training.worker.pool import load_ranking_pool
from training.worker.ranking import RankingWorker


def queue_of(study: Study) -> list[tuple[int, str]]:
    return list(study.queue.values_list("crop", "why"))


def problem_of(study: Study) -> str:
    return Study.objects.get(pk=study.pk).ranking_problem


def test_a_study_of_three_crops_is_asked_to_its_end(db: None, tmp_path: Path) -> None:
    alice = make_user()
    study = make_study(alice, make_experiment(tmp_path, "small", crops=3), random_share=0.0)
    worker = RankingWorker()
    for left in (3, 2, 1, 0):
        worker.step()
        assert study.queue.count() == left and not worker.refusals
        if left:
            answer(study, alice, next_crops(study, alice, 1)[0].crop_id)


def test_a_study_in_which_nobody_could_tell_is_ranked_and_says_what_to_expect(bench: Bench) -> None:
    carol = add_reader(bench.study, "carol")
    for crop in bench.crops[:12]:
        answer(bench.study, bench.bob, crop, "")
        answer(bench.study, carol, crop, "")
    worker = RankingWorker()
    assert worker.step() == 1, worker.refusals
    assert {crop for crop, _ in queue_of(bench.study)} == {crop.pk for crop in bench.crops[12:]}
    answer_all(bench.study, bench.bob, bench.crops[12:20])
    assert worker.step() == 1
    expected = Ranked.objects.get(study=bench.study).expected_not_sure
    assert expected is not None and 0 < expected < 1


def test_not_sure_teaches_only_where_the_study_says_so(bench: Bench) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:8])
    for crop in bench.crops[8:12]:
        answer(bench.study, bench.bob, crop, "")
    learned: list[list[int]] = []
    rank = PoolRanker.rank

    def spy(self: PoolRanker, answers: Any, *rest: Any) -> Any:
        learned.append(answers.crop_index.tolist())
        return rank(self, answers, *rest)

    worker = RankingWorker()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PoolRanker, "rank", spy)
        worker.step()
        Study.objects.update(not_sure_as_soft_labels=True)
        worker.step()
    places = load_ranking_pool(bench.study, "handcrafted").rows_of([crop.pk for crop in bench.crops[:12]]).tolist()
    assert learned == [sorted(places[:8]), sorted(places[:8]), sorted(places)]


def test_embeddings_that_are_not_finite_are_refused_by_name_and_the_last_ranking_stays(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    RankingWorker().step()
    before = queue_of(bench.study), Ranked.objects.get(study=bench.study).ranked_at
    monkeypatch.setattr("training.worker.pool.embeddings", lambda *_: np.full((24, 8), np.nan, np.float32))
    worker = RankingWorker()
    answer(bench.study, bench.bob, bench.crops[0])
    assert worker.step() == 0
    assert "NaN" in problem_of(bench.study)
    assert (queue_of(bench.study), Ranked.objects.get(study=bench.study).ranked_at) == before


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def lost(path: Path) -> None:
    path.unlink()


def other_width(path: Path) -> None:
    rows = np.load(path, allow_pickle=False)
    np.save(path, np.ascontiguousarray(rows[..., :-1] if rows.ndim == 2 else rows), allow_pickle=False)


@pytest.mark.parametrize("damage", [halved, lost, other_width])
def test_damaged_embeddings_are_made_again_and_give_the_same_ranking(
    data_folder: Path, bench: Bench, damage: Callable[[Path], None]
) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:8])
    RankingWorker().step()
    before = queue_of(bench.study), Ranked.objects.get(study=bench.study).digest
    for path in (data_folder / "files" / "embeddings").glob("*.npy"):
        damage(path)
    worker = RankingWorker()
    assert worker.step() == 1, worker.refusals
    assert (queue_of(bench.study), Ranked.objects.get(study=bench.study).digest) == before


def test_what_cannot_be_made_again_is_said_on_the_study_and_the_others_go_on(
    data_folder: Path, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_study(bench.alice, make_experiment(tmp_path, "plate 9", seed=9), name="other")
    RankingWorker().step()
    before = queue_of(bench.study)
    broken = Crop.objects.filter(pk=bench.crops[0].pk).values_list("shard", flat=True)[0]
    files = data_folder / "files"
    lost_files = [files / "crops" / f"{broken}.npy", *(files / "embeddings").iterdir()]
    kept = {path: path.read_bytes() for path in lost_files}
    for path in lost_files:
        path.unlink()
    shard.cache_clear()
    answer(bench.study, bench.bob, bench.crops[0])
    answer(other, bench.alice, crops_of(other.experiments.get())[0])
    worker = RankingWorker()
    assert worker.step() == 1
    assert "No such file" in problem_of(bench.study) and problem_of(other) == ""
    assert queue_of(bench.study) == before
    for path, content in kept.items():
        path.write_bytes(content)
    assert worker.step() == 0
    monkeypatch.setattr(worker_module, "RETRY_S", 0.0)
    assert RankingWorker().step() == 2
    assert problem_of(bench.study) == ""


def test_a_refused_study_is_tried_again_after_a_while(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    load = worker_module.load_ranking_pool
    monkeypatch.setattr(worker_module, "RETRY_S", 0.0)
    monkeypatch.setattr(
        worker_module, "load_ranking_pool", Mock(side_effect=[ValueError("away"), load(bench.study, "handcrafted")])
    )
    worker = RankingWorker()
    assert [worker.step() for _ in range(3)] == [0, 1, 0]
    assert problem_of(bench.study) == ""


def test_a_class_that_is_retired_while_ranking_is_ranked_without_at_the_next_step(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_all(bench.study, bench.bob, bench.crops[:8])
    disc, ring = bench.study.classes.order_by("position")
    entries = worker_module.entries

    def meanwhile(*given: Any) -> Any:
        ring.merged_into, ring.retired_at = disc, bench.study.created_at
        ring.save()
        return entries(*given)

    monkeypatch.setattr(worker_module, "entries", meanwhile)
    worker = RankingWorker()
    assert worker.step() == 1
    monkeypatch.setattr(worker_module, "entries", entries)
    assert [worker.step(), worker.step()] == [1, 0]
    assert standing_answers(bench.study).votes.sum(axis=0).tolist() == [8]


@pytest.mark.parametrize(("collisions", "ranked"), [(1, [0, 1, 0]), (2, [0, 0, 0])])
def test_what_changes_while_it_is_ranked_is_ranked_again_at_the_next_step_and_then_waits(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, collisions: int, ranked: list[int]
) -> None:
    save = worker_module.save
    monkeypatch.setattr(worker_module, "save", Mock(side_effect=[*[IntegrityError("gone")] * collisions, None]))
    worker = RankingWorker()
    assert [worker.step() for _ in ranked] == ranked
    assert ("within a minute" in problem_of(bench.study)) == (collisions == 2)
    monkeypatch.setattr(worker_module, "save", save)
    worker._retry_at[bench.study.pk] = 0.0
    worker.step()
    assert problem_of(bench.study) == ""


@pytest.mark.django_db(transaction=True)
def test_a_crop_or_a_study_that_vanishes_while_ranking_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = make_user()
    experiment = make_experiment(tmp_path, "plate 1")
    gone, other = (make_study(alice, experiment, name=name) for name in ("a gone", "other"))
    entries = worker_module.entries

    def meanwhile(*given: Any) -> Any:
        Study.objects.filter(pk=gone.pk).delete()
        return entries(*given)

    monkeypatch.setattr(worker_module, "entries", meanwhile)
    worker = RankingWorker()
    assert worker.step() == 1
    assert list(Ranked.objects.values_list("study", flat=True)) == [other.pk]
    assert worker.step() == 0


def test_crops_of_twelve_channels_are_ranked(db: None, tmp_path: Path) -> None:
    pixels = np.stack([picture(12, seed) for seed in range(12)])
    tifffile.imwrite(tmp_path / "field.ome.tif", pixels, metadata={"axes": "CYX"})
    report = take_in(write_manifest(tmp_path, box_rows("field.ome.tif", "twelve", 12)), pixel_size_um=0.5)
    assert not report.refused, report.refused
    experiment = Experiment.objects.get(name="twelve")
    alice = make_user()
    study = make_study(alice, experiment)
    answer_all(study, alice, crops_of(experiment)[:4])
    worker = RankingWorker()
    assert worker.step() == 1, worker.refusals
    assert len(experiment.channels) == 12 and study.queue.count() == 8


@pytest.fixture
def twice(db: None, tmp_path: Path) -> Bench:
    """The same field in two experiments."""
    experiments = [make_experiment(tmp_path, name, seed=1) for name in ("plate a", "plate b")]
    alice = make_user("alice")
    study = make_study(alice, *experiments)
    return Bench(study, alice, add_reader(study, "bob"), [crop for row in experiments for crop in crops_of(row)])


def test_the_same_pixels_in_two_experiments_are_asked_once(twice: Bench) -> None:
    assert {crop.key for crop in twice.crops[:24]} == {crop.key for crop in twice.crops[24:]}
    worker = RankingWorker()
    worker.step()
    assert {crop for crop, _ in queue_of(twice.study)} == {crop.pk for crop in twice.crops[:24]}
    for number in range(24):
        candidate = next_crops(twice.study, twice.bob, 1)[0]
        answer(twice.study, twice.bob, candidate.crop_id, kind_of(Crop.objects.get(pk=candidate.crop_id)))
        assert worker.step() == 1, number
    assert next_crops(twice.study, twice.bob, 5) == []


def test_an_answer_to_a_copy_is_an_answer_to_what_it_shows(twice: Bench) -> None:
    def digest_after(crop: Crop, name: str) -> tuple[str, list[tuple[int, str]]]:
        study = make_study(twice.alice, *twice.study.experiments.all(), name=name)
        answer(study, twice.alice, crop)
        assert RankingWorker().rank(study)
        return Ranked.objects.get(study=study).digest, queue_of(study)

    assert digest_after(twice.crops[3], "original") == digest_after(twice.crops[27], "copy")


def test_a_copy_stands_in_where_the_original_is_rejected(twice: Bench) -> None:
    image = twice.crops[0].image
    image.verdict = "reject"
    image.save()
    RankingWorker().step()
    assert {crop for crop, _ in queue_of(twice.study)} == {crop.pk for crop in twice.crops[24:]}


def test_without_one_annotators_answers_the_ranking_is_that_of_a_study_they_never_read(bench: Bench) -> None:
    other = make_study(bench.alice, *bench.study.experiments.all(), name="other")
    # A read of the random stream waits for its second one: who is asked what by the stream depends on the queue.
    Study.objects.update(random_share=0.0)
    worker = RankingWorker()
    for crop in bench.crops[:10]:
        answer(other, bench.alice, crop, kind_of(crop))
        answer(bench.study, bench.alice, crop, kind_of(crop))
        answer(bench.study, bench.bob, bench.crops[crop.pk % 24], ("disc", "ring", "")[crop.pk % 3])
        worker.step()
    his = Annotation.objects.filter(study=bench.study, annotator=bench.bob)
    AnnotationLabel.objects.filter(annotation__in=his).delete()
    his.filter(supersedes__isnull=False).delete()
    his.delete()
    worker.step()
    first, second = (Ranked.objects.get(study=study).digest for study in (bench.study, other))
    assert first == second and queue_of(bench.study) == queue_of(other)


def test_many_answers_make_one_ranking_that_knows_them_all(bench: Bench) -> None:
    worker = RankingWorker()
    worker.step()
    answer_all(bench.study, bench.bob, bench.crops[:20])
    assert [worker.step() for _ in range(3)] == [1, 0, 0]
    ranked = Ranked.objects.get(study=bench.study)
    assert (ranked.answers, ranked.last_annotation) == (20, Annotation.objects.order_by("-id")[0].pk)


def test_a_worker_that_is_behind_never_replaces_a_newer_ranking(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, quick = RankingWorker(), RankingWorker()
    answer_all(bench.study, bench.bob, bench.crops[:4])
    entries = worker_module.entries

    def meanwhile(*given: Any) -> Any:
        monkeypatch.setattr(worker_module, "entries", entries)
        answer_all(bench.study, bench.bob, bench.crops[4:8])
        assert quick.step() == 1
        return entries(*given)

    monkeypatch.setattr(worker_module, "entries", meanwhile)
    slow.step()
    assert Ranked.objects.get(study=bench.study).answers == 8
    assert {row.ranking for row in QueueEntry.objects.all()} == {Ranking.objects.get(answers=8).digest}
    assert [slow.step(), slow.step()] == [1, 0]


def test_studies_that_make_room_for_others_are_not_ranked_again_without_news(bench: Bench) -> None:
    studies = [bench.study, *(make_study(bench.alice, *bench.study.experiments.all(), name=name) for name in "abcd")]
    narrow, roomy = RankingWorker(warm_bytes=1), RankingWorker()
    assert [narrow.step(), narrow.step()] == [5, 0]
    answer_all(studies[2], bench.alice, bench.crops[:5])
    assert [narrow.step(), narrow.step()] == [1, 0]
    digest = Ranked.objects.get(study=studies[2]).digest
    assert roomy.rank(studies[2]) and Ranked.objects.get(study=studies[2]).digest == digest


def test_two_readers_at_once_never_hold_the_same_crop(bench: Bench) -> None:
    Study.objects.update(random_share=0.0)
    carol = add_reader(bench.study, "carol")
    worker = RankingWorker()
    for _ in range(8):
        worker.step()
        crops = [next_crops(bench.study, reader, 3) for reader in (bench.bob, carol)]
        assert not {row.crop_id for row in crops[0]} & {row.crop_id for row in crops[1]}
        for reader, mine in zip((bench.bob, carol), crops, strict=True):
            answer(bench.study, reader, mine[0].crop_id)


def test_a_damaged_file_of_a_network_is_said_then_handcrafted_features_rank_until_it_is_there_again(
    data_folder: Path, bench: Bench
) -> None:
    Study.objects.update(encoder="untrained")
    embed_study(bench.study.pk)
    answer_all(bench.study, bench.bob, bench.crops[:8])
    worker = RankingWorker()
    worker.step()
    good, before = Ranked.objects.get(study=bench.study), queue_of(bench.study)
    assert (good.encoder_name, good.note) == ("untrained", "")
    for digest, _ in EmbeddingSet.objects.filter(encoder_name="untrained")[0].shards:
        halved(data_folder / "files" / "embeddings" / f"{digest}.npy")
    worker = RankingWorker()
    assert worker.step() == 0
    assert "damaged" in problem_of(bench.study) and queue_of(bench.study) == before
    assert worker.step() == 1
    fallen_back = Ranked.objects.get(study=bench.study)
    assert fallen_back.encoder_name == "handcrafted" and "untrained" in fallen_back.note
    assert problem_of(bench.study) == ""
    embed_study(bench.study.pk)
    assert worker.step() == 1
    again = Ranked.objects.get(study=bench.study)
    assert (again.digest, again.note, queue_of(bench.study)) == (good.digest, "", before)


def test_while_one_pool_is_embedded_the_other_studies_are_ranked(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = RankingWorker()
    worker.step()
    cold = make_study(bench.alice, make_experiment(tmp_path, "plate 9", seed=9), name="cold")
    compute, ranked = pool_module.compute, []

    def slowly(experiment: Experiment, encoder: str, tell: Any) -> Any:
        answer(bench.study, bench.bob, bench.crops[0])
        tell(0.5, "embedding by handcrafted")
        ranked.append((Ranked.objects.get(study=bench.study).answers, Ranked.objects.filter(study=cold).exists()))
        return compute(experiment, encoder)

    monkeypatch.setattr(pool_module, "compute", slowly)
    worker.step()
    assert ranked == [(1, False)] and Ranked.objects.filter(study=cold).exists()
    assert worker.step() == 0
