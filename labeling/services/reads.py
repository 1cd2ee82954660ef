"""How many reads a crop still needs; the same answer everywhere: at the queue, in the ranking, on pages."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models.functions import Coalesce

from labeling.models import Annotation, Reopening, Study

STREAM = "random check"
SECOND_READ = "second read"
ADJUDICATION = "adjudication"
MORE_LIKE_THIS = "more like this"
NOT_SURE = Annotation.Answer.NOT_SURE
BAD = frozenset({Annotation.Answer.BAD_CROP, Annotation.Answer.WRONG_OBJECT})
# Two readers who cannot tell: a third would only cost time.
AMBIGUOUS_FROM = 2


@dataclass(frozen=True, slots=True)
class Read:
    """One annotator's standing answer to a crop; `label` is the key of the class that it counts for, or empty.

    `is_independent`: given to this crop alone and without accepting a suggestion.
    """

    number: int
    annotator: int
    answer: str
    label: str
    why: str
    is_independent: bool = True

    @property
    def said(self) -> tuple[str, str]:
        """What two reads must share to agree: the kind of answer and the class."""
        return self.answer, self.label


def reads_of(study: Study, crops: Any = None) -> dict[int, list[Read]]:
    """Standing reads of each crop in the order of answering; `crops`: numbers or a query of them, None for all.

    An answer that names a merged class counts for the class that it was merged into.
    """
    standing = Annotation.objects.current().filter(study=study)
    if crops is not None:
        standing = standing.filter(crop__in=crops)
    label = Coalesce("labels__label_class__merged_into__key", "labels__label_class__key")
    found: dict[int, list[Read]] = defaultdict(list)
    rows = standing.order_by("id").values_list(
        "crop_id", "id", "annotator_id", "answer", label, "why_asked", "is_bulk", "suggested_by"
    )
    for crop, number, annotator, answer, key, why, is_bulk, suggested in rows:
        found[crop].append(Read(number, annotator, answer, key or "", why, not is_bulk and not suggested))
    return found


def reopened_after(study: Study, crops: Collection[int] | None = None) -> dict[int, int]:
    """For each crop that a lead reopened: the newest answer to it at that moment."""
    rows = Reopening.objects.filter(study=study)
    if crops is not None:
        rows = rows.filter(crop__in=crops)
    return dict(rows.order_by("id").values_list("crop_id", "last_annotation"))


def in_stream(reads: Iterable[Read]) -> bool:
    """Whether the crop was drawn by the random stream."""
    return any(read.why == STREAM for read in reads)


def differ(reads: Iterable[Read]) -> bool:
    """Whether not all reads say the same."""
    return len({read.said for read in reads}) > 1


def awaits_adjudication(reads: Collection[Read]) -> bool:
    """Whether two reads of a crop of the random stream differ and nobody has decided between them."""
    decided = any(read.why == ADJUDICATION for read in reads)
    return len(reads) >= 2 and in_stream(reads) and differ(reads) and not decided


def is_shared(study: Study, crop_key: str) -> bool:
    """Whether the crop is one of the share that is read by one more annotator.

    A hash of study and key decides, so that the choice is random, cannot be steered, and never changes.
    """
    digest = hashlib.sha256(f"{study.pk}:{study.seed}:{crop_key}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 < study.overlap_share


@dataclass(frozen=True, slots=True)
class Situation:
    """What besides the answers decides on a further read.

    `in_stream`: drawn by the random stream; `differ`: its reads do not all say the same; `reopened`: a lead wants
    one more read of an ambiguous crop, and nobody has given it yet.
    """

    in_stream: bool = False
    differ: bool = False
    reopened: bool = False


def situation_of(reads: Sequence[Read], reopened_at: int | None = None, *, drawn: bool = False) -> Situation:
    """The situation of a crop with these reads; `drawn`: the random stream asks for it right now."""
    newest = max((read.number for read in reads), default=0)
    waits = reopened_at is not None and newest <= reopened_at
    return Situation(in_stream=drawn or in_stream(reads), differ=differ(reads), reopened=waits)


def awaiting_reads(study: Study, keys: Mapping[int, str]) -> set[int]:
    """Those of the crops (number -> key) that another annotator should still read."""
    reads, reopened = reads_of(study, list(keys)), reopened_after(study, list(keys))
    needed = {
        crop: reads_needed(
            study, key, [read.answer for read in reads[crop]], situation_of(reads[crop], reopened.get(crop))
        )
        for crop, key in keys.items()
    }
    return {crop for crop in keys if len(reads[crop]) < needed[crop]}


def reads_needed(study: Study, crop_key: str, answers: Iterable[str], situation: Situation | None = None) -> int:
    """Number of annotators who should read the crop, given the kinds of answer that stand so far.

    One "not sure" asks for a second expert; two leave the crop ambiguous for good, unless a lead reopens it for one
    more read. A crop of the random stream is read twice, and a third time when the two differ. A bad crop or a wrong
    object needs no further read.
    """
    given, at = list(answers), situation or Situation()
    if BAD & set(given):
        return len(given)
    if at.reopened:
        return len(given) + 1
    if given.count(NOT_SURE) >= AMBIGUOUS_FROM:
        return len(given)
    needed = study.reads_per_crop
    if at.in_stream or is_shared(study, crop_key) or NOT_SURE in given:
        needed = max(needed, 2)
    if at.in_stream and at.differ and len(given) >= 2:
        needed = max(needed, 3)
    return needed
