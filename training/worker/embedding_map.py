"""Lays out a map of a study's embeddings: first the plane of the largest differences, then one that keeps neighbours
together."""

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from imaging.services.storage import keep, local_folder
from training.learning.embedding_map import FEWEST, MapPlan, neighbour_map, outlier_distance, plane, reduce
from training.models import EmbeddingMap, Status
from training.services.embedding_maps import CROPS, MAPS, NEIGHBOURS, OUTLIERS, PCA, file_of
from training.services.work import Cancelled, Refused, beat, claim, failure_text, finish
from training.worker.heartbeat import beating
from training.worker.page_pool import PagePool, page_pool

ALL = (CROPS, OUTLIERS, PCA, NEIGHBOURS)


def make_map(map_pk: int) -> None:
    """Make the map with this number, unless another worker has it; a pool that was laid out before is found again."""
    row = claim(EmbeddingMap, map_pk)
    if row is None:
        return
    try:
        _carry_out(row)
    except Cancelled:
        finish(row, Status.CANCELLED)
    except (Refused, ValueError) as error:
        finish(row, Status.REFUSED, str(error))
    except Exception as error:
        finish(row, Status.FAILED, failure_text(error))
        raise


def _carry_out(row: EmbeddingMap) -> None:
    beat(row, 0.01, "reading the embeddings")
    known = page_pool(row.study)
    digest, crops = known.pool.digest, len(known.pool.crop_ids)
    if crops < FEWEST:
        raise Refused(f"The pool has {crops} crops: a map needs {FEWEST} or more.")
    if not all((local_folder(MAPS) / file_of(digest, part)).exists() for part in ALL):
        _lay_out(row, known)
    with transaction.atomic():
        if finish(row, Status.DONE, detail={"digest": digest, "crops": crops}):
            _tell_layouts(row, digest, crops, [NEIGHBOURS, PCA])


def _lay_out(row: EmbeddingMap, known: PagePool) -> None:
    pool, plan = known.pool, MapPlan(seed=row.study.seed)
    reduced = reduce(pool.features, known.norm, lambda share: beat(row, 0.2 * share, "finding the main directions"))
    _write(pool.digest, CROPS, pool.crop_ids)
    _write(pool.digest, PCA, plane(reduced))
    _tell_layouts(row, pool.digest, len(reduced), [PCA])
    tell = partial(_tell_outliers, row)
    _write(pool.digest, OUTLIERS, outlier_distance(pool.features, known.norm, row.study.seed, tell))
    stage = "laying out neighbours: this step takes up to some minutes"
    beat(row, 0.4, stage)
    with beating(lambda: beat(row, 0.4, stage), every_s=5.0):
        placed = neighbour_map(reduced, plan)
    beat(row, 0.99, "writing")
    _write(pool.digest, NEIGHBOURS, placed)


def _tell_outliers(row: EmbeddingMap, share: float) -> None:
    beat(row, 0.2 + 0.2 * share, "looking for crops that are like no other")


def _tell_layouts(row: EmbeddingMap, digest: str, crops: int, layouts: list[str]) -> None:
    EmbeddingMap.objects.filter(pk=row.pk).update(digest=digest, crops=crops, layouts=layouts)


def _write(digest: str, part: str, array: NDArray[Any]) -> None:
    folder = local_folder(MAPS)
    # A name of its own: two workers may write the same file.
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
    with os.fdopen(handle, "wb") as stream:
        np.save(stream, array, allow_pickle=False)
    Path(temporary).chmod(0o644)
    path = folder / file_of(digest, part)
    Path(temporary).replace(path)
    keep(MAPS, path)
