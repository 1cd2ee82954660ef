"""Cases of a locked protocol on their way to a reader: each in an order of their own, whatever others do."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from labeling.models import Annotation, ReaderCase, ReaderStudy, Study
from labeling.services.progress import pool
from labeling.services.queueing.candidates import Candidate
from labeling.services.queueing.reader import Reader
from labeling.services.reads import RE_READ, READER_STUDY


def due_cases(reader: Reader) -> list[Candidate]:
    """All that the reader has still to read now, in their order; those that they put aside come last.

    First every case once. When all are read and the wash-out has passed, those of the re-read share in another
    order. Nothing for who is no reader of the protocol, and nothing once it is closed.
    """
    protocol = ReaderStudy.objects.get(study=reader.study)
    if protocol.closed_at is not None or reader.user.pk not in protocol.readers:
        return []
    keys = case_keys(reader.study)
    first, again = reads_by(reader.study, reader.user.pk, keys)
    crops, why = mixed(protocol, reader.user.pk, "first", keys.keys() - first.keys(), keys), READER_STUDY
    if not crops:
        left = again_cases(protocol, reader.user.pk, keys) - again
        ready = reader.now >= again_from(protocol, first.values())
        crops, why = mixed(protocol, reader.user.pk, "again", left, keys) if ready else [], RE_READ
    crops.sort(key=lambda crop: crop in reader.skipped)
    return [Candidate(crop, why, None, "") for crop in crops]


def why_none(reader: Reader) -> str:
    """Why nothing is due to the reader now, in words for them."""
    protocol = ReaderStudy.objects.get(study=reader.study)
    if protocol.closed_at is not None:
        return "This study is done: it takes no more answers. Those that were given are kept."
    if reader.user.pk not in protocol.readers:
        return "The protocol of this study names its readers, and you are none of them."
    keys = case_keys(reader.study)
    # Whether cases come again is for leads to know: who expects it keeps in mind what they said.
    return f"All {len(keys)} cases of this study are read. Thank you: nothing is left to do for now."


def case_keys(study: Study, *, with_dropped: bool = False) -> dict[int, str]:
    """Crop key of each case by its number, in the order of the list.

    Without those that are no longer in the pool: their object is gone or their image was rejected since.
    """
    cases = ReaderCase.objects.filter(study=study).order_by("position")
    keys = dict(cases.values_list("crop_id", "crop__key"))
    if with_dropped:
        return keys
    alive = set(pool(study).filter(pk__in=keys).values_list("pk", flat=True))
    return {crop: key for crop, key in keys.items() if crop in alive}


def reads_by(study: Study, reader: int, crops: Iterable[int]) -> tuple[dict[int, datetime], set[int]]:
    """When the reader gave their standing first answer to each of the crops, and which of them they read again."""
    own = Annotation.objects.current().filter(study=study, annotator=reader)
    wanted, first, again = set(crops), {}, set()
    for crop, at, is_reread in own.values_list("crop_id", "received_at", "is_reread"):
        if crop in wanted and is_reread:
            again.add(crop)
        elif crop in wanted:
            first[crop] = at
    return first, again


def again_cases(protocol: ReaderStudy, reader: int, keys: Mapping[int, str]) -> set[int]:
    """Which of the cases the reader reads twice: drawn by hash, whatever was answered."""
    every = case_keys(protocol.study, with_dropped=True)
    number = round(protocol.reread_share * len(every))
    return set(mixed(protocol, reader, "drawn", every, every)[:number]) & keys.keys()


def again_from(protocol: ReaderStudy, first: Iterable[datetime]) -> datetime:
    """From when on a reader reads again: the wash-out after their last first answer."""
    return max(first, default=protocol.locked_at) + timedelta(days=protocol.washout_days)


def mixed(protocol: ReaderStudy, reader: int, what: str, crops: Iterable[int], keys: Mapping[int, str]) -> list[int]:
    """The crops in an order that looks random, is the reader's own, and is always the same."""

    def place(crop: int) -> Any:
        return hashlib.sha256(f"{what}:{protocol.seed}:{reader}:{keys[crop]}".encode()).digest()

    return sorted(crops, key=place)
