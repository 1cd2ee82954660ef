"""Which channels of an experiment an encoder reads, and in which windows."""

from typing import Any

from imaging.models import Experiment, Image
from training.services.work import Refused


def layout_of(experiment: Experiment) -> list[dict[str, Any]]:
    """Name, colour and window of each channel that all images of the experiment have, in their order.

    Images that lack a channel can still be ranked together with the others by what they share. Refused where they
    share nothing.
    """
    images = Image.objects.filter(sample__experiment=experiment)
    layouts = {tuple(names) for names in images.values_list("channels", flat=True)}
    shared = [row for row in experiment.channels if all(row["name"] in names for names in layouts)]
    if not shared:
        shown = "; ".join("+".join(names) for names in sorted(layouts)) or "there are none"
        raise Refused(f"The images of '{experiment}' have no channel in common ({shown}): ingest them apart.")
    return shared


def windows_of(channels: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """The display windows that scale pixels to [0, 1], the same for the whole experiment."""
    return [(channel["low"], channel["high"]) for channel in channels]
