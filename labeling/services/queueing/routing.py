"""Whether a crop may go to a reader now, later, or not at all."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum

from audit.statements import Rows, Statement, ask_all
from labeling.models import Lease
from labeling.services.queueing.candidates import Candidate, Offer
from labeling.services.queueing.reader import Reader
from labeling.services.reads import (
    ADJUDICATION,
    EASY,
    RE_READ,
    READS,
    STREAM,
    Cause,
    Read,
    awaits_adjudication,
    cause_of,
    given_reads,
    reads_in,
    situation_of,
)

# Who reads a crop again has read it once already: no further reader waits for them.
_HELD = Statement(
    lambda study, user, now, crops: (
        Lease.objects.filter(study=study, crop__in=crops, expires_at__gt=now)
        .exclude(user=user)
        .exclude(why=RE_READ)
        .values_list("crop_id")
    ),
    study=int,
    user=int,
    now=datetime,
    crops=list,
)


class Turn(IntEnum):
    """When a crop may be handed to a reader; what comes later is handed out only when nothing earlier is left."""

    NOW = 0
    # Every crop is read once before any is read again only because all are read so often.
    PLANNED = 1
    # A senior should decide.
    SENIOR_FIRST = 2
    # Nothing for those who did not ask for it.
    EASY = 3
    SKIPPED = 4


def readable(reader: Reader, offers: Sequence[Offer]) -> list[tuple[Turn, Candidate]]:
    """Those of the crops that this reader may get, and when, in the same order."""
    crops = [offer.crop_id for offer in offers]
    if not crops:
        return []
    given = {"study": reader.study.pk, "crops": crops}
    standing, held = ask_all(READS.of(**given), _HELD.of(user=reader.user.pk, now=reader.now, **given))
    reads, others = reads_in(standing), Counter(crop for (crop,) in held)
    own = _left_out_of(reader, standing)
    found = []
    for offer in offers:
        turn = None if offer.crop_id in own else _turn(reader, offer, reads[offer.crop_id], others[offer.crop_id])
        if turn is not None:
            found.append((turn, _candidate(reader, offer, reads[offer.crop_id])))
    return found


def _left_out_of(reader: Reader, standing: Rows) -> set[int]:
    """Crops that the reader has read though it does not count: theirs are for others to read anew."""
    given = reads_in(standing, with_void=True).items()
    return {
        crop for crop, reads in given if any(row.is_excluded and row.annotator == reader.user.pk for row in reads)
    }


def _turn(reader: Reader, offer: Offer, given: Sequence[Read], others: int) -> Turn | None:
    if any(read.annotator == reader.user.pk for read in given):
        return None
    at = situation_of(given, reader.reopened.get(offer.crop_id), drawn=offer.why == STREAM)
    cause = cause_of(reader.study, offer.crop_key, [read.answer for read in given_reads(given)], at, others)
    if cause == Cause.NONE or _is_for_seniors(reader, cause, given):
        return None
    return _when(reader, offer, cause, given)


def _is_for_seniors(reader: Reader, cause: Cause, given: Sequence[Read]) -> bool:
    """Whether only seniors and leads may read what another could not tell."""
    routed = cause == Cause.NOT_SURE and reader.study.routes_not_sure_to_seniors
    return routed and reader.leaves_to_seniors(given)


def _when(reader: Reader, offer: Offer, cause: Cause, given: Sequence[Read]) -> Turn:
    if offer.crop_id in reader.skipped:
        return Turn.SKIPPED
    if cause == Cause.DISPUTE and reader.leaves_to_seniors(given):
        return Turn.SENIOR_FIRST
    if offer.why == EASY:
        return Turn.EASY
    return Turn.PLANNED if cause == Cause.PLANNED else Turn.NOW


def _candidate(reader: Reader, offer: Offer, given: Sequence[Read]) -> Candidate:
    if awaits_adjudication(reader.study, given):
        return Candidate(offer.crop_id, ADJUDICATION, None, offer.ranking)
    return Candidate(offer.crop_id, offer.why, offer.probability, offer.ranking)
