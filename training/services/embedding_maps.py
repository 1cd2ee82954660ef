"""Maps of a study's embeddings: asked for, found again, and their files."""

from functools import lru_cache
from typing import Any

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from audit import services as audit
from imaging.services.storage import fetch
from labeling.models import Study
from labeling.services.queue import lock
from training.models import FINAL, EmbeddingMap, Status

MAPS = "maps"
PCA, NEIGHBOURS = "pca", "neighbours"
LAYOUTS = {NEIGHBOURS: "neighbours stay together (t-SNE)", PCA: "largest differences (PCA)"}
CROPS, OUTLIERS = "crops", "outliers"
KEPT = 8


def request_map(study: Study, user: Any) -> EmbeddingMap:
    """The map that waits or is being made; a new one where there is none. May be called twice."""
    with transaction.atomic():
        lock(study)
        pending = EmbeddingMap.objects.filter(study=study).exclude(status__in=FINAL).first()
        if pending is not None:
            return pending
        found = EmbeddingMap.objects.create(study=study, requested_by=user)
        audit.record("embeddingmap.requested", found, actor=audit.actor_of(user), detail={"study": study.pk})
    return found


def latest_map(study: Study) -> EmbeddingMap | None:
    """The study's newest map in whatever state, to show what waits, works or failed."""
    return EmbeddingMap.objects.filter(study=study).first()


def shown_map(study: Study) -> EmbeddingMap | None:
    """The newest map that can be looked at: done, or on the way with its first layout there."""
    rows = EmbeddingMap.objects.filter(study=study).exclude(status__in=(Status.REFUSED, Status.FAILED))
    return next((row for row in rows[:KEPT] if row.layouts), None)


def file_of(digest: str, part: str) -> str:
    """Name of the file with a part of a map: a layout, CROPS or OUTLIERS."""
    return f"{digest}.{part}.npy"


@lru_cache(maxsize=KEPT)
def map_part(digest: str, part: str) -> NDArray[Any]:
    """A part of a map as a memory map; OSError where the file is gone."""
    found: NDArray[Any] = np.load(fetch(MAPS, file_of(digest, part)), mmap_mode="r", allow_pickle=False)
    return found
