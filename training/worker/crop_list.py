"""Every crop of an experiment as arrays: its key, and where its pixels lie."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Crop, Experiment, Image
from imaging.services.storage import shard

AT_A_TIME = 10_000

Bytes = NDArray[np.bytes_]
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CropList:
    """Crops in order of id.

    `keys` (n,) is the crop key with the side of its field, because the same place cut larger is another picture;
    `source` (n,) numbers `sources`, a shard with the channels to take; `row` (n,) is the row there.
    """

    keys: Bytes
    source: Ints
    row: Ints
    sources: tuple[tuple[str, tuple[int, ...]], ...]

    def pixels(self, positions: Ints) -> Iterator[tuple[Ints, NDArray[Any]]]:
        """Places within `positions` and their crops (n, channel, size, size), one block per shard."""
        wanted = self.source[positions]
        for number in np.unique(wanted):
            at = np.flatnonzero(wanted == number)
            digest, channels = self.sources[number]
            yield at, np.asarray(shard(digest)[self.row[positions[at]]])[:, channels]


def list_crops(experiment: Experiment, channels: Sequence[str]) -> CropList:
    """All crops of the experiment, with the channels of these names in this order."""
    images = Image.objects.filter(sample__experiment=experiment)
    taken = {
        number: tuple(names.index(name) for name in channels)
        for number, names in images.values_list("id", "channels")
    }
    side = {number: f"/{px:g}" for number, px in images.values_list("id", "crop_field_px")}
    numbers: dict[tuple[str, tuple[int, ...]], int] = {}
    rows = Crop.objects.filter(image__sample__experiment=experiment).order_by("id")
    found = (
        (
            (key + side[image]).encode(),
            numbers.setdefault((digest, taken[image]), len(numbers)),
            row,
        )
        for key, image, digest, row in rows.values_list("key", "image_id", "shard", "row").iterator(AT_A_TIME)
    )
    table = np.fromiter(found, dtype=[("key", "S80"), ("source", np.int64), ("row", np.int64)])
    columns = (np.ascontiguousarray(table[name]) for name in ("key", "source", "row"))
    return CropList(*columns, sources=tuple(numbers))
