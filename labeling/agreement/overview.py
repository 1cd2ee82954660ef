"""The rows of the overview, one for each way in which crops came to be read, and the one that leads."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from labeling.agreement import figures
from labeling.agreement.columns import Columns, Flags, counts_of
from labeling.agreement.counts import patterns
from labeling.agreement.intervals import FEW_ITEMS, Estimate, Sample, interval
from labeling.agreement.other_readers import alpha_over_readers
from labeling.agreement.shape import Basis, Headline, Interval, Row
from labeling.agreement.summary import word
from labeling.agreement.units import over_units

# What leads where the row before it has too few crops.
NEXT_BEST: tuple[Basis, ...] = ("random", "shared", "queue", "blind", "all")
WORDS: dict[Basis, tuple[str, str]] = {
    "random": ("Random crops", "Crops that the random stream drew, read by two or more without sight of each other."),
    "shared": (
        "Second reader by lot",
        "Crops that the ranking or a person chose for the first reader, and a lot for the second.",
    ),
    "queue": ("Chosen crops", "Crops that the ranking or a person chose, less those below. Harder than most crops."),
    "routed": ("After a “not sure”", "Crops that got a second reader because the first was not sure."),
    "adjudicated": ("Adjudicated", "Crops on which readers differed, the read that decided among their reads."),
    "dependent": (
        "Bulk and accepted suggestions",
        "Crops with an answer to many at once or an accepted suggestion, which are no independent readings.",
    ),
    "imported": ("Imported", "Crops with an answer out of a file; nobody knows whether it was given blind."),
    "blind": ("All blind reads", "Every read that was given without sight of others, however its crop was chosen."),
    "all": ("All reads together", "Blind reads and all others, re-reads of one's own crops left out."),
}
CENSUS = (
    "All crops of the pool have been read. These are the ones that were to be read twice whatever the first reader "
    "said, and those that the random stream drew."
)


def told(found: Estimate) -> Interval:
    """The estimate as the report keeps it."""
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n, "reason": found.reason}


def nominal(sample: Sample, readers: int) -> Estimate:
    """Nominal alpha of a sample, its reason naming too few readers where that is why there is none."""
    return explained(interval(figures.alpha(sample.patterns), sample), readers)


def explained(found: Estimate, readers: int) -> Estimate:
    """The estimate; without a figure its reason says where no reader or only one is why."""
    if found.value is not None or readers >= 2:
        return found
    if not readers:
        return Estimate(None, None, None, 0, "there is no such read")
    return Estimate(None, None, None, found.n, "agreement needs two readers; one gave reads")


def sample_of(columns: Columns, chosen: Flags) -> Sample:
    """What the chosen reads say of each item."""
    return Sample(*patterns(counts_of(columns, chosen)))


def rows_of(columns: Columns, chosen: Mapping[Basis, Flags]) -> list[Row]:
    """One row for each basis, those without reads included."""
    return [row_of(columns, basis, chosen[basis]) for basis in WORDS]


def row_of(columns: Columns, basis: Basis, chosen: Flags) -> Row:
    """Agreement over the chosen reads, a reader's first read of a crop counting."""
    chosen = firsts(columns, chosen)
    sample, readers = sample_of(columns, chosen), len(np.unique(columns.reader[chosen]))
    alpha = nominal(sample, readers)
    percent = interval(figures.percent(sample.patterns), sample, by_chance=False)
    name, text = WORDS[basis]
    return {
        "basis": basis,
        "name": name,
        "text": text,
        "crops": int(sample.frequencies.sum()),
        "reads": int(chosen.sum()),
        "readers": readers,
        "alpha": told(alpha),
        "percent": told(explained(percent, readers)),
        "ac1": told(explained(interval(figures.gwet(sample.patterns), sample), readers)),
        "word": word(alpha),
    }


def firsts(columns: Columns, chosen: Flags) -> Flags:
    """The chosen reads without a reader's second one of the same item."""
    places = np.flatnonzero(chosen)
    cells = columns.item[places] * max(len(columns.names.readers), 1) + columns.reader[places]
    kept = np.zeros_like(chosen)
    kept[places[np.unique(cells, return_index=True)[1]]] = True
    return kept


def leading(rows: list[Row]) -> Basis:
    """The basis that leads: the first with enough shared crops, else the first with a figure, else random."""
    by_basis = {row["basis"]: row["alpha"] for row in rows}
    with_figure = [basis for basis in NEXT_BEST if by_basis[basis]["value"] is not None]
    enough = [basis for basis in with_figure if by_basis[basis]["n"] >= FEW_ITEMS]
    return next(iter(enough or with_figure), "random")


def headline_of(columns: Columns, rows: list[Row], chosen: Mapping[Basis, Flags], census: bool) -> Headline:
    """The leading row with what only the headline has; `note` says what it stands for, and what it does not."""
    basis = leading(rows)
    row = next(row for row in rows if row["basis"] == basis)
    random = next(row for row in rows if row["basis"] == "random")
    kept = firsts(columns, chosen[basis])
    sample = sample_of(columns, kept)
    fleiss = interval(figures.fleiss(sample.patterns), sample)
    more: dict[str, Any] = {
        "is_random": basis == "random",
        "is_census": census and basis == "random",
        "note": _note(row, random, census),
        "fleiss_kappa": told(explained(fleiss, row["readers"])),
        "over_experiments": told(across(columns, kept)),
        "over_readers": told(alpha_over_readers(columns.table(kept))),
    }
    return {**row, **more}  # type: ignore[typeddict-item]  # the keys of the two together are those of a Headline


def across(columns: Columns, chosen: Flags) -> Estimate:
    """Nominal alpha over the chosen reads with its interval over experiments."""
    figure = figures.alpha(counts_of(columns, chosen))
    return over_units(figure, columns.items.experiment, len(columns.names.experiments))


def _note(row: Row, random: Row, census: bool) -> str:
    n = random["alpha"]["n"]
    if row["basis"] == "random":
        return CENSUS if census else random["text"]
    lacking = "No crop that was drawn at random was" if not n else f"Only {n} crops that were drawn at random were"
    return (
        f"{lacking} read by two, at least {FEW_ITEMS} are needed. The figure now rests on: {row['name'].lower()}, "
        f"n {row['alpha']['n']:,}. These crops were chosen, so the figure does not stand for all crops of the study."
    )
