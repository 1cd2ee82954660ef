"""Embeddings are computed once per encoder and crop key, survive kill -9 and damage, and never mix encoders."""

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from threading import Event
from threading import enumerate as enumerate_threads

import numpy as np
import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from imaging.models import Crop, Experiment, Image
from imaging.pixels.crops_store import write_shard
from imaging.services.storage import local_folder, shard
from labeling.models import Study
from tests.commands import PROJECT, bare_environment, manage
from tests.factories import crops_of, make_experiment, make_study, take_in, write_experiment
from tests.training.conftest import Bench
from tests.training.networks import save_network
from training.learning import hub
from training.learning.encoders import make_encoder
from training.learning.pretrained import PretrainedEncoder
from training.models import EmbeddingJob, EmbeddingSet, EmbeddingShard, Status
from training.services.embedding import (
    channel_columns,
    encoder_choices,
    encoder_in_use,
    encoders_folder,
    rows_of,
    standing_sets,
)
from training.services.embedding_jobs import (
    FIRST_WAIT,
    LONGEST_WAIT,
    due_jobs,
    embed_again,
    next_try,
    stop_embedding,
    studies_without_embeddings,
)
from training.services.work import Cancelled, Refused, claim
from training.worker import embedding, pool
from training.worker.crop_list import find_keys
from training.worker.embedding import compute, embed_study, embeddings, pool_embeddings
from training.worker.heartbeat import beating
from training.worker.pool import load_ranking_pool

NETWORK = "file:net"


@pytest.fixture
def study(bench: Bench) -> Study:
    """The bench's study, to be embedded by a small pretrained network."""
    save_network(encoders_folder() / "net")
    Study.objects.filter(pk=bench.study.pk).update(encoder=NETWORK)
    bench.study.refresh_from_db()
    return bench.study


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many crops each call of the encoder was given."""
    calls: list[int] = []
    original = embedding._encoded

    def count(view, crops, part):
        calls.append(len(part))
        return original(view, crops, part)

    monkeypatch.setattr(embedding, "_encoded", count)
    return calls


def first(study: Study) -> Experiment:
    return study.experiments.order_by("name")[0]


def direct(experiment: Experiment) -> np.ndarray:
    """Handcrafted embeddings computed at once, crop by crop."""
    windows = [(row["low"], row["high"]) for row in experiment.channels]
    encoder = make_encoder("handcrafted", len(windows))
    return np.concatenate([encoder.encode(shard(c.shard)[[c.row]], windows) for c in crops_of(experiment)])


def test_rows_are_those_of_the_crops_in_order_of_id_however_large_the_shards(bench, monkeypatch):
    monkeypatch.setattr(embedding, "SHARD_ROWS", 7)
    monkeypatch.setattr(embedding, "PIECE", 3)
    experiment = first(bench.study)
    rows = embeddings(experiment, "handcrafted")
    assert EmbeddingShard.objects.count() == 4
    assert np.asarray(rows).tobytes() == direct(experiment).tobytes()


def test_the_pool_is_its_usable_crops_experiment_after_experiment(bench):
    experiments = list(bench.study.experiments.order_by("-name"))
    whole = np.concatenate([direct(experiment) for experiment in experiments])
    assert np.array_equal(np.asarray(pool_embeddings(experiments, "handcrafted")), whole)
    Image.objects.filter(sample__experiment=experiments[0]).update(verdict="reject")
    assert np.array_equal(np.asarray(pool_embeddings(experiments, "handcrafted")), direct(experiments[1]))


def test_experiments_that_share_crops_share_their_embeddings(bench, counted, tmp_path):
    experiment = first(bench.study)
    compute(experiment, "handcrafted")
    manifest = write_experiment(tmp_path / "again", "again", seed=1)
    take_in(manifest, pixel_size_um=0.5)
    again = Experiment.objects.get(name="again")
    assert {crop.key for crop in crops_of(again)} == {crop.key for crop in crops_of(experiment)}
    again.channels = experiment.channels
    again.save()
    counted.clear()
    compute(again, "handcrafted")
    assert counted == []
    assert np.array_equal(
        np.asarray(embeddings(again, "handcrafted")), np.asarray(embeddings(experiment, "handcrafted"))
    )


def test_only_new_crops_of_an_experiment_that_grows_are_computed(bench, counted):
    experiment, other = bench.study.experiments.order_by("name")
    compute(experiment, "handcrafted")
    other.samples.update(experiment=experiment, name="added")
    Experiment.objects.filter(pk=experiment.pk).update(content_digest="grown")
    experiment.refresh_from_db()
    counted.clear()
    rows = embeddings(experiment, "handcrafted")
    assert (sum(counted), len(rows)) == (24, 48)
    assert np.asarray(rows).tobytes() == direct(experiment).tobytes()


@given(st.lists(st.binary(min_size=1, max_size=3)), st.lists(st.binary(min_size=1, max_size=9), unique=True))
def test_keys_are_found_where_they_are_and_nowhere_else(wanted, known):
    wanted, known = (np.array([key.replace(b"\0", b"0") for key in keys], "S") for keys in (wanted, known))
    known = np.unique(known)
    place = {key: number for number, key in enumerate(known)}
    assert find_keys(wanted, known).tolist() == [place.get(key, -1) for key in wanted]


def test_another_window_makes_other_embeddings(bench):
    experiment = first(bench.study)
    before = np.asarray(embeddings(experiment, "handcrafted"))
    experiment.channels[0]["high"] *= 2
    experiment.save()
    after = np.asarray(embeddings(experiment, "handcrafted"))
    assert np.array_equal(after, direct(experiment)) and not np.array_equal(after, before)


def files(kind: str = "rows_digest") -> list[Path]:
    return [local_folder("embeddings") / f"{row}.npy" for row in EmbeddingShard.objects.values_list(kind, flat=True)]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-2] ^= 255
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [cut, alter, Path.unlink])
@pytest.mark.parametrize("kind", ["rows_digest", "keys_digest"])
def test_a_damaged_shard_is_computed_again_and_never_read(bench, counted, monkeypatch, damage, kind):
    monkeypatch.setattr(embedding, "SHARD_ROWS", 10)
    one = first(bench.study)
    wanted = np.asarray(embeddings(one, "handcrafted"))
    damage(files(kind)[1])
    EmbeddingSet.objects.update(source="of before")
    counted.clear()
    assert np.array_equal(np.asarray(embeddings(one, "handcrafted")), wanted)
    assert sum(counted) == 10


@pytest.mark.parametrize("damage", [cut, Path.unlink])
def test_damage_under_a_standing_set_is_noticed_when_it_is_read(bench, damage):
    experiment = first(bench.study)
    wanted = np.asarray(embeddings(experiment, "handcrafted"))
    standing = EmbeddingSet.objects.get()
    damage(files()[0])
    with pytest.raises(Refused, match=r"are damaged .* they are computed again"):
        rows_of(standing)
    assert not EmbeddingSet.objects.exists() and not EmbeddingShard.objects.exists()
    assert np.array_equal(np.asarray(embeddings(experiment, "handcrafted")), wanted)


def test_a_damaged_shard_takes_nothing_of_another_encoder_with_it(bench, counted):
    experiment = first(bench.study)
    compute(experiment, "untrained")
    compute(experiment, "handcrafted")
    assert EmbeddingShard.objects.values("keys_digest").distinct().count() == 1
    own = EmbeddingSet.objects.get(encoder_name="handcrafted")
    alter(local_folder("embeddings") / f"{own.shards[0][0]}.npy")
    with pytest.raises(Refused, match="are damaged"):
        rows_of(own, thorough=True)
    EmbeddingSet.objects.update(source="of before")
    counted.clear()
    compute(experiment, "untrained")
    assert counted == []


def test_a_half_written_file_that_another_worker_finishes_meanwhile_stops_nothing(bench, monkeypatch):
    listed = Path.glob
    gone = local_folder("embeddings") / ".rows-gone.tmp"
    monkeypatch.setattr(Path, "glob", lambda folder, pattern: [gone, *listed(folder, pattern)])
    assert len(embeddings(first(bench.study), "handcrafted")) == 24


KILLED = """
import os, sys, signal
import django
django.setup()
from training.worker import embedding, pool
from imaging.models import Experiment
embedding.SHARD_ROWS, embedding.PIECE = 8, 4
original = embedding.write_array
written = []
def write(folder, array):
    written.append(1)
    if len(written) == 4:
        (folder / ".rows-half.tmp").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    return original(folder, array)
embedding.write_array = write
embedding.compute(Experiment.objects.get(name="plate 1"), "handcrafted")
"""


def test_after_kill_9_finished_shards_stay_and_only_the_rest_is_computed(tmp_path):
    """In a process of its own, on a database of its own: it dies between the two files of its second shard."""
    source = write_experiment(tmp_path / "plate", "plate 1")
    assert manage(tmp_path, "migrate").returncode == 0
    done = manage(tmp_path, "ingest", str(source), "--pixel-size-um", "0.5")
    assert done.returncode == 0, done.stderr
    environment = bare_environment(tmp_path) | {
        "PYTHONPATH": str(PROJECT), "DJANGO_SETTINGS_MODULE": "config.settings.development"
    }  # fmt: skip

    def run(code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
        )

    assert run(KILLED).returncode == -signal.SIGKILL
    told = run(
        "import django; django.setup()\n"
        "from imaging.models import Experiment\n"
        "from training.models import EmbeddingShard, EmbeddingSet\n"
        "from training.worker import embedding\n"
        "before, calls, original = EmbeddingShard.objects.count(), [], embedding._encoded\n"
        "embedding._encoded = lambda v, c, p: (calls.append(len(p)), original(v, c, p))[1]\n"
        "rows = embedding.embeddings(Experiment.objects.get(name='plate 1'), 'handcrafted')\n"
        "print(before, sum(calls), len(rows), EmbeddingSet.objects.count())"
    )
    assert told.stdout.split() == ["1", "16", "24", "1"], told.stderr


def test_a_network_is_used_once_every_experiment_is_embedded(study):
    name, note = encoder_in_use(study)
    assert name == "handcrafted" and "wait for a worker" in note
    assert studies_without_embeddings() == [study.pk]
    embed_study(study.pk)
    assert encoder_in_use(study) == (NETWORK, "")
    assert studies_without_embeddings() == []
    assert set(EmbeddingJob.objects.values_list("status", "progress")) == {(Status.DONE, 1.0)}


def test_until_then_the_note_tells_how_far_it_is(study):
    due_jobs(study)
    one, two = EmbeddingJob.objects.order_by("id")
    compute(one.experiment, NETWORK)
    EmbeddingJob.objects.filter(pk=two.pk).update(status=Status.RUNNING, progress=0.5)
    assert encoder_in_use(study)[1].endswith("are being computed: 36 of 48 crops.")


def test_embeddings_of_a_network_are_not_made_where_there_may_be_no_torch(study):
    with pytest.raises(Refused, match="waits for its embeddings by the file:net encoder"):
        embeddings(first(study), NETWORK)


def test_a_file_that_cannot_be_used_is_said_kept_and_tried_again_with_growing_waits(study, counted):
    (encoders_folder() / "net" / "model.safetensors").write_bytes(b"PK\x03\x04 not at all")
    embed_study(study.pk)
    name, note = encoder_in_use(study)
    assert name == "handcrafted" and "model.safetensors is a pickle" in note
    assert studies_without_embeddings() == []
    waits = []
    for attempts in range(1, 12):
        job = EmbeddingJob.objects.first()
        job.attempts, job.finished_at = attempts, timezone.now()
        waits.append(next_try(job) - job.finished_at)
    assert waits[0] == FIRST_WAIT and waits[1] == 2 * FIRST_WAIT and waits[-1] == LONGEST_WAIT
    EmbeddingJob.objects.update(finished_at=timezone.now() - FIRST_WAIT)
    save_network(encoders_folder() / "net")
    assert studies_without_embeddings() == [study.pk]
    embed_study(study.pk)
    assert encoder_in_use(study) == (NETWORK, "")


def test_without_a_network_the_study_goes_on_with_handcrafted_features(study, monkeypatch):
    def away(*_: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setattr(hub.HuggingFace, "listing", away)
    Study.objects.filter(pk=study.pk).update(encoder="hub:facebook/dinov2-small")
    study.refresh_from_db()
    embed_study(study.pk)
    name, note = encoder_in_use(study)
    assert name == "handcrafted" and "the hub cannot be reached" in note and "put a safetensors file" in note
    assert len(pool_embeddings(study.experiments.order_by("name"), name)) == 48


def test_new_weights_under_an_old_name_never_mix_with_the_old_ones(study, bench, tmp_path):
    embed_study(study.pk)
    before = np.asarray(embeddings(first(study), NETWORK))
    save_network(encoders_folder() / "net", seed=5)
    study.experiments.add(make_experiment(tmp_path, "plate 9", seed=9))
    assert encoder_in_use(study)[0] == "handcrafted"
    compute(Experiment.objects.get(name="plate 9"), NETWORK)
    assert encoder_in_use(study)[0] == "handcrafted"
    with pytest.raises(Refused, match="never mixed"):
        pool_embeddings(list(study.experiments.order_by("name")), NETWORK)
    with pytest.raises(Refused, match="no embeddings by one version"):
        load_ranking_pool(study, NETWORK)
    embed_study(study.pk)
    assert encoder_in_use(study) == (NETWORK, "")
    assert not np.array_equal(np.asarray(embeddings(first(study), NETWORK)), before)


def test_embeddings_that_are_replaced_while_they_are_read_rank_nothing(study, monkeypatch):
    embed_study(study.pk)
    original = pool._features

    def replaced(*given):
        rows = original(*given)
        EmbeddingSet.objects.update(encoder="f" * 64)
        return rows

    monkeypatch.setattr(pool, "_features", replaced)
    with pytest.raises(Refused, match="replaced while they were read"):
        load_ranking_pool(study, NETWORK)


def test_embeddings_that_are_not_finite_are_refused_and_name_the_crop(study, monkeypatch):
    original = PretrainedEncoder.encode

    def encode(self, crops, windows):
        rows = original(self, crops, windows)
        rows[-1, 0] = np.nan
        return rows

    monkeypatch.setattr(PretrainedEncoder, "encode", encode)
    embed_study(study.pk)
    last = crops_of(first(study))[-1]
    job = EmbeddingJob.objects.order_by("experiment__name").first()
    assert job.status == Status.REFUSED and f"not finite for the crop {last.key}" in job.problem
    assert not EmbeddingSet.objects.exists()


def test_stopping_ends_it_at_the_next_beat_keeps_what_is_finished_and_lasts_until_asked_again(
    study, bench, monkeypatch
):
    monkeypatch.setattr(embedding, "SHARD_ROWS", 8)
    monkeypatch.setattr(embedding, "BEAT_EVERY_S", 0.0)
    original = embedding._store

    def store(*given):
        original(*given)
        stop_embedding(study, bench.alice)

    monkeypatch.setattr(embedding, "_store", store)
    embed_study(study.pk)
    assert EmbeddingShard.objects.count() >= 1
    assert EmbeddingJob.objects.filter(status=Status.CANCELLED).count() == 2
    assert "was stopped" in encoder_in_use(study)[1]
    assert studies_without_embeddings() == []
    monkeypatch.setattr(embedding, "_store", original)
    embed_again(study, bench.alice)
    assert studies_without_embeddings() == [study.pk]
    embed_study(study.pk)
    assert encoder_in_use(study) == (NETWORK, "")


def test_a_worker_out_of_time_puts_its_work_back_for_the_next(study):
    embed_study(study.pk, budget_s=0.0)
    assert EmbeddingJob.objects.order_by("experiment__name").first().status == Status.QUEUED
    assert studies_without_embeddings() == [study.pk]
    embed_study(study.pk)
    assert encoder_in_use(study) == (NETWORK, "")


def test_a_second_worker_leaves_running_work_alone(study, counted):
    jobs = due_jobs(study)
    assert claim(EmbeddingJob, jobs[0].pk) is not None
    assert studies_without_embeddings() == []
    embed_study(study.pk)
    assert sum(counted) == 24


def test_columns_of_each_channel_are_known_without_torch(study):
    embed_study(study.pk)
    experiment = first(study)
    channels = len(experiment.channels)
    network = channel_columns(standing_sets([experiment], NETWORK)[experiment.pk])
    assert [len(columns) for columns in network] == [16] * channels
    compute(experiment, "handcrafted")
    compute(experiment, "untrained")
    own = channel_columns(standing_sets([experiment], "handcrafted")[experiment.pk])
    assert len(own) == channels
    assert channel_columns(standing_sets([experiment], "untrained")[experiment.pk]) is None


def test_every_file_and_download_can_be_chosen(study):
    save_network(encoders_folder() / "hub" / "lab--cells@newest")
    save_network(encoders_folder() / "hub" / "lab--cells@v2")
    (encoders_folder() / "lone.safetensors").write_bytes(b"")
    (encoders_folder() / "notes.txt").write_text("x")
    offered = set(encoder_choices())
    assert offered == {
        "handcrafted",
        "untrained",
        NETWORK,
        "file:lone.safetensors",
        "hub:lab/cells",
        "hub:lab/cells@v2",
    }


def test_an_experiment_without_crops_has_no_rows(bench):
    Crop.objects.all().delete()
    assert embeddings(first(bench.study), "handcrafted").shape[0] == 0


def test_crops_of_different_sizes_in_one_experiment_are_embedded(bench):
    small = first(bench.study)
    crop = crops_of(small)[0]
    doubled = np.repeat(np.repeat(shard(crop.shard)[[crop.row]], 2, axis=2), 2, axis=3)
    Crop.objects.filter(pk=crop.pk).update(shard=write_shard(local_folder("crops"), doubled), row=0)
    rows = np.asarray(embeddings(small, "handcrafted"))
    assert rows.shape[0] == 24 and np.isfinite(rows).all()


def test_studies_over_one_experiment_share_the_work(study, bench, counted):
    other = make_study(bench.alice, first(study), name="other")
    Study.objects.filter(pk=other.pk).update(encoder=NETWORK)
    embed_study(study.pk)
    counted.clear()
    embed_study(other.pk)
    other.refresh_from_db()
    assert counted == [] and encoder_in_use(other) == (NETWORK, "")


def test_a_worker_beats_while_a_network_is_fetched(study, monkeypatch):
    first_beat, beats = Event(), []

    def beat(job, progress, stage):
        beats.append((job.experiment_id, stage))
        first_beat.set()

    def fetch_slowly(*given, **more):
        assert first_beat.wait(20), "no beat while the network is fetched"
        return make_encoder(*given, **more)

    monkeypatch.setattr(embedding, "beating", partial(beating, every_s=0.01))
    monkeypatch.setattr(embedding, "beat", beat)
    monkeypatch.setattr(embedding, "make_encoder", fetch_slowly)
    embed_study(study.pk)
    assert beats[0] == (first(study).pk, f"fetching or loading {NETWORK}")
    assert EmbeddingJob.objects.filter(status=Status.DONE).count() == 2


@pytest.mark.parametrize(("error", "beats_on"), [(Cancelled, False), (OSError, True)])
def test_beats_outlast_a_database_that_is_away_and_end_with_the_work(error, beats_on):
    beats, again = [], Event()

    def beat():
        beats.append(1)
        if len(beats) > 1:
            again.set()
        raise error("no")

    with beating(beat, every_s=0.01):
        assert again.wait(20 if beats_on else 0.2) == beats_on
    assert not [thread for thread in enumerate_threads() if "_beat_until" in thread.name]
