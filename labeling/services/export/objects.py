"""The labelled objects of a study: each crop with its image, its reads, and what most of them say."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Coalesce

from imaging.models import Image
from labeling.exchange.consensus import Majority, majority
from labeling.exchange.labels import LABEL, Label, Place
from labeling.exchange.qupath import Look
from labeling.exchange.rings import opened
from labeling.models import Annotation, Study

CLASS = Coalesce("labels__label_class__merged_into__key", "labels__label_class__key")
CROP_COLUMNS = ("crop__key", "crop__x", "crop__y", "crop__x0", "crop__y0", "crop__x1", "crop__y1", "crop__contour")
READ_COLUMNS = ("crop_id", "crop__image_id", "annotator_id", "answer", "answered_at", "active_ms", "reason")


@dataclass(frozen=True, slots=True)
class Read:
    """One standing read: the pseudonym of its annotator, the answer, the class that it counts for, and when."""

    annotator: str
    answer: str
    name: str
    at: datetime
    seconds: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A crop that somebody read: its number, its image's, its place, and its reads in order."""

    crop: int
    image: int
    place: Place
    reads: tuple[Read, ...]

    @property
    def majority(self) -> Majority:
        """What most reads say."""
        return majority([(read.answer, read.name) for read in self.reads])

    @property
    def label(self) -> Label | None:
        """The class that most reads name; None where there is no such class."""
        name = self.majority.name
        return Label(self.place.key, self.place, name) if name else None

    def labels(self) -> Iterator[Label]:
        """One label per read."""
        for number, read in enumerate(self.reads, start=1):
            row = f"{self.place.key} {number}"
            yield Label(row, self.place, read.name, read.answer, read.annotator, read.at, read.seconds, read.reason)


def labelled(study: Study, images: dict[int, "Picture"]) -> Iterator[Labelled]:
    """Every crop with a standing read, image by image; first reads only, as re-reads judge the annotator."""
    for (crop, image), rows in groupby(_rows(study), key=lambda row: (row[0], row[1])):
        reads = list(rows)
        yield Labelled(crop, image, _place(reads[0], images[image].name), tuple(map(_read, reads)))


def _rows(study: Study) -> Iterator[tuple[Any, ...]]:
    reads: QuerySet[Annotation] = Annotation.objects.reads().filter(study=study)
    ordered = reads.order_by("crop__image_id", "crop_id", "id")
    yield from ordered.values_list(*READ_COLUMNS, *CROP_COLUMNS, CLASS).iterator(chunk_size=2000)


def _read(row: tuple[Any, ...]) -> Read:
    _, _, annotator, answer, at, active_ms, reason, *_, name = row
    seconds = None if active_ms is None else active_ms / 1000
    return Read(f"user:{annotator}", answer, name or "" if answer == LABEL else "", at, seconds, reason)


def _place(row: tuple[Any, ...], image: str) -> Place:
    key, x, y, x0, y0, x1, y1, contour = row[len(READ_COLUMNS) : -1]
    return Place(key, image, x, y, box=(x0, y0, x1, y1), ring=ring_of(contour))


def ring_of(contour: Any) -> tuple[tuple[float, float], ...] | None:
    """The stored outline without its repeated last point; None where there is none of three points."""
    ring = opened(contour) if contour else ()
    return ring if len(ring) >= 3 else None


def read_images(study: Study) -> list[int]:
    """Numbers of the images with a read crop, in order."""
    reads: QuerySet[Annotation] = Annotation.objects.reads().filter(study=study)
    return list(reads.order_by("crop__image_id").values_list("crop__image_id", flat=True).distinct())


@dataclass(frozen=True, slots=True)
class Picture:
    """An image of a study: a name that is unique in it, its experiment, its size, and the size of its pixels."""

    name: str
    experiment: str
    height: int
    width: int
    pixel_size_um: float | None


def pictures(study: Study) -> dict[int, Picture]:
    """Every image of the study by number; where two bear one name, the experiment or the number stands before it."""
    rows = Image.objects.filter(sample__experiment__in=study.experiments.all()).order_by("id")
    columns = ("pk", "name", "sample__experiment__name", "sample__name", "shape", "pixel_size_um")
    found = list(rows.values_list(*columns))
    names = Counter(row[1] for row in found)
    full = Counter(f"{row[2]}/{row[1]}" for row in found)
    made = {}
    for number, name, experiment, sample, shape, size in found:
        if names[name] > 1:
            longer = f"{experiment}/{name}"
            name = longer if full[longer] == 1 else f"{experiment}/{sample}/{name}"
        made[number] = Picture(name, experiment, int(shape[-2]), int(shape[-1]), size)
    return made


def looks(study: Study) -> dict[str, Look]:
    """How files call and colour each class that answers may count for: its key, which stays when it is renamed."""
    return {row.key: Look(row.key, row.color) for row in study.classes.filter(merged_into__isnull=True)}
