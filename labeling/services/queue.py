"""Who reads which crop next: leases of minutes over the newest ranking.

Not in charge of the order: the ranking worker writes it through `replace_queue`.
"""

from labeling.services.queueing.candidates import Candidate
from labeling.services.queueing.entries import (
    RANKED,
    NewEntry,
    RankingInfo,
    forget_outside,
    newest_ranking,
    replace_queue,
)
from labeling.services.queueing.leases import (
    LEASE,
    LEASED_AHEAD,
    hold_again,
    in_turn,
    leased_crops,
    lock,
    one_at_a_time,
    release,
)
from labeling.services.queueing.seniors import senior_note
from labeling.services.queueing.serving import Served, next_crops, serve, sitting_state

__all__ = [
    "LEASE",
    "LEASED_AHEAD",
    "RANKED",
    "Candidate",
    "NewEntry",
    "RankingInfo",
    "Served",
    "forget_outside",
    "hold_again",
    "in_turn",
    "leased_crops",
    "lock",
    "newest_ranking",
    "next_crops",
    "one_at_a_time",
    "release",
    "replace_queue",
    "senior_note",
    "serve",
    "sitting_state",
]
