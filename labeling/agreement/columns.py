"""The reads of a study as columns, with what tells which of them may be held against each other."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.counts import Floats
from labeling.agreement.table import Codes, ReadTable, filled

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Items:
    """What is known of the crops: one place each in all columns, in the order of `keys`.

    `shared`: chosen by lot for a second reader. `experiment`, `verdict` and `focus` are places in the names of those;
    -1 where not known.
    """

    keys: tuple[str, ...]
    shared: Flags
    experiment: Codes
    verdict: Codes
    focus: Codes


@dataclass(frozen=True, slots=True)
class Names:
    """What the numbers in the columns stand for. Experiments and readers: their number in the database and a name."""

    readers: tuple[tuple[int, str], ...]
    labels: tuple[str, ...]
    experiments: tuple[tuple[int, str], ...]
    verdicts: tuple[str, ...]
    focus: tuple[str, ...]
    why: tuple[str, ...]
    not_sure: str


@dataclass(frozen=True, slots=True)
class Kinds:
    """How each read came about; of `dependent` (bulk, accepted suggestion), `imported`, `reread` any may hold.

    `stream`: the random stream drew the crop for this read. `adjudication`: the reader was to decide. `reopened`:
    given after a lead asked for one more read of an ambiguous crop.
    """

    stream: Flags
    adjudication: Flags
    dependent: Flags
    imported: Flags
    reread: Flags
    reopened: Flags

    @property
    def blind(self) -> Flags:
        """Reads that may be held against each other: to one crop, without a suggestion, before anybody decided."""
        return ~(self.adjudication | self.dependent | self.imported | self.reread | self.reopened)

    @property
    def independent(self) -> Flags:
        """The same, with those that decided: what a consensus rests on."""
        return ~(self.dependent | self.imported | self.reread)


@dataclass(frozen=True, slots=True)
class Columns:
    """Standing reads on classes or "not sure", in the order of answering: places of item, reader, label, reason.

    `time`: seconds since 1970.
    """

    items: Items
    names: Names
    item: Codes
    reader: Codes
    label: Codes
    why: Codes
    time: Floats
    kinds: Kinds
    size: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", len(self.item))

    @property
    def unsure(self) -> Flags:
        """Reads that say "not sure"."""
        place = self.names.labels.index(self.names.not_sure) if self.names.not_sure in self.names.labels else -1
        return np.asarray(self.label == place)

    def table(self, chosen: Flags) -> ReadTable:
        """The chosen reads as a table over all items and the readers who gave them; the order of reading is known."""
        given, readers = np.unique(self.reader[chosen], return_inverse=True)
        names = tuple(self.names.readers[reader][1] for reader in given)
        rows = np.stack([self.item[chosen], readers, self.label[chosen]], axis=1)
        return filled(self.items.keys, names, self.names.labels, rows, self.names.not_sure)

    def items_with(self, chosen: Flags) -> Flags:
        """Items with at least one of the chosen reads."""
        found = np.zeros(len(self.items.keys), dtype=bool)
        found[self.item[chosen]] = True
        return found

    def reads_of(self, chosen: Flags) -> Codes:
        """How many of the chosen reads each item has."""
        return np.bincount(self.item[chosen], minlength=len(self.items.keys))


def counts_of(columns: Columns, chosen: Flags) -> Floats:
    """Reads per item and label among the chosen ones."""
    size = max(len(columns.names.labels), 1)
    places = columns.item[chosen] * size + columns.label[chosen]
    return np.bincount(places, minlength=len(columns.items.keys) * size).reshape(-1, size).astype(float)
