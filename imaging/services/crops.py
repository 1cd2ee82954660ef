"""Crops with the image, sample and experiment that they are shown with."""

from collections.abc import Sequence

from audit.statements import Statement, columns, records
from imaging.models import Crop, Experiment, Image, Sample

# Where originals lie is asked only where they are opened.
_IMAGE = [name for name in columns(Image) if name != "files"]
_SAMPLE, _EXPERIMENT = columns(Sample), columns(Experiment)
_CROPS = Statement(lambda crops: Crop.objects.filter(pk__in=crops).values_list(*columns(Crop)), crops=list)
_IMAGES = Statement(
    lambda images: (
        Image.objects.filter(pk__in=images)
        .order_by()
        .values_list(
            *_IMAGE,
            *(f"sample__{name}" for name in _SAMPLE),
            *(f"sample__experiment__{name}" for name in _EXPERIMENT),
        )
    ),
    images=list,
)


def crops_to_show(numbers: Sequence[int]) -> dict[int, Crop]:
    """The crops by their number, each with its image, that with its sample and experiment; two queries."""
    crops = records(Crop, _CROPS.ask(crops=numbers))
    images = _images(sorted({crop.image_id for crop in crops}))
    for crop in crops:
        crop.image = images[crop.image_id]
    return {crop.pk: crop for crop in crops}


def _images(numbers: Sequence[int]) -> dict[int, Image]:
    found = {}
    second = len(_IMAGE) + len(_SAMPLE)
    for row in _IMAGES.ask(images=numbers):
        (image,) = records(Image, [row[: len(_IMAGE)]], _IMAGE)
        (sample,) = records(Sample, [row[len(_IMAGE) : second]], _SAMPLE)
        (sample.experiment,) = records(Experiment, [row[second:]], _EXPERIMENT)
        image.sample = sample
        found[image.pk] = image
    return found
