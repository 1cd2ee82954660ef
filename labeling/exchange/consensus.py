"""What the reads of a crop add up to: the class that most of them name, unless something else was decided."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from labeling.exchange.labels import BAD_CROP, LABEL, NOT_SURE, WRONG_OBJECT


@dataclass(frozen=True, slots=True)
class Majority:
    """The class that most reads name (empty where two are named equally often, or none), or that was decided on.

    `share`: of all reads, how many name it. `disputed`: the reads name different classes, none of which more than
    half of them name, and nobody has decided.
    """

    name: str
    reads: int
    share: float
    disputed: bool
    not_sure: int
    bad_crop: int
    wrong_object: int


def majority(said: Sequence[tuple[str, str]], decided: str | None = None, *, is_settled: bool = False) -> Majority:
    """The majority over (answer, class) of each read; at least one read is needed.

    `decided`: the class that stands whatever the votes say, "" for none; None where the votes tell. `is_settled`:
    somebody has decided, be it that no class fits.
    """
    classes = Counter(name for answer, name in said if answer == LABEL)
    answers = Counter(answer for answer, _ in said)
    top = classes.most_common(2)
    tied = len(top) > 1 and top[0][1] == top[1][1]
    voted = "" if tied or not top else top[0][0]
    name = voted if decided is None else decided
    counts = (answers[NOT_SURE], answers[BAD_CROP], answers[WRONG_OBJECT])
    is_split = len(classes) > 1 and 2 * top[0][1] <= classes.total()
    return Majority(name, len(said), classes[name] / len(said), is_split and not is_settled, *counts)
