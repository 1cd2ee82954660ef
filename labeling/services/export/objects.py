"""The labelled objects of a study: each crop with its image, its reads, and what most of them say."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Coalesce

from imaging.models import Image
from labeling.exchange.consensus import Majority, majority
from labeling.exchange.labels import LABEL, Label, Place
from labeling.exchange.qupath import Look
from labeling.exchange.rings import opened
from labeling.models import Annotation, Study
from labeling.models.annotation import is_independent
from labeling.services.reads import ADJUDICATION, Read, decision_of, reopened_after
from labeling.services.verdicts import verdict_of

LEAD = "lead"
CLASS = Coalesce("labels__label_class__merged_into__key", "labels__label_class__key")
CROP_COLUMNS = ("crop__key", "crop__x", "crop__y", "crop__x0", "crop__y0", "crop__x1", "crop__y1", "crop__contour")
READ_COLUMNS = (
    "crop_id", "crop__image_id", "id", "annotator_id", "answer", "why_asked", "answered_at", "active_ms", "reason",
    "is_bulk", "suggested_by", "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Given:
    """One read that counts, and how it came about."""

    read: Read
    at: datetime
    seconds: float | None
    reason: str
    is_bulk: bool
    suggested_by: str

    def label(self, row: str, place: Place) -> Label:
        """The read as a label, under the pseudonym of its annotator."""
        read = self.read
        return Label(
            row, place, read.label, read.answer, f"user:{read.annotator}", self.at, self.seconds, self.reason,
            is_bulk=self.is_bulk, suggested_by=self.suggested_by,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Labelled:
    """A crop that somebody read: its number, its image's, its place, its reads in order, and what was decided.

    `verdict`: as `verdict_of` tells it; `decided` by whom: LEAD, ADJUDICATION, or "" where nobody did.
    """

    crop: int
    image: int
    place: Place
    given: tuple[Given, ...]
    verdict: str | None
    decided: str = ""

    @property
    def majority(self) -> Majority:
        """What most reads say, or what was decided where they differ."""
        said = [item.read.said for item in self.given if not item.read.is_decision]
        return majority(said, self.verdict, is_settled=bool(self.decided))

    @property
    def label(self) -> Label | None:
        """The class of the crop; None where it has none."""
        name = self.majority.name
        return Label(self.place.key, self.place, name) if name else None

    def labels(self) -> Iterator[Label]:
        """One label per read; what a lead decided is none."""
        reads = (item for item in self.given if not item.read.is_decision)
        for number, item in enumerate(reads, start=1):
            yield item.label(f"{self.place.key} {number}", self.place)


def labelled(study: Study, images: dict[int, "Picture"]) -> Iterator[Labelled]:
    """Every crop with a read that counts, image by image; first reads only, as re-reads judge the annotator."""
    reopened = reopened_after(study)
    for (crop, image), rows in groupby(_rows(study), key=lambda row: (row[0], row[1])):
        found = list(rows)
        given = tuple(map(_given, found))
        if all(item.read.is_decision for item in given):
            continue
        reads = [item.read for item in given]
        decided = _decided_by(reads, reopened.get(crop))
        place = _place(found[0], images[image].name)
        yield Labelled(crop, image, place, given, verdict_of(reads, reopened.get(crop)), decided)


def _decided_by(reads: list[Read], reopened_at: int | None) -> str:
    if decision_of(reads, reopened_at) is not None:
        return LEAD
    return ADJUDICATION if any(read.why == ADJUDICATION for read in reads) else ""


def _rows(study: Study) -> Iterator[tuple[Any, ...]]:
    reads: QuerySet[Annotation] = Annotation.objects.counted(with_decisions=True).filter(study=study)
    ordered = reads.order_by("crop__image_id", "crop_id", "id")
    by_itself = ExpressionWrapper(is_independent(), BooleanField())
    yield from ordered.values_list(*READ_COLUMNS, *CROP_COLUMNS, CLASS, by_itself).iterator(chunk_size=2000)


def _given(row: tuple[Any, ...]) -> Given:
    (
        _,
        _,
        number,
        annotator,
        answer,
        why,
        at,
        active_ms,
        reason,
        is_bulk,
        suggested_by,
        source,
        *_,
        name,
        by_itself,
    ) = row
    label = name or "" if answer == LABEL else ""
    decides = source == Annotation.Source.DECISION
    read = Read(number, annotator, answer, label, why, is_independent=bool(by_itself), is_decision=decides)
    return Given(read, at, None if active_ms is None else active_ms / 1000, reason, is_bulk, suggested_by)


def _place(row: tuple[Any, ...], image: str) -> Place:
    key, x, y, x0, y0, x1, y1, contour = row[len(READ_COLUMNS) : len(READ_COLUMNS) + len(CROP_COLUMNS)]
    return Place(key, image, x, y, box=(x0, y0, x1, y1), ring=ring_of(contour))


def ring_of(contour: Any) -> tuple[tuple[float, float], ...] | None:
    """The stored outline without its repeated last point; None where there is none of three points."""
    ring = opened(contour) if contour else ()
    return ring if len(ring) >= 3 else None


@dataclass(frozen=True, slots=True)
class Picture:
    """An image of a study: a name that is unique in it, its experiment, its size, and the size of its pixels."""

    name: str
    experiment: str
    height: int
    width: int
    pixel_size_um: float | None


def pictures(study: Study) -> dict[int, Picture]:
    """Every image of the study by number; where two bear one name, the experiment or the number stands before it.

    Those with answers are among them, whatever became of their experiment: a file never breaks off half-way.
    """
    answered = Annotation.objects.filter(study=study).order_by().values("crop__image")
    inside = Q(sample__experiment__in=study.experiments.all()) | Q(pk__in=answered)
    rows = Image.objects.filter(inside).order_by("id")
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
