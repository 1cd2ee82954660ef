"""How many reads a crop still needs; the same answer everywhere: at the queue, in the ranking, on pages."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, QuerySet
from django.db.models.functions import Coalesce

from audit.statements import Statement
from labeling.models import Annotation, LabelClass, Reopening, Study
from labeling.models.annotation import is_excluded, is_independent

STREAM = "random check"
SECOND_READ = "second read"
ADJUDICATION = "adjudication"
MORE_LIKE_THIS = "more like this"
RE_READ = "re-read"
EASY = "easy"
SAME_PLACE = "same place"
CLASS_SPLIT = "class was split"
READER_STUDY = "reader study"
# What the ranking says of most crops.
UNCERTAIN = "uncertain"
# These reasons would tell a reader what others said of the crop, or that they read it before themselves.
ROUTED = frozenset({SECOND_READ, ADJUDICATION, RE_READ})
NOT_SURE = Annotation.Answer.NOT_SURE
BAD = frozenset({Annotation.Answer.BAD_CROP, Annotation.Answer.WRONG_OBJECT})
# Two readers who cannot tell: a third would only cost time.
AMBIGUOUS_FROM = 2


@dataclass(frozen=True, slots=True)
class Read:
    """One annotator's standing answer to a crop; `label` is the key of the class that it counts for, or empty.

    `is_void`: it counts no more and its crop is open again, because it names a class that was split since
    (`is_split`) or its reader is left out (`is_excluded`). `is_independent`: given here, to this crop alone and
    without accepting a suggestion. `is_decision`: no read, but what a lead settled after the readers had answered; it
    comes with them because it rules what they add up to.
    """

    number: int
    annotator: int
    answer: str
    label: str
    why: str
    is_void: bool = False
    is_independent: bool = True
    is_excluded: bool = False
    is_split: bool = False
    is_decision: bool = False

    @property
    def said(self) -> tuple[str, str]:
        """What two reads must share to agree: the kind of answer and the class."""
        return self.answer, self.label


def reads_of(study: Study, crops: Any = None, *, with_void: bool = False) -> dict[int, list[Read]]:
    """Standing reads and decisions of each crop in the order of answering; `crops`: numbers or a query, None for all.

    An answer that names a merged class counts for the class that it was merged into; one that names a split class, or
    whose reader is left out, is void and not among them, unless `with_void`.
    """
    named = isinstance(crops, Collection)
    return reads_in(READS.ask(study=study.pk, crops=crops) if named else _reads(study.pk, crops), with_void=with_void)


def reads_in(rows: Iterable[tuple[Any, ...]], *, with_void: bool = False) -> dict[int, list[Read]]:
    """The same from rows of READS."""
    found: dict[int, list[Read]] = defaultdict(list)
    for crop, number, annotator, answer, key, why, is_split, by_itself, out, source in rows:
        is_void = bool(is_split or out)
        if with_void or not is_void:
            decides = source == Annotation.Source.DECISION
            marks = (is_void, bool(by_itself), bool(out), bool(is_split), decides)
            found[crop].append(Read(number, annotator, answer, key or "", why, *marks))
    return found


def read_rows(study: Study, crops: Any = None) -> Iterator[tuple[int, int, int, str, str, bool, bool]]:
    """Crop, number, annotator, kind of answer, class ("" without), whether the reader is left out, and whether it is
    a lead's decision: the same without objects. Those of a class that was split are not among them."""
    for crop, number, annotator, answer, key, _, is_split, _, out, source in _reads(study.pk, crops):
        if not is_split:
            yield crop, number, annotator, answer, key or "", bool(out), source == Annotation.Source.DECISION


def _reads(study: int, crops: Any) -> QuerySet[Annotation, Any]:
    standing = Annotation.objects.standing().filter(study=study, is_reread=False)
    if crops is not None:
        standing = standing.filter(crop__in=crops)
    label = Coalesce("labels__label_class__merged_into__key", "labels__label_class__key")
    by_itself = ExpressionWrapper(is_independent(), BooleanField())
    columns = (
        "crop_id", "id", "annotator_id", "answer", label, "why_asked", _split(), by_itself, is_excluded(), "source",
    )  # fmt: skip
    return standing.order_by("id").values_list(*columns)


READS = Statement(_reads, study=int, crops=list)


def _split() -> Exists:
    """Whether others were split from the class that an answer counts for."""
    counted = Coalesce(OuterRef("labels__label_class__merged_into"), OuterRef("labels__label_class"))
    return Exists(LabelClass.objects.filter(split_from=counted))


def reopened_after(study: Study, crops: Collection[int] | None = None) -> dict[int, int]:
    """For each crop that a lead reopened: the newest answer to it at that moment."""
    rows = Reopening.objects.filter(study=study)
    if crops is not None:
        rows = rows.filter(crop__in=crops)
    return dict(rows.order_by("id").values_list("crop_id", "last_annotation"))


def told_why(why: str) -> str:
    """The reason for asking as readers hear it: one that tells of earlier reads sounds like that of other crops."""
    return UNCERTAIN if why in ROUTED else why


def in_stream(reads: Iterable[Read]) -> bool:
    """Whether the crop was drawn by the random stream."""
    return any(read.why == STREAM for read in reads)


def independent(reads: Iterable[Read]) -> list[Read]:
    """Those that may be held against each other: no bulk answer, no accepted suggestion, nothing out of a file."""
    return [read for read in reads if read.is_independent]


def given_reads(reads: Iterable[Read]) -> list[Read]:
    """What readers said, without decisions."""
    return [read for read in reads if not read.is_decision]


def decision_of(reads: Iterable[Read], reopened_at: int | None = None) -> Read | None:
    """The decision that settles the crop; None without one, and once a class was named after a later reopening.

    It settles what was read: while no read of the crop counts, neither does the decision.
    """
    found = list(reads)
    decision = next((read for read in reversed(found) if read.is_decision), None)
    if decision is None or not given_reads(found):
        return None
    if reopened_at is None or reopened_at < decision.number:
        return decision
    return None if any(read.number > reopened_at and read.label for read in found) else decision


def differ(reads: Iterable[Read]) -> bool:
    """Whether not all reads say the same."""
    return len({read.said for read in reads}) > 1


def disputed(reads: Iterable[Read]) -> bool:
    """Whether readers named different classes, none of which more than half of them named, and nobody has decided.

    One "not sure" beside a class is no dispute: who could not tell has not said otherwise.
    """
    found = list(reads)
    given = given_reads(found)
    votes = Counter(read.label for read in given if read.answer == Annotation.Answer.LABEL)
    tied = len(votes) > 1 and 2 * max(votes.values()) <= votes.total()
    return tied and not _decided(given) and decision_of(found) is None


def _decided(reads: Iterable[Read]) -> bool:
    return any(read.why == ADJUDICATION for read in reads)


def awaits_adjudication(study: Study, reads: Collection[Read]) -> bool:
    """Whether the next reader decides: the reads that were planned are there, differ, and nobody has decided.

    Crops of the random stream are always adjudicated, since what is said of the model rests on them; there "not
    sure" differs from a class too. Others are where the study adjudicates.
    """
    if in_stream(reads):
        alone = independent(reads)
        return len(alone) >= 2 and differ(alone) and not _decided(alone) and decision_of(reads) is None
    return study.adjudicates and len(reads) >= study.reads_per_crop and disputed(reads)


def is_shared(study: Study, crop_key: str) -> bool:
    """Whether the crop is one of the share that is read by one more annotator.

    A hash of study and key decides, so that the choice is random, cannot be steered, and never changes.
    """
    digest = hashlib.sha256(f"{study.pk}:{study.seed}:{crop_key}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 < study.overlap_share


@dataclass(frozen=True, slots=True)
class Situation:
    """What besides the answers decides on a further read.

    `in_stream`: drawn by the random stream; `differ`: its independent reads do not all say the same, and no lead has
    decided; `disputed`: as
    the function of that name tells it; `reopened`: a lead wants one more read of an ambiguous crop, and nobody has
    given it yet; `dependent`: how many of its reads are not independent.
    """

    in_stream: bool = False
    differ: bool = False
    disputed: bool = False
    reopened: bool = False
    dependent: int = 0


class Cause(StrEnum):
    """Why a crop needs a read that nobody has given or is giving.

    PLANNED is the study's number of reads for every crop; all others come before it, the first reads of other crops
    included.
    """

    NONE = ""
    FIRST = "first read"
    SHARED = "shared"
    STREAM = "random stream"
    NOT_SURE = "not sure"
    DISPUTE = "dispute"
    REOPENED = "reopened"
    PLANNED = "planned"


def situation_of(reads: Sequence[Read], reopened_at: int | None = None, *, drawn: bool = False) -> Situation:
    """The situation of a crop with these reads; `drawn`: the random stream asks for it right now."""
    newest = max((read.number for read in reads), default=0)
    waits = reopened_at is not None and newest <= reopened_at
    alone = independent(reads)
    differs = differ(alone) and decision_of(reads) is None
    dependent = len(given_reads(reads)) - len(alone)
    return Situation(drawn or in_stream(reads), differs, disputed(reads), waits, dependent)


def awaiting_reads(study: Study, keys: Mapping[int, str]) -> set[int]:
    """Those of the crops (number -> key) that another annotator should still read."""
    reads, reopened = reads_of(study, list(keys)), reopened_after(study, list(keys))
    given = {crop: [read.answer for read in given_reads(reads[crop])] for crop in keys}
    needed = {
        crop: reads_needed(study, key, given[crop], situation_of(reads[crop], reopened.get(crop)))
        for crop, key in keys.items()
    }
    return {crop for crop in keys if len(given[crop]) < needed[crop]}


def reads_needed(
    study: Study,
    crop_key: str,
    answers: Iterable[str],
    situation: Situation | None = None,
    per_crop: int | None = None,
) -> int:
    """Number of annotators who should read the crop, given the kinds of answer that stand so far.

    One "not sure" asks for a second expert; two leave the crop ambiguous for good, unless a lead reopens it for one
    more read. A crop of the random stream is read twice, and a third time when the two differ; so is every crop on
    whose class its readers differ, where the study adjudicates. A bad crop or a wrong object needs no further read.
    `per_crop` stands in for the study's number of reads for every crop.

    Shared crops and the random stream are read twice so that two reads can be held against each other: an answer to
    many crops at once, or one that accepted a suggestion, is none of the two.
    """
    given, at = list(answers), situation or Situation()
    if BAD & set(given):
        return len(given)
    if at.reopened:
        return len(given) + 1
    if given.count(NOT_SURE) >= AMBIGUOUS_FROM:
        return len(given)
    needed = study.reads_per_crop if per_crop is None else per_crop
    if NOT_SURE in given:
        needed = max(needed, 2)
    if at.in_stream or is_shared(study, crop_key):
        needed = max(needed, 2 + at.dependent)
    if at.in_stream and at.differ:
        needed = max(needed, 3 + at.dependent)
    if study.adjudicates and at.disputed and len(given) >= needed:
        needed = len(given) + 1
    return needed


def cause_of(study: Study, crop_key: str, answers: Iterable[str], at: Situation, held: int = 0) -> Cause:
    """Why the crop needs one more reader beside those who answered and the `held` who look at it now."""
    given = list(answers)
    spoken_for = len(given) + held
    if spoken_for >= reads_needed(study, crop_key, given, at):
        return Cause.NONE
    if not spoken_for:
        return Cause.FIRST
    if spoken_for >= reads_needed(study, crop_key, given, at, per_crop=1):
        return Cause.PLANNED
    return Cause.REOPENED if at.reopened else _urgent_cause(study, crop_key, given, at, spoken_for)


def _urgent_cause(study: Study, crop_key: str, given: list[str], at: Situation, spoken_for: int) -> Cause:
    had_they_known = [Annotation.Answer.LABEL if answer == NOT_SURE else answer for answer in given]
    if NOT_SURE in given and spoken_for >= reads_needed(study, crop_key, had_they_known, at, per_crop=1):
        return Cause.NOT_SURE
    if len(given) > 1 and (at.disputed or (at.in_stream and at.differ)):
        return Cause.DISPUTE
    return Cause.STREAM if at.in_stream else Cause.SHARED
