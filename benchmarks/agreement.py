"""Agreement: bootstrap draws against working out alpha anew for each, and a million answers of twenty readers."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import cpu_of, cpu_seconds, peak_mib
from benchmarks.rows import Beside, Row
from labeling.agreement import figures
from labeling.agreement.bootstrap import drawn
from labeling.agreement.intervals import sample_of
from labeling.agreement.summary import summarise
from labeling.agreement.table import ReadTable, from_codes, from_long

ITEMS, READERS, LABELS = 3720, 3, 4
DRAWS, PLAIN_DRAWS = 2000, 10
MANY_ITEMS, MANY_READERS, ANSWERS = 100_000, 20, 1_000_000


def measure() -> list[Row]:
    """CPU seconds for 2,000 draws over 3,720 items with three reads each (the plain way is scaled from few draws).

    Then everything over a million answers, with the memory that this takes.
    """
    table = reads()
    ours = cpu_seconds(lambda: draws_of(table))
    plain = cpu_seconds(lambda: plain_draws(table.codes, PLAIN_DRAWS), repeats=3) * DRAWS / PLAIN_DRAWS
    _check(table)
    beside = Beside(f"a loop over draws, scaled from {PLAIN_DRAWS}", plain)
    return [Row("alpha_2000_draws", ours, "CPU-s", "<= 0.5", beside), *million()]


def million() -> list[Row]:
    """All coefficients with intervals, every pair and 2,000 draws of alpha over a million answers."""
    table = reads(items=MANY_ITEMS, readers=MANY_READERS, missing=1 - ANSWERS / MANY_ITEMS / MANY_READERS)

    def everything() -> None:
        summarise(table, table.labels)
        draws_of(table)

    items, annotators = np.nonzero(table.codes >= 0)
    rows = [(table.items[i], table.annotators[a], table.labels[table.codes[i, a]]) for i, a in zip(items, annotators)]
    return [
        Row("million_answers", cpu_of(everything), "CPU-s", "<= 10"),
        Row("million_answers_memory", peak_mib(everything) + table.codes.nbytes / 2**20, "MiB", "<= 500"),
        Row("million_rows_to_table", cpu_of(lambda: from_long(rows)), "CPU-s"),
    ]


def draws_of(table: ReadTable) -> NDArray[np.float64]:
    """2,000 bootstrap draws of nominal alpha, from the table on."""
    sample = sample_of(table)
    return drawn(figures.alpha(sample.patterns), sample.frequencies, DRAWS)


def reads(seed: int = 0, items: int = ITEMS, readers: int = READERS, missing: float = 0.02) -> ReadTable:
    """Readers who agree on about eight in ten items, with some reads missing."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, LABELS, (items, 1))
    shape = (items, readers)
    codes = np.where(rng.random(shape) < 0.85, truth, rng.integers(0, LABELS, shape))
    codes[rng.random(shape) < missing] = -1
    return from_codes(codes, [f"class {number}" for number in range(LABELS)])


def plain_draws(codes: NDArray[np.int64], draws: int, seed: int = 0) -> list[float]:
    """Alpha of items drawn with replacement, item by item."""
    rng = np.random.default_rng(seed)
    units = [[int(code) for code in row if code >= 0] for row in codes]
    return [plain_alpha([units[i] for i in rng.integers(0, len(units), len(units))]) for _ in range(draws)]


def plain_alpha(units: list[list[int]]) -> float:
    """Nominal alpha of lists of reads, as its definition says (Krippendorff 2011)."""
    shared = [unit for unit in units if len(unit) > 1]
    counts = Counter(label for unit in shared for label in unit)
    total = sum(counts.values())
    observed = 0.0
    for unit in shared:
        own = Counter(unit)
        observed += sum(n * (len(unit) - n) for n in own.values()) / (len(unit) - 1)
    expected = sum(n * (total - n) for n in counts.values()) / (total - 1)
    return 1 - observed / expected


def _check(table: ReadTable) -> None:
    sample = sample_of(table)
    ours = figures.alpha(sample.patterns).value(sample.frequencies)
    plain = plain_alpha([[int(code) for code in row if code >= 0] for row in table.codes])
    if abs(ours - plain) > 1e-9:
        raise AssertionError(f"the two ways differ: {ours} and {plain}")
