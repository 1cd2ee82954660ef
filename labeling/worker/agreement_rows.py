"""Reads a study's answers into the columns that the agreement report is computed from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.contrib.auth import get_user_model
from django.db.models import Min

from imaging.models import Crop, Experiment, QualityReport, Verdict
from labeling.agreement.bases import Design
from labeling.agreement.columns import Columns, Items, Kinds, Names
from labeling.agreement.table import MISSING, Codes
from labeling.agreement.whole import Known
from labeling.models import Annotation, LabelClass, Reopening, Study
from labeling.services.progress import NOT_SURE_LABEL, pool
from labeling.services.reads import (
    ADJUDICATION,
    AMBIGUOUS_FROM,
    BAD,
    STREAM,
    decision_of,
    is_shared,
    reads_of,
    reopened_after,
)
from labeling.services.verdicts import verdict_of

COLUMNS = (
    "id", "crop_id", "annotator_id", "answer", "labels__label_class_id", "why_asked", "is_bulk", "suggested_by",
    "source", "is_reread", "answered_at",
)  # fmt: skip
CHUNK = 5000
FOCUS = ("least sharp third", "middle third", "sharpest third")
SLOPE = "PowerLogLogSlope"


@dataclass(frozen=True, slots=True)
class Gathered:
    """The columns, with what else the report rests on, and the number of answers that were read."""

    columns: Columns
    design: Design
    known: Known
    answers: int


@dataclass(slots=True)
class _Rows:
    """What the answers say, one entry for each read on classes; and crops with an answer, by kind."""

    crop: list[int]
    reader: list[int]
    label: list[str]
    why: list[str]
    time: list[float]
    flags: list[tuple[bool, ...]]
    answered: set[int]
    closed: set[int]


def gather(study: Study) -> Gathered:
    """Every standing read of the study that counts, in the order of answering."""
    rows = _read(study)
    numbers, item = np.unique(np.array(rows.crop, dtype=np.int64), return_inverse=True)
    crops = _crops(study, rows.answered)
    names, label = _labels(study, rows)
    reader_names, reader = _readers(rows)
    why_names, why = _coded(rows.why)
    items, experiments, focus = _items(study, numbers, crops)
    flags = np.array(rows.flags, dtype=bool).reshape(-1, len(Kinds.__slots__))
    columns = Columns(
        items,
        Names(reader_names, names, experiments, tuple(Verdict.values), focus, why_names, NOT_SURE_LABEL),
        item.astype(np.int64),
        reader,
        label,
        why,
        np.array(rows.time),
        Kinds(*flags.T),
    )
    return Gathered(columns, _design(study, rows, crops), _known(study, columns, numbers), len(rows.crop))


def _read(study: Study) -> _Rows:
    counted, rows = _counted_keys(study), _Rows([], [], [], [], [], [], set(), set())
    after = dict(
        Reopening.objects.filter(study=study).values_list("crop").annotate(first=Min("last_annotation")).order_by()
    )
    standing = Annotation.objects.current().included().filter(study=study).order_by("id").values_list(*COLUMNS)
    before = 0
    for row in standing.iterator(chunk_size=CHUNK):
        number, crop, _, answer, named = row[:5]
        if answer in BAD:
            rows.closed.add(crop)
            rows.answered.add(crop)
            continue
        key = NOT_SURE_LABEL if answer == Annotation.Answer.NOT_SURE else counted.get(named)
        # An answer that names a class which was split is void; of several classes the first stands for the answer.
        if key is None or number == before:
            continue
        before = number
        rows.answered.add(crop)
        _take(rows, row, key, crop in after and number > after[crop])
    return rows


def _take(rows: _Rows, row: Sequence[Any], key: str, reopened: bool) -> None:
    _, crop, reader, _, _, why, bulk, suggested, source, reread, at = row
    rows.crop.append(crop)
    rows.reader.append(reader)
    rows.label.append(key)
    rows.why.append(why)
    rows.time.append(at.timestamp())
    imported = source == Annotation.Source.IMPORT
    # In the order of the fields of Kinds.
    rows.flags.append(
        (why == STREAM, why == ADJUDICATION, bool(bulk or suggested), imported, bool(reread), bool(reopened))
    )


def _counted_keys(study: Study) -> dict[int, str]:
    """For each class whose answers count: the key that they count for."""
    rows = list(LabelClass.objects.filter(study=study).values_list("pk", "key", "merged_into_id", "split_from_id"))
    keys, split = {pk: key for pk, key, _, _ in rows}, {parent for *_, parent in rows}
    return {pk: keys[into or pk] for pk, _, into, _ in rows if pk not in split and (into or pk) not in split}


def _labels(study: Study, rows: _Rows) -> tuple[tuple[str, ...], Codes]:
    """The labels that were given, in the order of the classes, "not sure" last; and the place of each read's."""
    given = set(rows.label)
    order = [*LabelClass.objects.filter(study=study).order_by("position", "pk").values_list("key", flat=True)]
    names = tuple(key for key in [*order, NOT_SURE_LABEL] if key in given)
    places = {name: place for place, name in enumerate(names)}
    return names, np.array([places[name] for name in rows.label], dtype=np.int64)


def _readers(rows: _Rows) -> tuple[tuple[tuple[int, str], ...], Codes]:
    found = get_user_model().objects.filter(pk__in=set(rows.reader)).order_by("username")
    names = tuple(found.values_list("pk", "username"))
    places = {pk: place for place, (pk, _) in enumerate(names)}
    return names, np.array([places[pk] for pk in rows.reader], dtype=np.int64)


def _coded(texts: Iterable[str]) -> tuple[tuple[str, ...], Codes]:
    places: dict[str, int] = {}
    codes = [places.setdefault(text, len(places)) for text in texts]
    return tuple(places), np.array(codes, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class _Crop:
    """What is known of a crop that somebody answered."""

    key: str
    image: int
    verdict: str
    experiment: int
    is_gone: bool


def _crops(study: Study, answered: set[int]) -> dict[int, _Crop]:
    read = Annotation.objects.filter(study=study).order_by().values("crop")
    columns = ("pk", "key", "image_id", "image__verdict", "image__sample__experiment_id", "gone_at")
    rows = Crop.objects.filter(pk__in=read).order_by().values_list(*columns).iterator(chunk_size=CHUNK)
    return {pk: _Crop(*more, gone is not None) for pk, *more, gone in rows if pk in answered}


def _items(
    study: Study, numbers: Codes, crops: dict[int, _Crop]
) -> tuple[Items, tuple[tuple[int, str], ...], tuple[str, ...]]:
    found = [crops[int(number)] for number in numbers]
    own = {crop.experiment for crop in found}
    experiments = tuple(Experiment.objects.filter(pk__in=own).order_by("name").values_list("pk", "name"))
    place = {pk: at for at, (pk, _) in enumerate(experiments)}
    verdicts = {name: at for at, name in enumerate(Verdict.values)}
    focus = _focus([crop.image for crop in found])
    items = Items(
        tuple(crop.key for crop in found),
        # Every reader of a protocol reads every case: no lot chooses the second.
        np.array([not study.is_reader_study and is_shared(study, crop.key) for crop in found], dtype=bool),
        np.array([place[crop.experiment] for crop in found], dtype=np.int64),
        np.array([verdicts[crop.verdict] for crop in found], dtype=np.int64),
        focus,
    )
    return items, experiments, FOCUS


def _focus(images: list[int]) -> Codes:
    """The third of the crops by sharpness of their image that each belongs to; -1 where it was not measured."""
    reports = QualityReport.objects.filter(image__in=set(images)).order_by("created_at", "pk")
    slopes: dict[int, float] = {}
    for image, metrics in reports.values_list("image_id", "metrics"):
        values = [value for name, value in metrics.items() if SLOPE in name and isinstance(value, int | float)]
        if values:
            slopes[image] = float(np.mean(values))
    slope = np.array([slopes.get(image, np.nan) for image in images], dtype=float)
    known = np.isfinite(slope)
    found = np.full(len(images), MISSING, dtype=np.int64)
    if len(set(slope[known])) >= len(FOCUS):
        # A steeper slope is a softer picture: there the value is lower.
        found[known] = np.searchsorted(np.quantile(slope[known], [1 / 3, 2 / 3]), slope[known])
    return found


def _design(study: Study, rows: _Rows, crops: dict[int, _Crop]) -> Design:
    own = set(study.experiments.values_list("pk", flat=True))
    inside = [crop for crop in crops.values() if not crop.is_gone and crop.verdict != Verdict.REJECT]
    answered = sum(crop.experiment in own for crop in inside)
    closed = frozenset(crops[pk].key for pk in rows.closed if pk in crops)
    return Design(study.reads_per_crop >= 2, pool(study).count(), answered, closed)


def _known(study: Study, columns: Columns, numbers: Codes) -> Known:
    simulated = set(study.memberships.filter(is_simulated=True).values_list("user_id", flat=True))
    classes = dict(LabelClass.objects.filter(study=study).values_list("key", "name"))
    decided, by_lead = _decided(study, columns, numbers)
    return Known(numbers, classes, decided, simulated, study.is_simulated, by_lead)


def _decided(study: Study, columns: Columns, numbers: Codes) -> tuple[dict[int, str], set[int]]:
    """What was decided on an item where votes do not tell: of the stream, adjudicated, reopened or ambiguous; and
    which items a lead settled."""
    kinds = columns.kinds
    special = columns.items_with(kinds.stream | kinds.adjudication | kinds.reopened)
    special |= columns.reads_of(columns.unsure & ~kinds.reread) >= AMBIGUOUS_FROM
    decided = Annotation.objects.decisions().filter(study=study).values_list("crop_id", flat=True)
    special |= np.isin(numbers, list(decided))
    place = {int(numbers[item]): int(item) for item in np.flatnonzero(special)}
    reopened, found, by_lead = reopened_after(study), {}, set()
    for crops in _pieces(list(place)):
        for crop, reads in reads_of(study, crops).items():
            verdict = verdict_of(reads, reopened.get(crop))
            if verdict is not None:
                found[place[crop]] = verdict
            if decision_of(reads, reopened.get(crop)) is not None:
                by_lead.add(place[crop])
    return found, by_lead


def _pieces(crops: list[int]) -> Iterable[list[int]]:
    return (crops[start : start + CHUNK] for start in range(0, len(crops), CHUNK))
