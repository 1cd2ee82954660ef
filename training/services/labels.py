"""What the annotators' answers add up to, as arrays of plain values for training and ranking."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from django.db.models import Count, Max
from numpy.typing import NDArray

from labeling.models import Annotation, Study
from labeling.services.ambiguous import is_ambiguous
from labeling.services.reads import (
    ADJUDICATION,
    BAD,
    CLASS_SPLIT,
    NOT_SURE,
    SECOND_READ,
    STREAM,
    Cause,
    Read,
    cause_of,
    decision_of,
    given_reads,
    in_stream,
    reads_of,
    reopened_after,
    situation_of,
)

# Why a crop that was read waits for one more reader; the first: it waits for none. PLANNED waits until every crop was
# read once.
FURTHER_READS = ("", SECOND_READ, STREAM, ADJUDICATION, SECOND_READ, CLASS_SPLIT)
PLANNED = 4
KINDS = {
    Cause.NONE: 0, Cause.FIRST: 0, Cause.SHARED: 1, Cause.NOT_SURE: 1, Cause.REOPENED: 1, Cause.STREAM: 2,
    Cause.DISPUTE: 3, Cause.PLANNED: PLANNED,
}  # fmt: skip
# More crops than this are read together with all others: one long list of numbers is no quicker.
MOST_TOUCHED = 500
# Answers are never changed in place; should it happen all the same, it shows after this many readings.
READ_ALL_EVERY = 256


@dataclass(frozen=True, slots=True)
class Standing:
    """Every standing answer of a study, one row per crop that has any, by rising crop number.

    `votes` (crops, classes) counts the reads per open class, or is the one that a lead decided on; `reads` (crops,)
    counts all reads, `not_sure` (crops,) those that could not tell, and `bad` (crops,) those of a bad crop or a wrong
    object. `in_stream` marks crops of the random stream and `ambiguous` those that are frozen without a class.
    `further_read` (crops,) numbers FURTHER_READS. Reads of a class that was split since count in none of them: their
    crop waits to be read anew. `newest` is the number of the newest answer, also of a withdrawn one.
    """

    crop_ids: NDArray[np.int64]
    votes: NDArray[np.float64]
    reads: NDArray[np.int64]
    not_sure: NDArray[np.int64]
    bad: NDArray[np.int64]
    in_stream: NDArray[np.bool_]
    ambiguous: NDArray[np.bool_]
    further_read: NDArray[np.int8]
    newest: int = 0

    def labelled(self) -> NDArray[np.bool_]:
        """Which crops carry at least one class; one that is frozen as ambiguous carries none."""
        return np.asarray((self.votes.sum(axis=1) > 0) & ~self.ambiguous)

    def shares(self) -> NDArray[np.float64]:
        """Vote shares (crops, classes) of the labelled crops, rows summing to one."""
        votes = self.votes[self.labelled()]
        return np.asarray(votes / votes.sum(axis=1, keepdims=True))

    def with_rows(self, other: "Standing", instead_of: Iterable[int]) -> "Standing":
        """These rows without those of some crops, and the rows of `other`, by rising crop number."""
        kept = ~np.isin(self.crop_ids, np.fromiter(instead_of, np.int64))
        order = np.argsort(np.concatenate([self.crop_ids[kept], other.crop_ids]), kind="stable")
        columns = {
            field.name: np.concatenate([getattr(self, field.name)[kept], getattr(other, field.name)])[order]
            for field in fields(self)
            if field.name != "newest"
        }
        return replace(self, **columns)


class AnswerBook:
    """The answers of a study, kept up to date by reading the crops that were answered anew.

    What it returns is a function of the set of answers: the same as a reading of everything. Made anew when the
    study's classes, its rules of reading or the readers who are left out change. `with_excluded` counts those too.
    `classes`: the keys that its columns of votes stand for, in order.
    """

    def __init__(self, study: Study, *, with_excluded: bool = False) -> None:
        self._study, self._with_excluded = study, with_excluded
        self.classes = tuple(class_keys(study))
        self._places = {key: place for place, key in enumerate(self.classes)}
        self._standing: Standing | None = None
        self._count = 0
        self._readings = 0

    def read(self) -> Standing:
        """What stands now."""
        newest, count = _extent(self._study)
        touched = self._touched(newest, count)
        if self._standing is None or touched is None:
            standing = self._rows(None)
        else:
            standing = self._standing.with_rows(self._rows(touched), touched) if touched else self._standing
        self._readings += 1
        self._count = count
        self._standing = replace(standing, newest=newest)
        return self._standing

    def _touched(self, newest: int, count: int) -> set[int] | None:
        """Crops with answers since the last reading; None where everything must be read."""
        if self._standing is None or self._readings % READ_ALL_EVERY == 0:
            return None
        if (newest, count) == (self._standing.newest, self._count):
            return set()
        since = Annotation.objects.filter(study=self._study, id__gt=self._standing.newest, id__lte=newest)
        crops = list(since.values_list("crop_id", flat=True)[: MOST_TOUCHED + 1])
        # An answer that was removed, or one that came late, shows in their number.
        complete = self._count + len(crops) == count and len(crops) <= MOST_TOUCHED
        return set(crops) if complete else None

    def _rows(self, crops: set[int] | None) -> Standing:
        reads = self._reads(crops)
        reopened = reopened_after(self._study, crops)
        keys = _keys(self._study, crops)
        numbers = sorted(reads)
        rows = [_Row.of(self._study, keys[crop], reads[crop], reopened.get(crop)) for crop in numbers]
        return _as_arrays(numbers, rows, self._places)

    def _reads(self, crops: set[int] | None) -> dict[int, list[Read]]:
        """Reads of each crop; one that only readers who are left out have read, or that nobody reads any more though
        a lead decided on it, is none, and open again.

        A random check stays one, to be read anew: taken out, its place would go to a crop that the ranking chose.
        """
        found = reads_of(self._study, crops, with_void=True)
        if self._with_excluded:
            found = {
                crop: [replace(read, is_void=read.is_split, is_excluded=False) for read in reads]
                for crop, reads in found.items()
            }
        return {
            crop: reads
            for crop, reads in found.items()
            if in_stream(reads) or not all(read.is_excluded for read in given_reads(reads))
        }


@dataclass(frozen=True, slots=True)
class _Row:
    """What the reads of one crop add up to."""

    reads: Sequence[Read]
    in_stream: bool
    ambiguous: bool
    further_read: int
    decided: Read | None = None

    def votes(self) -> Sequence[Read]:
        """The reads that say which class it is: what a lead decided speaks in place of all others."""
        return self.reads if self.decided is None else [self.decided]

    @staticmethod
    def of(study: Study, crop_key: str, answered: Sequence[Read], reopened_at: int | None) -> "_Row":
        reads = [read for read in answered if not read.is_void]
        given = {read.number: read.answer for read in given_reads(reads)}
        at = situation_of(reads, reopened_at, drawn=in_stream(answered))
        cause = cause_of(study, crop_key, given.values(), at)
        # A reopened crop of the stream stays one, and an ambiguous one waits for the word that settles it.
        if cause == Cause.REOPENED and at.in_stream:
            cause = Cause.DISPUTE if at.differ else Cause.STREAM
        kind = KINDS[cause]
        # Read, but not as the classes are now: it is asked again as what it was.
        is_split = any(read.is_split and not read.is_excluded for read in answered)
        if (is_split or not given_reads(reads)) and cause not in (Cause.NONE, Cause.DISPUTE):
            kind = FURTHER_READS.index(STREAM if at.in_stream else CLASS_SPLIT)
        decided = decision_of(reads, reopened_at)
        return _Row(given_reads(reads), at.in_stream, is_ambiguous(list(reads), reopened_at), kind, decided)

    def count(self, kinds: Collection[str] | None = None) -> int:
        """Number of its reads, of all kinds or of these."""
        return len({read.number for read in self.reads if kinds is None or read.answer in kinds})


def _as_arrays(numbers: list[int], rows: list[_Row], places: Mapping[str, int]) -> Standing:
    votes = np.zeros((len(rows), len(places)))
    for number, row in enumerate(rows):
        for read in row.votes():
            if read.label in places:
                votes[number, places[read.label]] += 1
    return Standing(
        crop_ids=np.array(numbers, dtype=np.int64),
        votes=votes,
        reads=np.array([row.count() for row in rows], dtype=np.int64),
        not_sure=np.array([row.count({NOT_SURE}) for row in rows], dtype=np.int64),
        bad=np.array([row.count(BAD) for row in rows], dtype=np.int64),
        in_stream=np.array([row.in_stream for row in rows], dtype=bool),
        ambiguous=np.array([row.ambiguous for row in rows], dtype=bool),
        further_read=np.array([row.further_read for row in rows], dtype=np.int8),
    )


def _extent(study: Study) -> tuple[int, int]:
    """Number of the newest answer and how many there are, withdrawn ones among them."""
    found = Annotation.objects.filter(study=study).aggregate(newest=Max("id"), count=Count("id"))
    return found["newest"] or 0, found["count"]


def _keys(study: Study, crops: set[int] | None) -> dict[int, str]:
    answered = Annotation.objects.filter(study=study)
    if crops is not None:
        answered = answered.filter(crop__in=crops)
    return dict(answered.order_by().values_list("crop_id", "crop__key").distinct())


def class_keys(study: Study) -> list[str]:
    """Keys of the study's open classes, in order."""
    return list(study.classes.filter(retired_at__isnull=True).values_list("key", flat=True))


def newest_annotation(study: Study) -> int:
    """Number of the study's newest answer, 0 before the first."""
    return Annotation.objects.filter(study=study).order_by("-id").values_list("id", flat=True).first() or 0


def standing_answers(study: Study, *, with_excluded: bool = False) -> Standing:
    """What stands now. A function of the set of answers: neither their order nor their numbers matter.

    `with_excluded`: what would stand if nobody were left out.
    """
    return AnswerBook(study, with_excluded=with_excluded).read()
