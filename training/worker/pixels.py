"""The pixels of a pool, read from shards a chunk at a time and scaled by the window of each crop's own experiment."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Crop, Experiment
from imaging.pixels.info import resize
from imaging.pixels.normalise import scale_crops
from imaging.services.storage import shard
from labeling.models import Study
from training.services.layout import layout_of, windows_of
from training.worker.embedding import CHUNK

Crops = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Source:
    """Where crops of one layout lie: their shard, its channels in the order of the study, and their windows."""

    digest: str
    channels: tuple[int, ...]
    windows: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class PoolPixels:
    """The crops of a pool, in its order: `source` (pool,) numbers `sources`, `row` (pool,) is the row in the shard.

    `side` is the side length in pixels of the smallest crops; larger ones are resized to it.
    """

    sources: tuple[_Source, ...]
    source: Rows
    row: Rows
    side: int

    @property
    def channels(self) -> int:
        """Number of channels of every crop."""
        return len(self.sources[0].channels)

    def take(self, rows: Rows) -> Crops:
        """Crops (rows, channel, side, side), scaled to [0, 1], in the order of `rows`."""
        found = np.empty((len(rows), self.channels, self.side, self.side), dtype=np.float32)
        for number in np.unique(self.source[rows]):
            source = self.sources[number]
            at = np.flatnonzero(self.source[rows] == number)
            raw = np.asarray(shard(source.digest)[self.row[rows[at]]])[:, source.channels]
            found[at] = _resized(scale_crops(raw, source.windows), self.side)
        return found

    def chunks(self, rows: Rows) -> Iterator[tuple[Rows, Crops]]:
        """Rows and their crops, at most 1,024 at a time, so that memory does not grow with the pool."""
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            yield part, self.take(part)


def pool_pixels(study: Study) -> PoolPixels:
    """Where the pixels of the study's pool lie; the same crops in the same order as `load_pool`."""
    numbers: dict[_Source, int] = {}
    source: list[int] = []
    row: list[int] = []
    for experiment in study.experiments.order_by("name"):
        for found, rows in _places(experiment):
            number = numbers.setdefault(found, len(numbers))
            source += [number] * len(rows)
            row += rows
    side = min((shard(found.digest).shape[-1] for found in numbers), default=0)
    return PoolPixels(tuple(numbers), np.array(source, np.int64), np.array(row, np.int64), side)


def _places(experiment: Experiment) -> Iterator[tuple[_Source, list[int]]]:
    layout = layout_of(experiment)
    windows = tuple(windows_of(layout))
    crops = Crop.objects.filter(image__sample__experiment=experiment).usable()
    places = crops.order_by("id").values_list("shard", "row", "image__channels")
    for (digest, names), group in groupby(places, key=lambda place: (place[0], tuple(place[2]))):
        channels = tuple(names.index(channel["name"]) for channel in layout)
        yield _Source(digest, channels, windows), [row for _, row, _ in group]


def _resized(crops: NDArray[Any], side: int) -> NDArray[Any]:
    if crops.shape[-1] == side:
        return crops
    return np.stack([resize(crop, side, side) for crop in crops])
