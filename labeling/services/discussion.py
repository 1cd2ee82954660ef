"""Crops that independent readers call by different names: which classes are mixed up, who said what; for leads."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Max

from imaging.models import Crop
from labeling.agreement.confusion import Cell, confusion_cells, disputed_items, narrowed
from labeling.agreement.table import ReadTable, from_long
from labeling.models import Annotation, Comment, Study
from labeling.models.annotation import is_excluded
from labeling.services.exclusions import exclusion_changes
from labeling.services.progress import COUNTS_FOR, NOT_SURE_LABEL, independent_reads
from labeling.services.reads import awaiting_reads, decision_of, reads_of, reopened_after
from labeling.services.verdicts import verdict_of

PAGE = 24
# For more crops than this all reads are read together: a list of numbers that long is no quicker.
MOST_NAMED = 500


class Settled(StrEnum):
    """Which disputed crops are wanted: those that have no class yet, those that were decided, or all."""

    UNDECIDED = "undecided"
    DECIDED = "decided"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Discussed:
    """A crop with everything that was said of it: standing reads in order, the decision, comments, oldest first.

    Rows of readers who are left out are among them, with `is_left_out`: they are shown and count for nothing.
    `waits`: a further reader is still to come. `settled_on`: the key of the class that a further reader has settled
    it on, "" where none has.
    """

    crop: Crop
    reads: list[Annotation] = field(default_factory=list)
    decision: Annotation | None = None
    comments: list[Comment] = field(default_factory=list)
    waits: bool = False
    settled_on: str = ""


def confusion(study: Study, readers: Sequence[int] = ()) -> list[Cell]:
    """How many crops were called one class by one reader and another by another, for each two classes.

    Labels are class keys, and NOT_SURE_LABEL. Independent reads only: decisions, bulk answers, accepted suggestions
    and imports are none. `readers`: pairs with this one, or the pair of these two.
    """
    return confusion_cells(*_table_of(study, readers))


def disputed_crops(
    study: Study, a: str, b: str, readers: Sequence[int] = (), settled: Settled = Settled.ALL
) -> list[int]:
    """Numbers of the crops behind a cell of `confusion`, in order."""
    table, reader = _table_of(study, readers)
    crops = sorted(map(int, disputed_items(table, a, b, reader)))
    if settled is Settled.ALL:
        return crops
    decided = decided_among(study, crops)
    return [crop for crop in crops if (crop in decided) == (settled is Settled.DECIDED)]


def decided_among(study: Study, crops: Collection[int]) -> set[int]:
    """Those that a lead decided on, also as not decidable, and those that a further reader has settled on a class."""
    asked = list(crops) if len(crops) <= MOST_NAMED else None
    reads, reopened = reads_of(study, asked), reopened_after(study, asked)
    return {
        crop
        for crop in crops
        if decision_of(reads[crop], reopened.get(crop)) or verdict_of(reads[crop], reopened.get(crop))
    }


def readers_in(study: Study) -> list[Any]:
    """Everybody whose independent reads are counted, by name."""
    return list(get_user_model().objects.filter(pk__in=_table(study).annotators).order_by("username"))


def discussed(study: Study, crops: Sequence[int]) -> list[Discussed]:
    """What was said of these crops, in this order; numbers that are no crop of the study are passed over."""
    rows = Crop.objects.filter(pk__in=crops, image__sample__experiment__studies=study)
    known = {row.pk: row for row in rows.select_related("image__sample__experiment")}
    reads: dict[int, list[Annotation]] = defaultdict(list)
    standing = Annotation.objects.standing().filter(study=study, crop__in=known, is_reread=False)
    marked = standing.annotate(is_left_out=is_excluded())
    shown = marked.select_related("annotator").prefetch_related(
        "labels__label_class__merged_into__parts", "labels__label_class__parts"
    )
    for row in shown.order_by("id"):
        reads[row.crop_id].append(row)
    comments: dict[int, list[Comment]] = defaultdict(list)
    for note in Comment.objects.filter(study=study, crop__in=known).select_related("author").order_by("id"):
        comments[note.crop_id].append(note)
    waiting = awaiting_reads(study, {crop.pk: crop.key for crop in known.values()})
    settled = _settled(study, list(known))
    return [
        _discussed(known[crop], reads[crop], comments[crop], crop in waiting, settled[crop])
        for crop in crops
        if crop in known
    ]


def _settled(study: Study, crops: list[int]) -> dict[int, str]:
    """The class that readers have settled each crop on, "" where they have not."""
    reads, reopened = reads_of(study, crops), reopened_after(study, crops)
    return {crop: verdict_of(reads[crop], reopened.get(crop)) or "" for crop in crops}


def _discussed(
    crop: Crop, rows: list[Annotation], comments: list[Comment], waits: bool, settled_on: str
) -> Discussed:
    decided = [row for row in rows if row.source == Annotation.Source.DECISION]
    reads = [row for row in rows if row.source != Annotation.Source.DECISION]
    return Discussed(crop, reads, decided[-1] if decided else None, comments, waits, settled_on)


def _table_of(study: Study, readers: Sequence[int]) -> tuple[ReadTable, str | None]:
    """The table of reads, and the reader whose pairs are wanted where it is one."""
    table = _table(study)
    if len(readers) == 2:
        return narrowed(table, tuple(map(str, readers))), None
    return table, str(readers[0]) if readers else None


def _table(study: Study) -> ReadTable:
    """Independent reads by the numbers of crops and annotators; kept until the next answer, merge or split, or until
    a reader is left out or put back."""
    return _kept_table(study.pk, state_of_reads(study))


def state_of_reads(study: Study) -> tuple[Any, ...]:
    """What changes with everything that reads add up to: the newest answer, classes, who is left out."""
    newest = Annotation.objects.filter(study=study).aggregate(newest=Max("id"))["newest"] or 0
    moved = study.classes.order_by("pk").values_list("pk", "merged_into", "split_from")
    return study.created_at, newest, *moved, exclusion_changes(study)


@lru_cache(maxsize=8)
def _kept_table(study_id: int, state: tuple[Any, ...]) -> ReadTable:
    rows = independent_reads(Study.objects.get(pk=study_id)).values_list("crop_id", "annotator_id", COUNTS_FOR)
    told = ((str(crop), str(annotator), label or NOT_SURE_LABEL) for crop, annotator, label in rows)
    return from_long(told, not_sure=NOT_SURE_LABEL, in_turn=True)
