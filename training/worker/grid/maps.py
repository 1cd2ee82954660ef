"""The map of a study's embeddings as the grid and its page read it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.models import Study
from training.models import EmbeddingMap
from training.services.embedding_maps import CROPS, LAYOUTS, OUTLIERS, map_part, shown_map
from training.services.work import Refused
from training.worker.grid.table import GridTable

NO_MAP = "There is no map of this study yet: ask for it on the grid's page; a worker makes it in the background."
NO_OUTLIERS = "Which crops are like no other is found together with the map: ask for it, or wait until it is done."


@dataclass(frozen=True, slots=True)
class MapPoints:
    """A layout for drawing: places (n, 2) in the unit square and `rows` (n,) in the table."""

    layout: str
    points: NDArray[np.float32]
    rows: NDArray[np.int64]


def map_points(study: Study, table: GridTable, layout: str) -> MapPoints:
    """Every crop of the table that the map shows; Refused where there is no map, or not this layout yet."""
    found = _map(study)
    if layout not in found.layouts:
        raise Refused(f"This layout is not there yet: choose one of {', '.join(found.layouts)}.")
    rows = table.rows_of(_part(found, CROPS))
    return MapPoints(layout, np.asarray(_part(found, layout))[rows >= 0], rows[rows >= 0])


def coordinates(study: Study, table: GridTable, layout: str) -> NDArray[np.float32]:
    """Place (n, 2) of each crop of the table on the map, NaN where the map does not know it."""
    if layout not in LAYOUTS:
        raise Refused(f"A map has the layouts {', '.join(LAYOUTS)}.")
    shown = map_points(study, table, layout)
    found = np.full((len(table.crop_ids), 2), np.nan, dtype=np.float32)
    found[shown.rows] = shown.points
    return found


def outlier_distance(study: Study, table: GridTable) -> NDArray[np.float32]:
    """How far each crop (n,) lies from its nearest others, NaN where the map does not know it."""
    found = shown_map(study)
    if found is None:
        raise Refused(NO_OUTLIERS)
    try:
        distance, crops = map_part(found.digest, OUTLIERS), _part(found, CROPS)
    except OSError as error:
        raise Refused(NO_OUTLIERS) from error
    rows = table.rows_of(crops)
    values = np.full(len(table.crop_ids), np.nan, dtype=np.float32)
    values[rows[rows >= 0]] = distance[rows >= 0]
    return values


def _map(study: Study) -> EmbeddingMap:
    found = shown_map(study)
    if found is None:
        raise Refused(NO_MAP)
    return found


def _part(found: EmbeddingMap, part: str) -> NDArray[Any]:
    try:
        return np.asarray(map_part(found.digest, part))
    except OSError as error:
        raise Refused(NO_MAP) from error
