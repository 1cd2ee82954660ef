"""Readers whose answers look unlike everybody else's.

They are shown to a lead and never punished: the one who disagrees may be the only expert.

Each reader is held against what most of the others say of the same items (two others at least, more than half of
them alike), and judged by how far their rate of disagreement lies beyond that of the other readers. Honest readers
differ in skill; that spread is allowed for, and with it few of them are flagged (docs/agreement.md has the rates).
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from labeling.agreement.counts import Floats, label_counts
from labeling.agreement.table import Codes, ReadTable, without_label

FEWEST_ITEMS = 30
FEWEST_READERS = 3
# Standard deviation of honest readers' rates that is forgiven, on the scale of log odds, and as how many readers that
# counts beside those of the study.
SPREAD, PRIOR_READERS = 0.17, 3
# One-sided error rates among honest readers, per reader: together below 5 %.
FLIP_LEVEL, DRIFT_LEVEL = 0.012, 0.005
# What is smaller is not worth a talk, however sure it is.
LEAST_EXCESS, LEAST_DROP = 0.08, 0.1
SPAM_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Suspect:
    """What stands out in one reader's answers: `kind` is spam, flip, disagreement or drift; `z` in standard errors.

    `n` items were read by enough others; `rate` is the reader's disagreement there and `others` that of the rest. For
    drift they are the reader's own in the second and the first half of the answers. `classes`: the two mixed up.
    """

    annotator: str
    kind: str
    n: int
    rate: float
    others: float
    z: float
    text: str
    classes: tuple[str, str] | None = None


def suspects(table: ReadTable) -> list[Suspect]:
    """For each reader at most one of spam, flip and disagreement, and drift; none with fewer than three readers."""
    table = without_label(table, table.not_sure)
    if len(table.annotators) < FEWEST_READERS or len(table.labels) < 2:
        return []
    others = others_say(table)
    said, trends = _said(table, others), _trends(table, others)
    found = []
    for reader in range(len(table.annotators)):
        if said[reader].sum() < FEWEST_ITEMS:
            continue
        found += [
            finding
            for finding in (_spam(table, said, reader) or _unlike(table, said, reader), _drift(table, trends, reader))
            if finding is not None
        ]
    return found


def others_say(table: ReadTable) -> Codes:
    """For each read, the label that more than half of the item's other readers gave, two at least; else -1."""
    codes = table.codes
    counts = label_counts(codes, len(table.labels))
    rest = counts.sum(axis=1, keepdims=True) - 1
    judged = (codes >= 0) & (rest >= FEWEST_READERS - 1)
    found = np.full_like(codes, -1)
    for label in range(counts.shape[1]):
        votes = counts[:, label, None] - (codes == label)
        found[judged & (2 * votes > rest)] = label
    return found


def _said(table: ReadTable, others: Codes) -> Floats:
    """Counts per reader (readers, label of the others, label of the reader)."""
    size = len(table.labels)
    items, readers = np.nonzero(others >= 0)
    places = (readers * size + others[items, readers]) * size + table.codes[items, readers]
    counts = np.bincount(places, minlength=len(table.annotators) * size * size)
    return counts.reshape(-1, size, size).astype(float)


def _spam(table: ReadTable, said: Floats, reader: int) -> Suspect | None:
    """Answers that hardly depend on the item: kappa with the others far below theirs, interval included."""
    kappa, error = _kappas(said)
    rest = np.delete(kappa, reader)
    usual = float(np.median(rest[np.isfinite(rest)])) if np.isfinite(rest).any() else float("nan")
    if not kappa[reader] + 1.96 * error[reader] < SPAM_SHARE * usual:
        return None
    name, n = table.annotators[reader], int(said[reader].sum())
    z = (usual - kappa[reader]) / error[reader] if error[reader] > 0 else float("inf")
    text = f"{name}: answers hardly depend on the crop (kappa with the others {kappa[reader]:.2f}, usual {usual:.2f})"
    rates = _rates(said, _all_pairs(said))
    return Suspect(name, "spam", n, rates[reader], _median_of_others(rates, reader), min(float(z), 99.0), text)


def _kappas(said: Floats) -> tuple[Floats, Floats]:
    """Cohen's kappa of each reader with the others, and its standard error."""
    n = np.maximum(said.sum(axis=(1, 2)), 1.0)
    equal = np.trace(said, axis1=1, axis2=2) / n
    chance = (said.sum(axis=1) * said.sum(axis=2)).sum(axis=1) / n**2
    room = np.where(chance < 1, 1 - chance, np.nan)
    # Where all or none agree the plain error would be zero: half an item keeps it honest.
    spread = np.sqrt(np.clip(equal, 0.5 / n, 1 - 0.5 / n) * (1 - np.clip(equal, 0.5 / n, 1 - 0.5 / n)) / n)
    return np.asarray((equal - chance) / room), np.asarray(spread / room)


def _unlike(table: ReadTable, said: Floats, reader: int) -> Suspect | None:
    """Two classes that a reader takes for one another far more than others do, or else far more disagreement."""
    pairs = list(combinations(range(said.shape[1]), 2))
    # With more than two classes half of the false alarms are left to the pairs, half to all differences together.
    level = FLIP_LEVEL if len(pairs) == 1 else FLIP_LEVEL / 2
    flips = [_compared(said, _mixed(said, a, b), [a, b], reader) for a, b in pairs]
    worst = max(range(len(pairs)), key=lambda i: flips[i].z)
    if _stands_out(flips[worst], level / len(pairs)):
        a, b = pairs[worst]
        return _told(table, reader, "flip", flips[worst], (table.labels[a], table.labels[b]))
    overall = _compared(said, _all_pairs(said), list(range(said.shape[1])), reader)
    return _told(table, reader, "disagreement", overall) if _stands_out(overall, level) else None


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A reader's rate of some disagreement, that of the others, and how many standard errors lie between."""

    n: int
    rate: float
    others: float
    z: float


def _compared(said: Floats, chosen: NDArray[np.bool_], classes: list[int], reader: int) -> _Comparison:
    """Disagreement in the chosen cells, among answers within the classes where nothing was mixed up or just that."""
    wrong = said[:, chosen].sum(axis=1)
    n = wrong + said[:, classes, classes].sum(axis=1)
    rates = np.divide(wrong, n, out=np.full_like(wrong, np.nan), where=n > 0)
    z = _beyond(wrong, n, reader) if n[reader] >= FEWEST_ITEMS / 2 else -np.inf
    others = _median_of_others(rates, reader) if np.isfinite(z) else float("nan")
    return _Comparison(int(n[reader]), float(rates[reader]), others, z)


def _stands_out(found: _Comparison, level: float) -> bool:
    return found.z >= _critical(level) and found.rate - found.others >= LEAST_EXCESS


def _told(
    table: ReadTable, reader: int, kind: str, found: _Comparison, classes: tuple[str, str] | None = None
) -> Suspect:
    name = table.annotators[reader]
    what = f"takes {classes[0]} and {classes[1]} for one another" if classes else "disagrees with the others"
    text = f"{name}: {what} in {found.rate:.0%} of {found.n} answers, others in {found.others:.0%}"
    return Suspect(name, kind, found.n, found.rate, found.others, found.z, text, classes)


def _mixed(said: Floats, a: int, b: int) -> NDArray[np.bool_]:
    chosen = np.zeros(said.shape[1:], dtype=bool)
    chosen[[a, b], [b, a]] = True
    return chosen


def _beyond(wrong: Floats, n: Floats, reader: int) -> float:
    """How many standard errors a reader's log odds of disagreeing lie above the median of the others."""
    odds = np.log((wrong + 0.5) / (n - wrong + 0.5))
    variance = 1 / (wrong + 0.5) + 1 / (n - wrong + 0.5)
    rest = np.flatnonzero((n >= FEWEST_ITEMS / 2) & (np.arange(len(n)) != reader))
    if not len(rest):
        return -np.inf
    spread = _spread(odds[rest], variance[rest])
    error = np.sqrt(variance[reader] + spread + (variance[rest].mean() + spread) / len(rest))
    return float((odds[reader] - np.median(odds[rest])) / error)


def _spread(odds: Floats, variance: Floats) -> float:
    """How far honest readers lie apart beyond chance, as a variance: what is forgiven of old, moved by what is seen.

    The median distance from the median keeps one more odd reader among the others from hiding the first.
    """
    apart = (1.4826 * float(np.median(np.abs(odds - np.median(odds))))) ** 2
    seen = max(0.0, apart - float(variance.mean()))
    return (PRIOR_READERS * SPREAD**2 + (len(odds) - 1) * seen) / (PRIOR_READERS + len(odds) - 1)


@dataclass(frozen=True, slots=True)
class _Trend:
    """Change of agreement from a reader's first answer to the last, freed of the class, with its standard error.

    `early`, `late`: disagreement in the first and second half of their `n` answers.
    """

    slope: float
    error: float
    n: int
    early: float
    late: float


def _trends(table: ReadTable, others: Codes) -> list[_Trend | None]:
    """The trend of each reader; None where the order of reading is not known or has too few answers."""
    if table.sequence is None:
        return [None] * len(table.annotators)
    return [_trend(*columns) for columns in zip(table.codes.T, others.T, table.sequence.T)]


def _trend(codes: Codes, others: Codes, sequence: NDArray[np.int32]) -> _Trend | None:
    known = np.flatnonzero(others >= 0)
    if len(known) < FEWEST_ITEMS:
        return None
    known = known[np.argsort(sequence[known], kind="stable")]
    equal, label = (codes[known] == others[known]).astype(float), others[known]
    time = np.linspace(0.0, 1.0, len(known))
    seen = np.maximum(np.bincount(label), 1)
    left = equal - (np.bincount(label, equal) / seen)[label]
    moved = time - (np.bincount(label, time) / seen)[label]
    room = float(moved @ moved)
    slope = float(moved @ left) / room if room > 0 else 0.0
    spread = float(((left - slope * moved) ** 2).sum()) / (len(known) - 2)
    if room <= 0:
        return None
    half = len(known) // 2
    halves = 1 - float(equal[:half].mean()), 1 - float(equal[half:].mean())
    return _Trend(slope, float(np.sqrt(spread / room)), len(known), *halves)


def _drift(table: ReadTable, trends: list[_Trend | None], reader: int) -> Suspect | None:
    """Agreement that falls from a reader's first answer to the last, more than that of the others."""
    own = trends[reader]
    rest = [trend for place, trend in enumerate(trends) if place != reader and trend is not None]
    if own is None or own.error <= 0 or not rest:
        return None
    usual = float(np.mean([trend.slope for trend in rest]))
    error = float(np.sqrt(sum(trend.error**2 for trend in rest))) / len(rest)
    z = (usual - own.slope) / float(np.hypot(own.error, error))
    if z < _critical(DRIFT_LEVEL) or usual - own.slope < LEAST_DROP or own.late <= own.early:
        return None
    name = table.annotators[reader]
    text = f"{name}: disagrees with the others in {own.early:.0%} of the earlier half, then in {own.late:.0%}"
    return Suspect(name, "drift", own.n, own.late, own.early, z, text)


def _all_pairs(said: Floats) -> NDArray[np.bool_]:
    return np.asarray(~np.eye(said.shape[1], dtype=bool))


def _rates(said: Floats, chosen: NDArray[np.bool_]) -> Floats:
    n = said.sum(axis=(1, 2))
    return np.asarray(np.divide(said[:, chosen].sum(axis=1), n, out=np.full_like(n, np.nan), where=n > 0))


def _median_of_others(rates: Floats, reader: int) -> float:
    return float(np.nanmedian(np.delete(rates, reader)))


def _critical(level: float) -> float:
    from scipy.special import ndtri  # here, as web processes start without SciPy

    return float(-ndtri(level))
