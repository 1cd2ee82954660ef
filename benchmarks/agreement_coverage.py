"""How often 95 % intervals of agreement cover the truth: `python -m benchmarks.agreement_coverage` prints a table.

Three readers, a fifth of the reads missing. The truth of each regime is the figure over 400,000 simulated items. The
table in docs/agreement.md was made with the defaults here.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeling.agreement import figures
from labeling.agreement.bootstrap import bca_limits, drawn, percentile_limits
from labeling.agreement.figures import Figure
from labeling.agreement.intervals import Sample, interval, sample_of, standard_error
from labeling.agreement.table import from_codes

READERS, MISSING = 3, 0.2
DRAWS, DATA_SETS, ITEMS, MANY = 1000, 2000, 60, 400_000
Limits = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Regime:
    """Shares of the classes, how often each reader is right, and the share of items on which everybody guesses."""

    name: str
    shares: tuple[float, ...]
    skill: tuple[float, ...]
    guessed: float = 0.0

    def codes(self, rng: np.random.Generator, items: int) -> NDArray[np.int64]:
        """Reads of some items, -1 where missing."""
        size = len(self.shares)
        truth = rng.choice(size, size=(items, 1), p=self.shares)
        right = np.where(rng.random((items, 1)) < self.guessed, 1 / size, self.skill)
        wrong = (truth + rng.integers(1, size, (items, READERS))) % size
        codes = np.where(rng.random((items, READERS)) < right, truth, wrong)
        return np.where(rng.random(codes.shape) < MISSING, -1, codes)

    def sample(self, rng: np.random.Generator, items: int) -> Sample:
        """The reads of some items, pooled."""
        return sample_of(from_codes(self.codes(rng, items), [str(k) for k in range(len(self.shares))]))


def _alike(name: str, shares: tuple[float, ...], skill: float, guessed: float = 0.0) -> Regime:
    return Regime(name, shares, (skill,) * READERS, guessed)


REGIMES = (
    _alike("2 classes 50:50, right 50 %", (0.5, 0.5), 0.5),
    _alike("2 classes 50:50, right 75 %", (0.5, 0.5), 0.75),
    _alike("2 classes 50:50, right 85 %", (0.5, 0.5), 0.85),
    _alike("2 classes 50:50, right 95 %", (0.5, 0.5), 0.95),
    _alike("2 classes 50:50, right 98 %", (0.5, 0.5), 0.98),
    Regime("2 classes 50:50, right 95, 85, 70 %", (0.5, 0.5), (0.95, 0.85, 0.7)),
    _alike("2 classes 65:35, right 85 %", (0.65, 0.35), 0.85),
    _alike("2 classes 65:35, right 95 %", (0.65, 0.35), 0.95),
    _alike("2 classes 80:20, right 85 %", (0.8, 0.2), 0.85),
    _alike("2 classes 80:20, right 95 %", (0.8, 0.2), 0.95),
    _alike("2 classes 95:5, right 90 %", (0.95, 0.05), 0.9),
    _alike("2 classes 95:5, right 95 %", (0.95, 0.05), 0.95),
    _alike("3 classes 40:30:30, right 85 %", (0.4, 0.3, 0.3), 0.85),
    _alike("3 classes 40:30:30, right 97 %", (0.4, 0.3, 0.3), 0.97),
    _alike("3 classes 50:30:20, right 95 %, 3 in 10 guessed", (0.5, 0.3, 0.2), 0.95, 0.3),
    _alike("4 classes 25 each, right 80 %", (0.25,) * 4, 0.8),
    _alike("4 classes 25 each, right 97 %", (0.25,) * 4, 0.97),
    _alike("4 classes 60:20:10:10, right 90 %", (0.6, 0.2, 0.1, 0.1), 0.9),
)


def shipped(figure: Figure, sample: Sample) -> Limits:
    """The interval that reports show."""
    found = interval(figure, sample)
    return (np.nan, np.nan) if found.low is None or found.high is None else (found.low, found.high)


def percentile(figure: Figure, sample: Sample) -> Limits:
    """The percentile bootstrap."""
    return percentile_limits(drawn(figure, sample.frequencies, DRAWS))


def bca(figure: Figure, sample: Sample) -> Limits:
    """The bias-corrected and accelerated bootstrap."""
    return bca_limits(figure, sample.frequencies, drawn(figure, sample.frequencies, DRAWS))


def jackknife(figure: Figure, sample: Sample) -> Limits:
    """Jackknife-t on the figure itself, 2.01 being the quantile of t for some 54 shared items."""
    value, reach = figure.value(sample.frequencies), 2.01 * standard_error(figure, sample.frequencies)
    return value - reach, value + reach


METHODS: dict[str, Callable[[Figure, Sample], Limits]] = {
    "percentile": percentile,
    "BCa": bca,
    "jackknife-t": jackknife,
    "shipped": shipped,
}
OTHERS = {"AC1": figures.gwet, "Fleiss": figures.fleiss}


@dataclass(frozen=True, slots=True)
class Coverage:
    """Per cent of data sets whose interval covers the truth: by method, where not flagged, and of other figures."""

    regime: str
    alpha: float
    flagged: float
    covered: dict[str, float]
    unflagged: float
    others: dict[str, float]


def coverage(regime: Regime, data_sets: int, items: int, methods: list[str], seed: int = 0) -> Coverage:
    """Simulates data sets of a regime. Data sets without a figure count as not covered."""
    rng = np.random.default_rng(seed)
    large = regime.sample(rng, MANY)
    truth = figures.alpha(large.patterns).value(large.frequencies)
    truths = {name: build(large.patterns).value(large.frequencies) for name, build in OTHERS.items()}
    hits: dict[str, list[bool]] = {name: [] for name in [*methods, *OTHERS]}
    flags = []
    for _ in range(data_sets):
        sample = regime.sample(rng, items)
        alpha = figures.alpha(sample.patterns)
        flags.append(bool(interval(alpha, sample).reason))
        for name in methods:
            hits[name].append(_covers(METHODS[name](alpha, sample), truth))
        for name, build in OTHERS.items():
            hits[name].append(_covers(shipped(build(sample.patterns), sample), truths[name]))
    found = {name: 100 * float(np.mean(values)) for name, values in hits.items()}
    calm = np.array(hits["shipped"])[~np.array(flags)]
    unflagged = 100 * float(calm.mean()) if len(calm) else float("nan")
    others = {name: found.pop(name) for name in OTHERS}
    return Coverage(regime.name, truth, 100 * float(np.mean(flags)), found, unflagged, others)


def _covers(limits: Limits, truth: float) -> bool:
    return bool(limits[0] - 1e-9 <= truth <= limits[1] + 1e-9)


def lines(data_sets: int, items: int) -> Iterator[str]:
    """The table in Markdown, a line at a time."""
    names = list(METHODS)
    head = ["regime", "true α", *names, "flagged", "shipped, not flagged", *OTHERS]
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for regime in REGIMES:
        found = coverage(regime, data_sets, items, names)
        shares = [*found.covered.values(), found.flagged, found.unflagged, *found.others.values()]
        cells = [
            found.regime,
            f"{found.alpha:.2f}",
            *("–" if np.isnan(share) else f"{share:.1f}" for share in shares),
        ]
        yield "| " + " | ".join(cells) + " |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement_coverage", description=__doc__)
    parser.add_argument("--data-sets", type=int, default=DATA_SETS)
    parser.add_argument("--items", type=int, default=ITEMS)
    options = parser.parse_args()
    for line in lines(options.data_sets, options.items):
        print(line, flush=True)


if __name__ == "__main__":
    main()
