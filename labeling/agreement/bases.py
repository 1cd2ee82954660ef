"""Which reads each row of the overview rests on: what is said of all crops must rest on crops that nobody chose."""

from dataclasses import dataclass

import numpy as np

from labeling.agreement.columns import Columns, Flags
from labeling.agreement.shape import Basis

# Of the crops whose second read was drawn by lot, so many may lack it and the rest still stands for all.
MOST_LACKING = 0.05


@dataclass(frozen=True, slots=True)
class Design:
    """How a study has its crops read: `twice`: every crop gets two reads. `pool`: its crops. `closed`: crops of the
    pool that need no read (bad crop, wrong object). `answered`: crops of the pool with an answer of any kind."""

    twice: bool
    pool: int
    answered: int
    closed: frozenset[str] = frozenset()


def bases(columns: Columns, design: Design) -> tuple[dict[Basis, Flags], bool]:
    """The reads of each basis, and whether all of the pool is read, so that a lot alone chose what is read twice."""
    kinds, item = columns.kinds, columns.item
    blind = kinds.blind
    stream = columns.items_with(kinds.stream & ~kinds.reread)
    planned = columns.items.shared | design.twice
    census = is_census(columns, design, planned & ~stream)
    # Second reads that are planned for every crop come last, those after a "not sure" at once: until all are there,
    # which crops have two is a matter of answers. Shared crops get theirs at once whatever was said.
    by_lot = planned if census else columns.items.shared
    routed = _routed(columns, blind) & ~stream & ~by_lot
    adjudicated = columns.items_with(kinds.adjudication & kinds.independent)
    dependent, imported = columns.items_with(kinds.dependent), columns.items_with(kinds.imported)
    found: dict[Basis, Flags] = {
        "random": blind & (stream | (by_lot & census))[item],
        "shared": blind & (by_lot & ~stream)[item],
        "queue": blind & ~(stream | routed)[item],
        "routed": blind & routed[item],
        "adjudicated": kinds.independent & adjudicated[item],
        "dependent": dependent[item] & ~kinds.imported & ~kinds.reread,
        "imported": imported[item] & (kinds.imported | blind),
        "blind": blind,
        "all": ~kinds.reread,
    }
    return found, census


def is_census(columns: Columns, design: Design, planned: Flags) -> bool:
    """Whether all crops of the pool are answered, and those that were to be read twice whatever was said have been.

    Until then a shared crop was still chosen by the queue for its first read, and the queue chooses hard ones.
    """
    if not design.pool or design.answered < design.pool:
        return False
    keys = columns.items.keys
    closed = np.fromiter((key in design.closed for key in keys), dtype=bool, count=len(keys))
    wanted = planned & ~closed
    lacking = wanted & (columns.reads_of(columns.kinds.blind) < 2)
    return bool(wanted.any() and lacking.sum() <= MOST_LACKING * wanted.sum())


def _routed(columns: Columns, blind: Flags) -> Flags:
    """Items whose first blind read says "not sure": a second reader was asked for because of it."""
    places = np.flatnonzero(blind)
    items, first = np.unique(columns.item[places], return_index=True)
    found = np.zeros(len(columns.items.keys), dtype=bool)
    found[items] = columns.unsure[places[first]]
    return found
