"""Which of a reader's next crops are re-reads or easy ones: decided by hash, crop by crop."""

import hashlib

from labeling.models import Annotation
from labeling.services.queueing.reader import Reader
from labeling.services.reads import EASY, RE_READ


def special_slots(reader: Reader, start: int, count: int) -> list[str]:
    """For each of `count` crops after the first `start` that are on their way: RE_READ, EASY, or "" for the queue's.

    A hash of study, reader and the number of the reader's answers decides, so that the share is kept, nobody can
    foresee the moment, and asking again decides the same. Costs no query where both shares are 0.
    """
    shares = {RE_READ: reader.study.reread_share, EASY: reader.wish.easy_share}
    if not any(shares.values()):
        return [""] * count
    given = Annotation.objects.filter(study=reader.study, annotator=reader.user).count()
    return [_slot(reader, shares, given + start + place) for place in range(count)]


def _slot(reader: Reader, shares: dict[str, float], number: int) -> str:
    for kind, share in shares.items():
        if drawn(f"{kind}:{reader.study.pk}:{reader.study.seed}:{reader.user.pk}:{number}") < share:
            return kind
    return ""


def drawn(text: str) -> float:
    """A number in [0, 1) that looks random and is the same for the same text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64
