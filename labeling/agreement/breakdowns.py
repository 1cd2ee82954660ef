"""Agreement part by part: by experiment, reason, quality and class, over time; and how often readers are not sure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from labeling.agreement import figures
from labeling.agreement.columns import Columns, Flags, counts_of
from labeling.agreement.counts import Floats, patterns
from labeling.agreement.intervals import Estimate, Sample, interval
from labeling.agreement.overview import nominal, told
from labeling.agreement.shape import Group, NotSureWays, PerClass, Rate, Window
from labeling.agreement.shares import share
from labeling.agreement.table import MISSING, Codes

WINDOW, MOST_WINDOWS = 50, 60
NO_READ = "no crop of it was read by two"

Named = Sequence[tuple[str, str]]


def groups(names: Named, group: Codes, headline: Floats, blind: Floats) -> list[Group]:
    """Alpha in each group of items that has a read; `headline` and `blind` are counts per item and label.

    `group` is the place of each item in `names`, -1 for none.
    """
    found: list[Group] = []
    for place, (key, name) in enumerate(names):
        own = group == place
        if not blind[own].any():
            continue
        first, second = (told(_alpha(counts[own])) for counts in (headline, blind))
        found.append({"key": key, "name": name, **first, "all": second})
    return found


def _alpha(counts: Floats) -> Estimate:
    sample = Sample(*patterns(counts))
    if not sample.n_shared:
        return Estimate(None, None, None, 0, NO_READ)
    return nominal(sample, 2)


def why_of_items(columns: Columns, blind: Flags) -> Codes:
    """Why each item was asked: by the random stream where it drew the item, else the reason of the first read."""
    found = np.full(len(columns.items.keys), MISSING, dtype=np.int64)
    for chosen in (blind, blind & columns.kinds.stream):
        places = np.flatnonzero(chosen)[::-1]
        # The last to be written is the first read.
        found[columns.item[places]] = columns.why[places]
    return found


def per_class(names: dict[str, str], labels: Sequence[str], headline: Floats, blind: Floats) -> list[PerClass]:
    """Alpha of each class against all the others."""
    samples = [Sample(*patterns(counts)) for counts in (headline, blind)]
    found: list[PerClass] = []
    for code, label in enumerate(labels):
        first, second = (told(_single(sample, code)) for sample in samples)
        reads = int(samples[0].margins[code])
        found.append({"key": label, "name": names.get(label, label), **first, "all": second, "reads": reads})
    return found


def _single(sample: Sample, code: int) -> Estimate:
    single = sample.one_class(code)
    return interval(figures.alpha(single.patterns), single)


def windows(columns: Columns, chosen: Flags, basis: Literal["random", "all"]) -> list[Window]:
    """Alpha over the shared items in windows of 50, in the order of their second read; at most 60 windows.

    What is left over joins the last window, unless it is more than half of one.
    """
    counts = counts_of(columns, chosen)
    second = _second_reads(columns, chosen)
    items = np.flatnonzero(second >= 0)
    items = items[np.argsort(columns.time[second[items]], kind="stable")]
    size = max(WINDOW, -(-len(items) // MOST_WINDOWS))
    number = max(1, round(len(items) / size)) if len(items) else 0
    found: list[Window] = []
    for place in range(number):
        own = items[place * size : None if place == number - 1 else (place + 1) * size]
        start, end = (_moment(columns.time[second[own[at]]]) for at in (0, -1))
        alpha = told(nominal(Sample(*patterns(counts[own])), 2))
        found.append({**alpha, "basis": basis, "start": start, "end": end, "crops": len(own)})
    return found


def _second_reads(columns: Columns, chosen: Flags) -> Codes:
    """Place of the second of the chosen reads of each item in the columns, -1 where there is none."""
    places = np.flatnonzero(chosen)
    order = places[np.argsort(columns.item[places], kind="stable")]
    items = columns.item[order]
    start = np.r_[True, items[1:] != items[:-1]] if len(items) else np.zeros(0, dtype=bool)
    rank = np.arange(len(order)) - np.maximum.accumulate(np.where(start, np.arange(len(order)), 0))
    found = np.full(len(columns.items.keys), MISSING, dtype=np.int64)
    found[items[rank == 1]] = order[rank == 1]
    return found


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def three_ways(counts: Floats, not_sure: int) -> NotSureWays:
    """Alpha with "not sure" as a class, as missing, and against all classes; `not_sure`: its label, -1 if unused."""
    as_class = nominal(Sample(*patterns(counts)), 2)
    if not_sure < 0 or not counts[:, not_sure].any():
        unused = Estimate(None, None, None, 0, "nobody said not sure")
        return {"as_class": told(as_class), "as_missing": told(as_class), "sure_unsure": told(unused)}
    unsure = counts[:, not_sure]
    binary = np.stack([counts.sum(axis=1) - unsure, unsure], axis=1)
    missing = np.delete(counts, not_sure, axis=1)
    return {
        "as_class": told(as_class),
        "as_missing": told(nominal(Sample(*patterns(missing)), 2)),
        "sure_unsure": told(nominal(Sample(*patterns(binary)), 2)),
    }


def rates(names: Named, group: Codes, unsure: Flags) -> list[Rate]:
    """How often reads of each group say "not sure"; `group` is the place of each read in `names`, -1 for none."""
    known = group >= 0
    n = np.bincount(group[known], minlength=len(names))
    hits = np.bincount(group[known & unsure], minlength=len(names))
    return [
        {"key": key, "name": name, **told(share(int(hits[place]), int(n[place])))}
        for place, (key, name) in enumerate(names)
        if n[place]
    ]


def others_label(columns: Columns, chosen: Flags) -> Codes:
    """For each chosen read the class that more than half of the item's other readers named; -1 elsewhere.

    Who was not sure named none. At most one read of each reader and item may be chosen.
    """
    votes = counts_of(columns, chosen & ~columns.unsure)
    item, label, named = columns.item, columns.label, ~columns.unsure
    others = votes.sum(axis=1)[item] - named
    found = np.full(columns.size, MISSING, dtype=np.int64)
    for code in range(len(columns.names.labels)):
        said = votes[item, code] - (named & (label == code))
        found[chosen & (others > 0) & (2 * said > others)] = code
    return found
