"""How many cases a study of readers needs for an interval of a wanted width, by simulation with our own intervals.

The model of a reader: says what the case is with probability q, else names a class as often as it occurs. Then two
readers agree beyond chance by exactly q squared, whatever the prevalence: so alpha and kappa are q squared, and a
share of agreement p gives q squared = (p - chance) / (1 - chance), chance being the sum of the squared prevalences.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import factorial, prod, sqrt
from typing import Literal

import numpy as np

from labeling.agreement import figures
from labeling.agreement.counts import Floats
from labeling.agreement.figures import Figure
from labeling.agreement.intervals import Sample, interval

Kind = Literal["percent", "alpha", "kappa"]
KINDS: tuple[Kind, ...] = ("percent", "alpha", "kappa")
FIGURES: dict[Kind, Callable[[Floats], Figure]] = {
    "percent": figures.percent,
    "alpha": figures.alpha,
    "kappa": figures.fleiss,
}
MOST_CLASSES, MOST_READERS = 6, 6
# Below thirty cases our intervals are not to be relied on; beyond the most nobody reads.
GRID = (30, 60, 120, 240, 480, 960, 1920, 3840, 7680)
STUDIES = 40
# So many of the simulated studies have an interval as narrow as is told, or narrower.
ASSURANCE = 0.8
SEED = 20


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is supposed before the first case is read: share of each class, and how often two readers agree."""

    prevalence: tuple[float, ...]
    agreement: float

    def __post_init__(self) -> None:
        if not 2 <= len(self.prevalence) <= MOST_CLASSES:
            raise ValueError(f"two to {MOST_CLASSES} classes can be planned for, not {len(self.prevalence)}")
        if min(self.prevalence) <= 0 or abs(sum(self.prevalence) - 1) > 1e-6:
            raise ValueError("the shares of the classes must be above 0 and sum to 1")
        if not self.chance < self.agreement < 1:
            raise ValueError(
                f"two readers who guess agree in {self.chance:.0%} of such cases: assume more than that, and not all"
            )

    @property
    def chance(self) -> float:
        """How often two readers agree who name each class as often as it occurs."""
        return sum(share**2 for share in self.prevalence)

    @property
    def beyond_chance(self) -> float:
        """Alpha and kappa that the assumed agreement amounts to, in (0, 1)."""
        return (self.agreement - self.chance) / (1 - self.chance)


@dataclass(frozen=True, slots=True)
class Plan:
    """`cases` that `readers` each read, so that four in five studies have an interval of the wanted half-width.

    `cases` is None where the largest simulated study is still too small. `widths`: the half-widths at each of GRID.
    """

    readers: int
    cases: int | None
    widths: tuple[float, ...]

    @property
    def reads(self) -> int | None:
        """Answers in all."""
        return None if self.cases is None else self.cases * self.readers


def plans(assumed: Assumed, kind: Kind, half_width: float, readers: Sequence[int] = (2, 3, 4, 5)) -> list[Plan]:
    """A plan for each number of readers; the same for the same question.

    ValueError for a figure, a number of readers or a width that cannot be planned for.
    """
    if kind not in KINDS:
        raise ValueError(f"plan for one of {', '.join(KINDS)}, not '{kind}'")
    if not readers or not all(2 <= number <= MOST_READERS for number in readers):
        raise ValueError(f"two to {MOST_READERS} readers can be planned for")
    if not 0 < half_width < 1:
        raise ValueError("a half-width lies between 0 and 1")
    return [_plan(assumed, kind, half_width, number) for number in readers]


def _plan(assumed: Assumed, kind: Kind, wanted: float, readers: int) -> Plan:
    widths = tuple(half_width(assumed, kind, readers, cases) for cases in GRID)
    # More cases never make an interval wider: what looks so is the draw.
    settled = np.minimum.accumulate(np.array(widths))
    return Plan(readers, _smallest(settled, wanted), tuple(float(value) for value in settled))


def half_width(assumed: Assumed, kind: Kind, readers: int, cases: int, studies: int = STUDIES) -> float:
    """Half-width that four in five simulated studies stay within; infinite where too few of them have an interval."""
    rng = np.random.default_rng(SEED)
    patterns, chances = pattern_chances(assumed, readers)
    drawn = rng.multinomial(cases, chances, size=studies)
    widths = [_half(patterns, frequencies.astype(float), kind) for frequencies in drawn]
    return float(np.quantile(widths, ASSURANCE, method="higher"))


def _half(patterns: Floats, frequencies: Floats, kind: Kind) -> float:
    seen = frequencies > 0
    sample = Sample(patterns[seen], frequencies[seen])
    found = interval(FIGURES[kind](sample.patterns), sample, by_chance=kind != "percent")
    return float("inf") if found.low is None or found.high is None else (found.high - found.low) / 2


def _smallest(widths: Floats, wanted: float) -> int | None:
    """The smallest number of cases with a width not above the wanted one, between the grid's points by logarithms."""
    enough = np.flatnonzero(widths <= wanted)
    if not len(enough):
        return None
    place = int(enough[0])
    if place == 0 or not np.isfinite(widths[place - 1]):
        return GRID[place]
    upper, lower = np.log(widths[place - 1]), np.log(widths[place])
    part = (upper - np.log(wanted)) / (upper - lower)
    return int(np.ceil(GRID[place - 1] * (GRID[place] / GRID[place - 1]) ** part))


def pattern_chances(assumed: Assumed, readers: int) -> tuple[Floats, Floats]:
    """Every way in which the readers may spread over the classes (patterns, classes), and how probable each is."""
    q, shares = sqrt(assumed.beyond_chance), np.array(assumed.prevalence)
    patterns = np.array(list(_spreads(readers, len(shares))), dtype=float)
    ways = np.array([factorial(readers) / prod(factorial(int(n)) for n in row) for row in patterns])
    says = q * np.eye(len(shares)) + (1 - q) * shares
    given = np.prod(says[:, None, :] ** patterns[None], axis=2)
    chances = ways * (shares @ given)
    return patterns, chances / chances.sum()


def _spreads(readers: int, classes: int) -> Iterator[tuple[int, ...]]:
    if classes == 1:
        yield (readers,)
        return
    for first in range(readers, -1, -1):
        for rest in _spreads(readers - first, classes - 1):
            yield first, *rest
