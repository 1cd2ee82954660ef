"""Synthetic reads with known answers, as the columns that the agreement report is computed from."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.bases import Design
from labeling.agreement.columns import Columns, Items, Kinds, Names
from labeling.agreement.shape import AgreementData
from labeling.agreement.whole import Known, whole

NOT_SURE = "(not sure)"
LABELS = ("disc", "ring", NOT_SURE)


def columns(
    reads: NDArray[np.int64],
    *,
    labels: tuple[str, ...] = LABELS,
    why: tuple[str, ...] = ("uncertain",),
    shared: bool = False,
    experiments: int = 1,
) -> Columns:
    """Columns of an (items, readers) array of labels, -1 where nobody read; item by item, one second apart.

    All reads are blind and of the queue; experiments take turns.
    """
    item, reader = np.nonzero(reads >= 0)
    n, size = reads.shape[0], len(item)
    items = Items(
        tuple(f"crop {number}" for number in range(n)),
        np.full(n, shared),
        np.arange(n) % experiments,
        np.zeros(n, dtype=np.int64),
        np.full(n, -1),
    )
    readers = tuple((number, f"reader {number}") for number in range(reads.shape[1]))
    plates = tuple((number, f"plate {number}") for number in range(experiments))
    names = Names(readers, labels, plates, ("use",), (), why, NOT_SURE)
    none = np.zeros(size, dtype=bool)
    kinds = Kinds(none, none, none, none, none, none)
    zero = np.zeros(size, dtype=np.int64)
    return Columns(items, names, item, reader, reads[item, reader], zero, np.arange(size, dtype=float), kinds)


def marked(given: Columns, **kinds: NDArray[np.bool_]) -> Columns:
    """The same with these kinds of reads."""
    return replace(given, kinds=replace(given.kinds, **kinds))


def report(given: Columns, design: Design | None = None, **known: Any) -> AgreementData:
    """The whole report of the columns; the pool is larger than what was read unless told otherwise."""
    plan = design or Design(twice=False, pool=10 * len(given.items.keys), answered=len(given.items.keys))
    more = {"crops": np.arange(len(given.items.keys)), "classes": {"disc": "Disc", "ring": "Ring"}, "decided": {}}
    told = Known(**(more | {"simulated": (), "is_simulated": False} | known))
    return whole(given, plan, told, {"newest": given.size, "setup": "", "answers": given.size})[0]


def noisy(
    truth: NDArray[np.int64], right: float | NDArray[np.float64], readers: int, seed: int = 0
) -> NDArray[np.int64]:
    """Reads of two classes, right with this probability; one probability for all items or one each."""
    rng = np.random.default_rng(seed)
    wrong = rng.random((len(truth), readers)) >= np.broadcast_to(right, len(truth))[:, None]
    return np.where(wrong, 1 - truth[:, None], truth[:, None])
