"""Embeddings of crops: computed once per encoder and experiment, kept as memory-mapped files."""

import os
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Crop, Experiment
from imaging.pixels.digest import file_digest
from imaging.services.storage import fetch, keep, local_folder, shard
from labeling.models import Study
from training.learning.encoders import Encoder, make_encoder
from training.models import EmbeddingSet
from training.services.layout import layout_of, windows_of
from training.services.work import Refused

EMBEDDINGS = "embeddings"
# The encoder that needs no PyTorch, so that any process computes it where it is missing.
AT_ONCE = "handcrafted"
CHUNK = 1024


def crops_of(experiment: Experiment) -> Iterator[NDArray[Any]]:
    """The experiment's crops in order of id, in chunks (n, channel, size, size); channels as in `layout_of`."""
    wanted = [channel["name"] for channel in layout_of(experiment)]
    crops = Crop.objects.filter(image__sample__experiment=experiment)
    places = list(crops.order_by("id").values_list("shard", "row", "image__channels"))
    for (digest, names), group in groupby(places, key=lambda place: (place[0], tuple(place[2]))):
        rows = [row for _, row, _ in group]
        channels = [names.index(name) for name in wanted]
        for start in range(0, len(rows), CHUNK):
            yield np.asarray(shard(digest)[rows[start : start + CHUNK]])[:, channels]


def embeddings(experiment: Experiment, encoder_name: str) -> NDArray[np.float32]:
    """Embeddings (crops, dimension) as a memory map.

    Handcrafted ones are computed at the first call. Those of a network are read only, because this runs in processes
    without PyTorch: Refused until a worker has computed them.
    """
    if encoder_name == AT_ONCE:
        return _load(compute(experiment, encoder_name))
    standing = EmbeddingSet.objects.filter(encoder_name=encoder_name, experiment=experiment).order_by("-id").first()
    if standing is None:
        raise Refused(
            f"'{experiment}' waits for its embeddings by the {encoder_name} encoder: a worker computes them."
        )
    return _load(standing)


def compute(experiment: Experiment, encoder_name: str) -> EmbeddingSet:
    """The embedding set of the experiment by this encoder, computed where it is missing. May be called twice."""
    channels = layout_of(experiment)
    encoder = make_encoder(encoder_name, len(channels))
    standing = EmbeddingSet.objects.filter(encoder=encoder.digest, experiment=experiment).first()
    return standing or _compute(experiment, encoder, windows_of(channels))


def embed_study(study_pk: int) -> None:
    """Compute what a study's encoder still lacks."""
    study = Study.objects.get(pk=study_pk)
    for experiment in study.experiments.order_by("name"):
        compute(experiment, study.encoder)


def _load(standing: EmbeddingSet) -> NDArray[np.float32]:
    loaded: NDArray[np.float32] = np.load(
        fetch(EMBEDDINGS, f"{standing.file_digest}.npy"), mmap_mode="r", allow_pickle=False
    )
    return loaded


def _compute(experiment: Experiment, encoder: Encoder, windows: list[tuple[float, float]]) -> EmbeddingSet:
    parts = [encoder.encode(crops, windows) for crops in crops_of(experiment)]
    rows = np.concatenate(parts) if parts else np.empty((0, encoder.dimension), np.float32)
    digest = _write(rows)
    # Two workers may compute the same set at once: both make the same bytes, and the first row stands.
    standing, _ = EmbeddingSet.objects.get_or_create(
        encoder=encoder.digest,
        experiment=experiment,
        defaults={
            "encoder_name": encoder.name,
            "file_digest": digest,
            "count": len(rows),
            "dimension": rows.shape[1],
        },
    )
    return standing


def _write(rows: NDArray[np.float32]) -> str:
    folder = local_folder(EMBEDDINGS)
    handle, name = tempfile.mkstemp(dir=folder, suffix=".tmp")
    with os.fdopen(handle, "wb") as stream:
        np.save(stream, rows, allow_pickle=False)
    temporary = Path(name)
    digest = file_digest(temporary)
    final = folder / f"{digest}.npy"
    temporary.replace(final)
    keep(EMBEDDINGS, final)
    return digest
