"""Pixels of many crops at once, shrunk to the size at which a grid draws them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Crop
from imaging.services.storage import shard
from labeling.models import Study
from training.learning.grid import shrunk


def pixels_of(study: Study, crop_ids: Sequence[int], side: int) -> dict[int, NDArray[Any]]:
    """Crop (channel, h, w) by number, at least `side` wide where the original is; those of other studies are left
    out. Read shard by shard."""
    rows = Crop.objects.filter(pk__in=list(crop_ids), image__sample__experiment__studies=study)
    found = list(rows.values_list("shard", "row", "pk"))
    pixels: dict[int, NDArray[Any]] = {}
    for digest in {name for name, _, _ in found}:
        own = sorted((row, pk) for name, row, pk in found if name == digest)
        block = np.asarray(shard(digest)[[row for row, _ in own]])
        small: NDArray[Any] = shrunk(block, side)
        pixels |= {pk: small[place] for place, (_, pk) in enumerate(own)}
    return pixels
