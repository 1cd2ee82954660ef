"""What the reads of a crop add up to: the class that most of them name."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from labeling.exchange.labels import BAD_CROP, LABEL, NOT_SURE, WRONG_OBJECT


@dataclass(frozen=True, slots=True)
class Majority:
    """The class that most reads name (empty where two are named equally often, or none); `share` is of all reads.

    `disputed`: the reads name more than one class.
    """

    name: str
    reads: int
    share: float
    disputed: bool
    not_sure: int
    bad_crop: int
    wrong_object: int


def majority(said: Sequence[tuple[str, str]]) -> Majority:
    """The majority over (answer, class) of each read; at least one read is needed."""
    classes = Counter(name for answer, name in said if answer == LABEL)
    answers = Counter(answer for answer, _ in said)
    top = classes.most_common(2)
    tied = len(top) > 1 and top[0][1] == top[1][1]
    name, votes = ("", 0) if tied or not top else top[0]
    counts = (answers[NOT_SURE], answers[BAD_CROP], answers[WRONG_OBJECT])
    return Majority(name, len(said), votes / len(said), len(classes) > 1, *counts)
