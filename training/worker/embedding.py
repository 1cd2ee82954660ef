"""Embeddings of crops: computed once per encoder and crop key, kept in memory-mapped shards, resumable."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from django.db import transaction

from imaging.models import Crop, Experiment, Verdict
from imaging.pixels.digest import mapping_digest
from imaging.services.storage import keep, local_folder
from labeling.models import Study
from training.learning.encoders import Encoder, EncoderOptions, make_encoder
from training.learning.shards import DamagedShard, ShardedRows, write_array
from training.models import EmbeddingJob, EmbeddingSet, EmbeddingShard, Status
from training.services.embedding import (
    AT_ONCE,
    EMBEDDINGS,
    encoders_folder,
    forget_shard,
    is_rgb,
    open_shard_files,
    rows_of,
    source_of,
    standing_sets,
)
from training.services.embedding_jobs import due_jobs, put_back
from training.services.layout import layout_of, windows_of
from training.services.work import Cancelled, Refused, beat, claim, failure_text, finish
from training.worker.crop_list import Bytes, CropList, Floats, Ints, find_keys, list_crops
from training.worker.heartbeat import beating

logger = logging.getLogger(__name__)

CHUNK = 1024
# What a killed worker loses at most; a million crops are 245 files.
SHARD_ROWS = 4096
# Rows between two looks at whether the work shall go on: a large network takes a minute for them.
PIECE = 128
BEAT_EVERY_S = 2.0
# Below the time limit of the task, so that the end is one of its own choice.
BUDGET_S = 3 * 3600.0
OLD_S = 86_400.0

Tell = Callable[[float, str], None]
Made = dict[tuple[str, int, bool], Encoder]


class _OutOfTime(Exception):
    """The task ends soon; another one goes on."""


@dataclass(frozen=True, slots=True)
class _View:
    """An encoder looking at crops through certain channels and windows."""

    encoder: Encoder
    windows: list[tuple[float, float]]
    digest: str


@dataclass(frozen=True, slots=True)
class _Known:
    """What stands for a view: every key with the number of its shard and its row there, and the shards."""

    keys: Bytes
    shard: Ints
    row: Ints
    shards: tuple[EmbeddingShard, ...]


def embeddings(experiment: Experiment, encoder_name: str) -> ShardedRows:
    """Embeddings (crops, dimension) of all crops of an experiment in order of id; they stay in their files.

    Handcrafted ones are computed at the first call. Those of a network are read only, because this runs in processes
    without PyTorch: Refused until a worker has computed them.
    """
    if encoder_name == AT_ONCE:
        try:
            return rows_of(compute(experiment, encoder_name), thorough=True)
        except Refused:
            # Damaged files were forgotten just now; what is written anew and cannot be read is a broken disk.
            return rows_of(compute(experiment, encoder_name), thorough=True)
    standing = standing_sets([experiment], encoder_name).get(experiment.pk)
    if standing is None:
        raise Refused(
            f"'{experiment}' waits for its embeddings by the {encoder_name} encoder: a worker computes them."
        )
    return rows_of(standing, thorough=True)


def pool_embeddings(experiments: Sequence[Experiment], encoder_name: str) -> ShardedRows:
    """Embeddings of the usable crops of the experiments in the order given, each in order of id, in their files.

    Refused like `embeddings`, and where the experiments were embedded in different ways.
    """
    blocks = []
    for experiment in experiments:
        crops = Crop.objects.filter(image__sample__experiment=experiment).order_by("id")
        facts = crops.values_list("image__verdict", "gone_at").iterator()
        kept = np.fromiter((verdict != Verdict.REJECT and gone is None for verdict, gone in facts), dtype=bool)
        rows = embeddings(experiment, encoder_name)
        blocks.append(rows if kept.all() else rows.subset(kept))
    encoders = {found.encoder for found in standing_sets(experiments, encoder_name).values()}
    if len(encoders) > 1 or len({rows.shape[1] for rows in blocks}) > 1:
        raise Refused(f"The experiments were embedded by different versions of {encoder_name}: they are never mixed.")
    return ShardedRows.joined(blocks)


def embed_study(study_pk: int, budget_s: float = BUDGET_S) -> None:
    """Compute what a study's encoder still lacks, experiment by experiment; may be called twice and be killed."""
    study = Study.objects.get(pk=study_pk)
    if study.encoder == AT_ONCE:
        return
    ends = time.monotonic() + budget_s
    made: Made = {}
    for due in due_jobs(study):
        job = claim(EmbeddingJob, due.pk)
        if job is not None and not _carry_out(job, made, ends):
            return


def _carry_out(job: EmbeddingJob, made: Made, ends: float) -> bool:
    """Whether there is time for more. What is wrong with one experiment does not stop the others."""
    try:
        channels = layout_of(job.experiment)
        with beating(partial(beat, job, 0.0, f"fetching or loading {job.encoder_name}")):
            _encoder(job.encoder_name, len(channels), is_rgb(channels), made)
        compute(job.experiment, job.encoder_name, _Beats(job, ends), made)
        finish(job, Status.DONE, detail={"experiment": job.experiment_id, "encoder": job.encoder_name})
    except _OutOfTime:
        put_back(job)
        return False
    except Cancelled:
        finish(job, Status.CANCELLED)
    except (Refused, ValueError) as error:
        finish(job, Status.REFUSED, str(error))
    except Exception as error:
        logger.exception("%s", job)
        finish(job, Status.FAILED, failure_text(error))
    return True


class _Beats:
    """Tells how far a job is and when it will be done, every two seconds."""

    def __init__(self, job: EmbeddingJob, ends: float) -> None:
        self._job, self._ends, self._next = job, ends, 0.0
        # Where it began: work that is taken up again has crops from before, which say nothing of its speed.
        self._from: tuple[float, float] | None = None

    def __call__(self, progress: float, stage: str) -> None:
        now = time.monotonic()
        if now >= self._ends:
            raise _OutOfTime
        began, share = self._from = self._from or (now, progress)
        if now >= self._next:
            left = (now - began) / (progress - share) * (1 - progress) if progress > share else None
            beat(self._job, progress, stage if left is None else f"{left_text(left)} for this experiment, {stage}")
            self._next = now + BEAT_EVERY_S


def left_text(seconds: float) -> str:
    """How long something still takes, in the largest unit of which there are two or more."""
    if seconds < 120:
        return f"about {max(round(seconds), 1)} s left"
    return f"about {round(seconds / 60)} min left" if seconds < 7200 else f"about {seconds / 3600:.1f} h left"


def compute(
    experiment: Experiment, encoder_name: str, tell: Tell | None = None, made: Made | None = None
) -> EmbeddingSet:
    """The embedding set of the experiment by this encoder; only crops that no shard holds yet are computed.

    May be called twice and be killed anywhere: finished shards stay. Refused for an encoder or embeddings that cannot
    be used. `tell` hears of progress and may raise to end it; `made` keeps encoders between calls.
    """
    channels = layout_of(experiment)
    encoder = _encoder(encoder_name, len(channels), is_rgb(channels), {} if made is None else made)
    standing = EmbeddingSet.objects.filter(encoder=encoder.digest, experiment=experiment).first()
    newest = standing_sets([experiment], encoder_name).get(experiment.pk)
    if standing is not None and newest is not None and newest.pk == standing.pk:
        return standing
    seen = mapping_digest({"channels": [[row["name"], row["low"], row["high"]] for row in channels]})
    view = _View(encoder, windows_of(channels), seen)
    crops = list_crops(experiment, [row["name"] for row in channels])
    known = _known(view)
    missing = _first_of_each(crops.keys, find_keys(crops.keys, known.keys) < 0)
    for start in range(0, len(missing), SHARD_ROWS):
        part = missing[start : start + SHARD_ROWS]
        rows = np.empty((len(part), encoder.dimension), np.float32)
        for at in range(0, len(part), PIECE):
            if tell is not None:
                share = (len(crops.keys) - len(missing) + start + at) / max(len(crops.keys), 1)
                tell(share, f"embedding by {encoder_name}")
            rows[at : at + PIECE] = _encoded(view, crops, part[at : at + PIECE])
        _store(view, crops.keys[part], rows)
    return _save(experiment, view, crops, _known(view) if len(missing) else known)


def _encoder(name: str, channels: int, colour: bool, made: Made) -> Encoder:
    key = (name, channels, colour)
    if key not in made:
        options = EncoderOptions(folder=encoders_folder(), is_rgb=colour)
        made[key] = make_encoder(name, channels, options=options)
    return made[key]


def _first_of_each(keys: Bytes, wanted: np.ndarray) -> Ints:
    """Positions of the wanted keys, each key once, in rising order."""
    at = np.flatnonzero(wanted)
    return np.sort(at[np.unique(keys[at], return_index=True)[1]])


def _encoded(view: _View, crops: CropList, part: Ints) -> Floats:
    """Embeddings of the crops at these positions; Refused, naming the crop, where one is not finite."""
    found = np.empty((len(part), view.encoder.dimension), np.float32)
    for at, pixels in crops.pixels(part):
        found[at] = view.encoder.encode(pixels, view.windows)
    bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(bad):
        key = crops.keys[part[bad[0]]].decode().partition("/")[0]
        raise Refused(
            f"The encoder {view.encoder.name} gives numbers that are not finite for the crop {key}: choose another "
            "encoder, or mark its image as rejected."
        )
    return found


def _known(view: _View) -> _Known:
    """The shards of a view that are whole; damaged ones are forgotten, so that their crops are computed again."""
    keys, shard, row, shards = [np.empty(0, "S1")], [np.empty(0, np.int64)], [np.empty(0, np.int64)], []
    for entry in EmbeddingShard.objects.filter(encoder=view.encoder.digest, view=view.digest):
        try:
            found, _ = open_shard_files(entry)
        except DamagedShard as error:
            logger.warning("embeddings are computed again: %s", error)
            forget_shard(entry)
            continue
        if entry.dimension != view.encoder.dimension:
            raise Refused(f"Shard {entry} has {entry.dimension} columns, the encoder {view.encoder.dimension}.")
        keys.append(found)
        shard.append(np.full(len(found), len(shards)))
        row.append(np.arange(len(found)))
        shards.append(entry)
    return _Known(np.concatenate(keys), np.concatenate(shard), np.concatenate(row), tuple(shards))


def _store(view: _View, keys: Bytes, rows: Floats) -> None:
    folder = local_folder(EMBEDDINGS)
    _sweep(folder)
    digests = [write_array(folder, array) for array in (rows, keys)]
    for digest in digests:
        keep(EMBEDDINGS, folder / f"{digest}.npy")
    with transaction.atomic():
        EmbeddingShard.objects.get_or_create(
            encoder=view.encoder.digest,
            view=view.digest,
            rows_digest=digests[0],
            keys_digest=digests[1],
            defaults={"count": len(rows), "dimension": rows.shape[1]},
        )


def _sweep(folder: Path) -> None:
    """Remove what killed workers left half-written a day ago."""
    for path in folder.glob(".rows-*.tmp"):
        # Another worker may have finished the file since it was listed.
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > OLD_S:
                path.unlink()


def _save(experiment: Experiment, view: _View, crops: CropList, known: _Known) -> EmbeddingSet:
    """The set of the experiment: which rows of which shards, in order of its crops."""
    at = find_keys(crops.keys, known.keys)
    used = np.unique(known.shard[at])
    counts = np.array([known.shards[number].count for number in used], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)])
    places = (starts[np.searchsorted(used, known.shard[at])] + known.row[at]).astype("<i8")
    digest = write_array(local_folder(EMBEDDINGS), places)
    keep(EMBEDDINGS, local_folder(EMBEDDINGS) / f"{digest}.npy")
    name, encoder = view.encoder.name, view.encoder.digest
    columns = view.encoder.channel_columns
    with transaction.atomic():
        # A set is never changed: whoever holds its number holds its rows.
        EmbeddingSet.objects.filter(encoder=encoder, experiment=experiment).delete()
        standing, _ = EmbeddingSet.objects.get_or_create(
            encoder=encoder,
            experiment=experiment,
            defaults={
                "encoder_name": name,
                "source": source_of(experiment),
                "shards": [[known.shards[number].rows_digest, known.shards[number].count] for number in used],
                "places_digest": digest,
                "count": len(places),
                "dimension": view.encoder.dimension,
                "blocks": len(columns) if columns and name != AT_ONCE else 0,
            },
        )
    return standing
