"""What a page needs to draw a crop; kept, since a dozen crops come with every answer and stay the same."""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.urls import reverse

from imaging.models import Crop, Experiment
from imaging.services.pixels import shown_channels
from imaging.services.storage import shard
from labeling.api.frames import crop_frames, version_of
from labeling.models import Study

# A few kibibytes each.
KEPT = 2048


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A crop as readers of a study see it. `depends_on`: everything in its rows that the picture shows."""

    study: Study
    is_blind: bool
    depends_on: tuple[Any, ...]
    crop: Crop = field(compare=False)


def drawn(study: Study, crop: Crop) -> dict[str, Any]:
    """Addresses, layout, channels and outline of the crop; names only where the study is not blind."""
    image, experiment = crop.image, crop.image.sample.experiment
    rows = (
        *(crop.shard, crop.row, crop.key, crop.x, crop.y, json.dumps(crop.contour)),
        *(image.sha256, image.crop_field_px, image.pixel_size_um, image.object_source, tuple(image.shape)),
        *(image.sample.site, tuple(image.channels)),
        *(experiment.name, experiment.modality, json.dumps(experiment.channels)),
    )
    return dict(_drawn(_Drawn(study, study.is_blind, rows, crop)))


@lru_cache(maxsize=KEPT)
def _drawn(seen: _Drawn) -> dict[str, Any]:
    study, crop = seen.study, seen.crop
    experiment = crop.image.sample.experiment
    pixels = shard(crop.shard)
    return {
        "id": crop.pk,
        # The key tells image and place apart, which a blind reader must not see.
        "key": None if seen.is_blind else crop.key,
        # The pixels' own name is part of the address: a browser may keep them, and never shows them for others.
        "pixels": f"{reverse('labeling-api:study-crop-pixels', args=[study.pk, crop.pk])}?v={version_of(crop)}",
        "dtype": str(pixels.dtype),
        "shape": list(pixels.shape[1:]),
        "channels": shown_channels(crop.image),
        "is_rgb": experiment.modality == Experiment.Modality.BRIGHTFIELD,
        "experiment": None if seen.is_blind else experiment.name,
    } | crop_frames(study, crop)
