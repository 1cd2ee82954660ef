"""How many reads a crop still needs; the same answer everywhere: at the queue, in the ranking, on pages."""

import hashlib
from collections.abc import Iterable

from labeling.models import Annotation, Study

STREAM = "random check"
SECOND_READ = "second read"
NOT_SURE = Annotation.Answer.NOT_SURE


def is_shared(study: Study, crop_key: str) -> bool:
    """Whether the crop is one of the share that is read by one more annotator.

    A hash of study and key decides, so that the choice is random, cannot be steered, and never changes.
    """
    digest = hashlib.sha256(f"{study.pk}:{study.seed}:{crop_key}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 < study.overlap_share


def reads_needed(study: Study, crop_key: str, answers: Iterable[str], *, in_stream: bool = False) -> int:
    """Number of annotators who should read the crop, given the answers that stand so far.

    One "not sure" asks for a second expert; two leave the crop ambiguous. Bad crops need no further read.
    """
    given = list(answers)
    if Annotation.Answer.BAD_CROP in given or Annotation.Answer.WRONG_OBJECT in given:
        return len(given)
    needed = study.reads_per_crop
    if in_stream or is_shared(study, crop_key) or NOT_SURE in given:
        needed = max(needed, 2)
    return needed
