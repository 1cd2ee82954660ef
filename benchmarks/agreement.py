"""Krippendorff's alpha with its bootstrap interval, against working out alpha again for every draw."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import cpu_seconds
from benchmarks.rows import Beside, Row
from labeling.agreement.intervals import alpha_interval
from labeling.agreement.table import ReadTable, from_codes

ITEMS, READERS, LABELS = 3720, 3, 4
DRAWS, PLAIN_DRAWS = 2000, 10


def measure() -> list[Row]:
    """Seconds for 2,000 draws over 3,720 items with three reads each; the plain way is scaled from few draws."""
    table = reads()
    ours = cpu_seconds(lambda: alpha_interval(table, draws=DRAWS))
    plain = cpu_seconds(lambda: plain_draws(table.codes, PLAIN_DRAWS), repeats=3) * DRAWS / PLAIN_DRAWS
    _check(table)
    beside = Beside(f"a loop over draws, scaled from {PLAIN_DRAWS}", plain)
    return [Row("alpha_2000_draws", ours, "CPU-s", "<= 0.5", beside)]


def reads(seed: int = 0) -> ReadTable:
    """Readers who agree on about eight in ten items; one read in fifty is missing."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, LABELS, (ITEMS, 1))
    codes = np.where(rng.random((ITEMS, READERS)) < 0.85, truth, rng.integers(0, LABELS, (ITEMS, READERS)))
    codes[rng.random(codes.shape) < 0.02] = -1
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
    ours = alpha_interval(table, draws=2).value
    plain = plain_alpha([[int(code) for code in row if code >= 0] for row in table.codes])
    if ours is None or abs(ours - plain) > 1e-9:
        raise AssertionError(f"the two ways differ: {ours} and {plain}")
