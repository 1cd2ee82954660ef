"""Label images of the outlined objects of a study, as OME-Zarr."""

from collections.abc import Iterator

import numpy as np
from django.db.models import F, Q

from imaging.models import Crop, CropQuerySet
from labeling.exchange import ngff
from labeling.exchange.folders import unique_names
from labeling.exchange.rings import paint
from labeling.models import Annotation, Study
from labeling.services.export.objects import Picture, labelled, looks, pictures, ring_of

NAME = "objects"
# A label image is held in memory while it is written: four bytes a pixel.
MOST_PIXELS = 2**26
NOTE = "README.txt"


def label_images(study: Study) -> Iterator[tuple[str, bytes]]:
    """(path, bytes) of one group IMAGE.zarr per image with outlines, then of a note on what was left out.

    Every outlined object is painted; one without a class is grey and named "". Images of more than MOST_PIXELS are
    left out and named in the note.
    """
    images = pictures(study)
    names = unique_names(image.name for image in images.values())
    classes = {item.crop: item.majority.name for item in labelled(study, images)}
    left_out = []
    outlined = _outlined(study).filter(image__in=images)
    for number in outlined.order_by("image_id").values_list("image_id", flat=True).distinct():
        image = images[number]
        if image.height * image.width > MOST_PIXELS:
            left_out.append(image.name)
            continue
        for path, content in _group(study, number, image, classes):
            yield f"{names[image.name]}.zarr/{path}", content
    yield NOTE, _note(left_out).encode()


def has_outlines(study: Study) -> bool:
    """Whether any object would be painted."""
    return _outlined(study).filter(image__in=pictures(study)).exists()


def _outlined(study: Study) -> CropQuerySet:
    """Crops whose outlines are painted: those that stand, and those whose object is gone if their answer is kept."""
    answered = Annotation.objects.counted().filter(study=study).order_by().values("crop")
    return Crop.objects.filter(Q(gone_at__isnull=True) | Q(pk__in=answered), contour__isnull=False)


def _group(study: Study, number: int, image: Picture, classes: dict[int, str]) -> ngff.Files:
    labels = np.zeros((image.height, image.width), dtype=np.int32)
    styles, regions = looks(study), []
    # What stands lies on top of what is gone.
    crops = _outlined(study).filter(image=number).order_by(F("gone_at").asc(nulls_last=True), "id")
    for crop, key, contour in crops.values_list("pk", "key", "contour").iterator(chunk_size=2000):
        ring, value = ring_of(contour), len(regions) + 1
        if ring is None or not paint(labels, ring, value):
            continue
        name = classes.get(crop, "")
        regions.append(ngff.Region(value, name, styles[name].color if name else ngff.GREY, key))
    return ngff.write(NAME, labels, regions, image.pixel_size_um)


def _note(left_out: list[str]) -> str:
    lines = [
        "One OME-Zarr group (NGFF 0.5, Zarr 3) per image. It holds label images alone: copy its folder “labels” into",
        "the OME-Zarr of the image itself, or open “labels/objects” as it is. Values are object numbers; class,",
        "colour and crop of each are in the attributes “image-label”.",
    ]
    if left_out:
        lines += ["", f"Left out, as they have more than {MOST_PIXELS:,} pixels:", *left_out]
    return "\n".join(lines) + "\n"
