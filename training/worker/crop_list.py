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
    # A million keys are 80 MB at their greatest length, and half of that as a rule.
    width = max(int(np.char.str_len(table["key"]).max(initial=1)), 1)
    source, row = (np.ascontiguousarray(table[name]) for name in ("source", "row"))
    return CropList(table["key"].astype(f"S{width}"), source, row, tuple(numbers))


def find_keys(wanted: Bytes, known: Bytes) -> Ints:
    """Place of each wanted key (n,) among the known ones, -1 where it is not there. Needs little memory."""
    found = np.full(len(wanted), -1, dtype=np.int64)
    if not len(known):
        return found
    both = np.promote_types(wanted.dtype, known.dtype)
    wanted, known = wanted.astype(both, copy=False), known.astype(both, copy=False)
    order = np.argsort(known, kind="stable")
    for start in range(0, len(wanted), AT_A_TIME):
        part = wanted[start : start + AT_A_TIME]
        at = order[np.minimum(np.searchsorted(known, part, sorter=order), len(known) - 1)]
        found[start : start + AT_A_TIME] = np.where(known[at] == part, at, -1)
    return found
