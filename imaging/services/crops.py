"""Crops with the image, sample and experiment that they are shown with."""

from collections.abc import Sequence

from audit.statements import Bound, Rows, Statement, columns, records
from imaging.models import Crop, Experiment, Image, Sample

# Where originals lie is asked only where they are opened.
_IMAGE = [name for name in columns(Image) if name != "files"]
_SAMPLE, _EXPERIMENT = columns(Sample), columns(Experiment)
_CROPS = Statement(lambda crops: Crop.objects.filter(pk__in=crops).values_list(*columns(Crop)), crops=list)
_IMAGES = Statement(
    lambda crops: (
        Image.objects.filter(pk__in=Crop.objects.filter(pk__in=crops).values("image"))
        .order_by()
        .values_list(
            *_IMAGE,
            *(f"sample__{name}" for name in _SAMPLE),
            *(f"sample__experiment__{name}" for name in _EXPERIMENT),
        )
    ),
    crops=list,
)


def crops_to_show(numbers: Sequence[int]) -> tuple[Bound, Bound]:
    """What `shown_crops` makes crops of."""
    return _CROPS.of(crops=numbers), _IMAGES.of(crops=numbers)


def shown_crops(rows: Rows, image_rows: Rows) -> dict[int, Crop]:
    """The crops by their number, each with its image, that with its sample and experiment."""
    crops, images = records(Crop, rows), _images(image_rows)
    for crop in crops:
        crop.image = images[crop.image_id]
    return {crop.pk: crop for crop in crops}


def _images(rows: Rows) -> dict[int, Image]:
    found = {}
    second = len(_IMAGE) + len(_SAMPLE)
    for row in rows:
        (image,) = records(Image, [row[: len(_IMAGE)]], _IMAGE)
        (sample,) = records(Sample, [row[len(_IMAGE) : second]], _SAMPLE)
        (sample.experiment,) = records(Experiment, [row[second:]], _EXPERIMENT)
        image.sample = sample
        found[image.pk] = image
    return found
