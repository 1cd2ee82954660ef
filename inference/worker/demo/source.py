"""Which crop shows which labelled item of a manifest."""

from collections import defaultdict
from collections.abc import Sequence

from imaging.models import Crop, Experiment
from imaging.pixels.digest import crop_key
from imaging.pixels.geometry import Box
from training.learning.labelled import Item, Task


def crops_of_items(task: Task, experiments: Sequence[Experiment]) -> dict[int, Item]:
    """For each crop (by number) the item that it shows; crops that nobody labelled are left out."""
    items: dict[tuple[str, str], Item] = {}
    by_name: dict[str, list[Item]] = defaultdict(list)
    for item in task.answers:
        by_name[item[0]].append(item)
    found: dict[int, Item] = {}
    crops = Crop.objects.filter(image__sample__experiment__in=experiments).select_related("image")
    for crop in crops.iterator(chunk_size=1000):
        for file in crop.image.files:
            for item in by_name.get(file["name"], ()):
                items[(crop.image.sha256, _key(item, crop))] = item
        item_here = items.get((crop.image.sha256, crop.key))
        if item_here is not None:
            found[crop.pk] = item_here
    return found


def _key(item: Item, crop: Crop) -> str:
    _, _, height, width = crop.image.shape
    box = item[1].clipped(width, height) if item[1] is not None else Box(0, 0, width, height)
    return crop_key(crop.image.sha256, *box.centre)
