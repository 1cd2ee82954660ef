"""The ranked pool as arrays: one row per crop, in the order of the ranking's files."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from imaging.models import Crop, Experiment, Image, Verdict
from imaging.pixels.digest import mapping_digest
from imaging.services.storage import fetch, keep, local_folder
from labeling.models import Ranked, Study
from training.learning.grid import polygon_area
from training.models import Ranking
from training.services.labels import class_keys
from training.services.work import Refused
from training.worker.pool import Ids, crop_table
from training.worker.saving import CLASSES, RANKINGS, file_names

GRID = "grid"
KEPT = 4
KEPT_SIZES = 64
AT_A_TIME = 10_000

Floats = NDArray[np.float32]
NOT_RANKED = "The pool has not been ranked yet: the grid opens with the first ranking, a few seconds after the study."


@dataclass(frozen=True, slots=True, eq=False)
class GridTable:
    """The crops of a ranking, one row each.

    `crop_ids`, `image` and `experiment` (n,) are numbers of rows, -1 where the study no longer holds the crop.
    `scores` (n,): higher means ask a person first. `probabilities` (n, classes) in the order of `classes`, None
    where no head has been fitted; `predicted` (n,) is the likeliest class, -1 without any.
    """

    digest: str
    crop_ids: Ids
    order: Ids
    image: Ids
    experiment: Ids
    scores: Floats
    classes: tuple[str, ...]
    probabilities: NDArray[np.float16] | None
    predicted: Ids

    def rows_of(self, crop_ids: Ids) -> Ids:
        """Row of each crop, -1 for crops that the ranking does not know."""
        if not len(self.crop_ids):
            return np.full(len(crop_ids), -1)
        at = np.minimum(np.searchsorted(self.crop_ids, crop_ids, sorter=self.order), len(self.order) - 1)
        found = self.order[at]
        return np.where(self.crop_ids[found] == crop_ids, found, -1)

    def mask_of(self, crop_ids: Ids) -> NDArray[np.bool_]:
        """Which rows (n,) are these crops."""
        mask = np.zeros(len(self.crop_ids), dtype=bool)
        rows = self.rows_of(crop_ids)
        mask[rows[rows >= 0]] = True
        return mask


def grid_table(study: Study, digest: str = "") -> GridTable:
    """The newest ranking of the study, or the one with this digest while its files are kept.

    Refused before the first ranking.
    """
    for wanted in dict.fromkeys([digest, _newest(study)]):
        # The newest row of this digest knows what the columns of its file are called now.
        made = Ranking.objects.filter(study=study, digest=wanted).values_list("parameters", flat=True).first()
        if made is not None:
            columns = tuple(made.get(CLASSES, ()))
            try:
                return _table(study.pk, study.created_at, wanted, _parts(study), tuple(class_keys(study)), columns)
            except (OSError, ValueError):
                # Only the newest few rankings keep their files.
                continue
    raise Refused(NOT_RANKED)


def _newest(study: Study) -> str:
    return Ranked.objects.filter(study=study).values_list("digest", flat=True).first() or ""


def _parts(study: Study) -> tuple[tuple[int, str, int, datetime], ...]:
    rows = study.experiments.order_by("name").values_list("pk", "content_digest", "revision", "created_at")
    return tuple(rows)


@lru_cache(maxsize=KEPT)
def _table(
    study: int,
    created_at: datetime,
    digest: str,
    parts: tuple[tuple[int, str, int, datetime], ...],
    classes: tuple[str, ...],
    columns: tuple[str, ...],
) -> GridTable:
    scores, probabilities, crops = (RANKINGS, *file_names(digest))[1:]
    crop_ids: Ids = np.load(fetch(RANKINGS, crops), mmap_mode="r", allow_pickle=False)
    known = _probabilities(probabilities, len(crop_ids), columns, classes)
    image, experiment = _places(crop_ids, parts)
    return GridTable(
        digest=digest,
        crop_ids=np.asarray(crop_ids),
        order=np.argsort(crop_ids, kind="stable"),
        image=image,
        experiment=experiment,
        scores=np.load(fetch(RANKINGS, scores), mmap_mode="r", allow_pickle=False),
        classes=classes,
        probabilities=known,
        predicted=np.full(len(crop_ids), -1) if known is None else np.asarray(known).argmax(axis=1),
    )


def _probabilities(
    name: str, crops: int, columns: tuple[str, ...], classes: tuple[str, ...]
) -> NDArray[np.float16] | None:
    """Probabilities (crops, classes) from a file whose columns stand for the classes `columns`."""
    # A class that came or went since changes all others: the next ranking, seconds later, knows it.
    if sorted(columns) != sorted(classes):
        return None
    try:
        found: NDArray[np.float16] = np.load(fetch(RANKINGS, name), mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None
    if found.shape != (crops, len(columns)):
        return None
    return found if columns == classes else np.asfortranarray(found[:, [columns.index(key) for key in classes]])


def _places(crop_ids: Ids, parts: tuple[tuple[int, str, int, datetime], ...]) -> tuple[Ids, Ids]:
    """Image and experiment of each crop (n,), -1 for those that the study does not hold, or no longer."""
    image, experiment = np.full(len(crop_ids), -1), np.full(len(crop_ids), -1)
    for part in parts:
        table = crop_table(*part)
        if len(table.crop_ids):
            at = np.minimum(np.searchsorted(table.crop_ids, crop_ids), len(table.crop_ids) - 1)
            own = (table.crop_ids[at] == crop_ids) & table.stands[at]
            image[own], experiment[own] = table.image[at[own]], part[0]
    rejected = Image.objects.filter(sample__experiment__in=[part[0] for part in parts], verdict=Verdict.REJECT)
    experiment[np.isin(image, np.fromiter(rejected.values_list("pk", flat=True), np.int64))] = -1
    return image, experiment


def sizes(study: Study, table: GridTable) -> tuple[Floats, str]:
    """Area of each object (n,) inside its outline, or its box where it has none, and the unit.

    In µm² where every experiment knows its pixel size, else in px² of the full resolution.
    """
    rows = list(study.experiments.order_by("name"))
    in_um = all(row.pixel_size_um for row in rows)
    found = np.full(len(table.crop_ids), np.nan, dtype=np.float32)
    for row in rows:
        crops = crop_table(row.pk, row.content_digest, row.revision, row.created_at).crop_ids
        at = table.rows_of(crops)
        um = row.pixel_size_um if in_um and row.pixel_size_um else 1.0
        found[at[at >= 0]] = _areas(row)[at >= 0] * um**2
    return found, "µm²" if in_um else "px²"


def _areas(experiment: Experiment) -> Floats:
    return _kept_areas(experiment.pk, experiment.content_digest, experiment.revision, experiment.created_at)


@lru_cache(maxsize=KEPT_SIZES)
def _kept_areas(experiment: int, content_digest: str, revision: int, created_at: datetime) -> Floats:
    """Areas in px² of an experiment's crops by rising number; computed once, then a file."""
    made = {"revision": revision, "made": created_at.isoformat(), "version": 1}
    named = {"experiment": experiment, "content": content_digest} | made
    name = f"{mapping_digest(named)}.areas.npy"
    try:
        found: Floats = np.load(fetch(GRID, name), allow_pickle=False)
    except (OSError, ValueError):
        found = _measured(experiment)
        path = local_folder(GRID) / name
        np.save(path, found, allow_pickle=False)
        keep(GRID, path)
    return found


def _measured(experiment: int) -> Floats:
    crops = Crop.objects.filter(image__sample__experiment=experiment).order_by("id")
    rows = crops.values_list("x0", "y0", "x1", "y1", "contour").iterator(chunk_size=AT_A_TIME)
    areas = (
        polygon_area(np.array(contour, dtype=float)) if contour else (x1 - x0) * (y1 - y0)
        for x0, y0, x1, y1, contour in rows
    )
    return np.fromiter(areas, np.float32)
