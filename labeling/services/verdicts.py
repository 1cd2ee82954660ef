"""Which class a crop has by the rules of the study, where these say more than the votes of its readers."""

from collections.abc import Sequence

from labeling.services.ambiguous import is_ambiguous
from labeling.services.reads import ADJUDICATION, Read, decision_of, differ, in_stream, independent
from labeling.services.stream import State, state_of


def verdict_of(reads: Sequence[Read], reopened_at: int | None = None) -> str | None:
    """Key of the class that was decided on, "" where the crop has none for now, None where the votes tell.

    `reads`: those that count and the decisions, in the order of answering. What a lead decided stands until it is
    taken back. A crop that is frozen as ambiguous has no class, and one of the random stream has none once two blind
    reads differ, until the adjudicator has spoken.
    """
    if is_ambiguous(list(reads), reopened_at):
        return ""
    if (decision := decision_of(reads, reopened_at)) is not None:
        return decision.label
    blind = independent(reads)
    if blind and in_stream(blind):
        state, label = state_of(blind, reopened_at)
        return None if state is State.ONE_READ else label
    later = [read.label for read in reads if reopened_at is not None and read.number > reopened_at and read.label]
    decided = [read.label for read in reads if read.why == ADJUDICATION]
    if later:
        return later[-1]
    return decided[-1] if decided and differ(read for read in reads if read.why != ADJUDICATION) else None
