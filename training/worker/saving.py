"""Puts a ranking in place: the scores of the whole pool as files, its queue and its row in one short transaction."""

import os
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from imaging.services.storage import discard, keep, local_folder
from labeling.models import Annotation, Ranked, Study
from labeling.services.queue import NewEntry, RankingInfo, replace_queue
from training.learning.ranking import Ranking
from training.models import Ranking as RankingRow
from training.worker.pool import Ids

RANKINGS = "rankings"
SCORES, PROBABILITIES, CROPS = "", ".probabilities", ".crops"
# Under this name a ranking's parameters keep the key of the class that each column of its probabilities stands for.
CLASSES = "classes"
# Files of so many rankings stay: a page may still read those of the last but one.
KEPT_RANKINGS = 5
# How many rankings before those are looked at for files that stayed behind.
LOOKED_BACK = 20
# With 300 classes a large pool would write gigabytes after every answer.
MOST_PROBABILITIES = 20_000_000
LEFT_BEHIND_AFTER_S = 3600.0


@dataclass(frozen=True, slots=True)
class Result:
    """A ranking with its queue, the crops of its pool (pool,), what is said of it, and the parameters it was fitted
    with, which its row keeps."""

    ranking: Ranking
    crop_ids: Ids
    entries: list[NewEntry]
    info: RankingInfo
    parameters: dict[str, Any] = field(default_factory=dict)


def save(study: Study, result: Result) -> bool:
    """Put a ranking in place; False where one that knows more answers stands already.

    A worker that is killed on the way leaves the old queue whole. Files come first, under names of their own, so
    that whoever reads the queue finds them.
    """
    _write_files(result)
    with transaction.atomic():
        if _is_older(study, result.info):
            return False
        replace_queue(study, result.entries, result.info)
        _add_row(study, result)
    # Another worker may have dropped the same files, as those of an old ranking, since they were written.
    _write_files(result)
    _forget_old(study)
    return True


def _is_older(study: Study, info: RankingInfo) -> bool:
    standing = Ranked.objects.select_for_update().filter(study=study).first()
    if standing is None or standing.last_annotation <= info.last_annotation:
        return False
    # A number that is gone, with a restored database say, must not keep newer rankings out for ever.
    return Annotation.objects.filter(study=study, pk=standing.last_annotation).exists()


def _add_row(study: Study, result: Result) -> None:
    info = result.info
    RankingRow.objects.create(
        study=study,
        digest=info.digest,
        strategy=info.strategy,
        encoder=info.encoder,
        encoder_name=info.encoder_name,
        parameters=result.parameters,
        answers=info.answers,
        last_annotation=info.last_annotation,
        pool_size=info.pool_size,
        seconds=info.seconds or 0.0,
    )


def file_names(digest: str) -> tuple[str, str, str]:
    """Names of the scores (pool,), the probabilities (pool, classes) and the crops' numbers (pool,) of a ranking."""
    return f"{digest}{SCORES}.npy", f"{digest}{PROBABILITIES}.npy", f"{digest}{CROPS}.npy"


def _write_files(result: Result) -> None:
    scores, probabilities, crops = file_names(result.info.digest)
    _write(crops, result.crop_ids)
    known = result.ranking.probabilities
    if known is not None and known.size <= MOST_PROBABILITIES:
        # Class by class, as they are read: one class of every crop lies together.
        _write(probabilities, np.asfortranarray(known), np.float16)
    _write(scores, result.ranking.scores)


def _write(name: str, array: NDArray[Any], dtype: Any = None) -> None:
    folder = local_folder(RANKINGS)
    if (folder / name).exists():
        return
    # A name of its own: two workers may write the same file.
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.save(stream, array if dtype is None else array.astype(dtype, order="K"), allow_pickle=False)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(folder / name)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    keep(RANKINGS, folder / name)


def _forget_old(study: Study) -> None:
    """Drop the files of all but the newest rankings; their rows stay, because answers name them."""
    newest = RankingRow.objects.filter(study=study).order_by("-id").values_list("digest", flat=True)
    old = set(newest[KEPT_RANKINGS : KEPT_RANKINGS + LOOKED_BACK])
    if old:
        _drop(old - set(newest[:KEPT_RANKINGS]) - set(Ranked.objects.values_list("digest", flat=True)))


def _drop(digests: Iterable[str]) -> None:
    for digest in digests:
        for name in file_names(digest):
            if (local_folder(RANKINGS) / name).exists():
                discard(RANKINGS, name)


def sweep() -> None:
    """Drop what killed workers left: half-written files, and files of rankings that never came into place.

    To be called when a worker starts. Younger files may be those that another worker writes right now.
    """
    old = [path for path in local_folder(RANKINGS).iterdir() if _is_left_behind(path)]
    named = {path: path.name.partition(".")[0] for path in old}
    known = set(Ranked.objects.values_list("digest", flat=True))
    known |= set(RankingRow.objects.filter(digest__in=set(named.values())).values_list("digest", flat=True))
    for path, digest in named.items():
        if digest not in known:
            with suppress(OSError):
                discard(RANKINGS, path.name)


def _is_left_behind(path: Path) -> bool:
    try:
        return path.stat().st_mtime < time.time() - LEFT_BEHIND_AFTER_S
    except FileNotFoundError:
        # Another worker has put it in place, or dropped it, since it was listed.
        return False
