"""How often intervals over experiments and over items cover the alpha of all experiments:
`python -m benchmarks.agreement_experiments` prints a table.

Two readers, two classes, 60 items an experiment. In each experiment both are right on its own share of the items,
90 % in the middle; `spread` is the standard deviation between experiments on the scale of log odds.
"""

import argparse
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from labeling.agreement import figures
from labeling.agreement.coefficients import krippendorff_alpha
from labeling.agreement.counts import label_counts, patterns
from labeling.agreement.intervals import Estimate, Sample, interval
from labeling.agreement.units import over_units

DATA_SETS, ITEMS, MIDDLE = 1000, 60, np.log(0.9 / 0.1)
MANY = 20_000


def reads_of(rng: np.random.Generator, experiments: int, items: int, spread: float) -> NDArray[np.int64]:
    """Labels (experiments x items, 2), experiment after experiment."""
    right = 1 / (1 + np.exp(-np.repeat(rng.normal(MIDDLE, spread, experiments), items)))
    truth = rng.integers(0, 2, len(right))
    return np.where(rng.random((len(right), 2)) < right[:, None], truth[:, None], 1 - truth[:, None])


def coverage(experiments: int, spread: float, data_sets: int, seed: int = 1) -> tuple[float, float, float]:
    """Share of data sets whose interval over experiments and over items covers the truth, and the first's width."""
    rng = np.random.default_rng(seed)
    truth = krippendorff_alpha(reads_of(rng, MANY, 20, spread))
    unit = np.repeat(np.arange(experiments), ITEMS)
    hits, widths = np.zeros(2), []
    for _ in range(data_sets):
        counts = label_counts(reads_of(rng, experiments, ITEMS, spread), 2)
        sample = Sample(*patterns(counts))
        over = over_units(figures.alpha(counts), unit, experiments)
        hits += [_covers(over, truth), _covers(interval(figures.alpha(sample.patterns), sample), truth)]
        widths.append((over.high or 0.0) - (over.low or 0.0))
    return float(hits[0]) / data_sets, float(hits[1]) / data_sets, float(np.median(widths))


def _covers(found: Estimate, truth: float) -> bool:
    return found.low is not None and found.high is not None and found.low <= truth <= found.high


def lines(data_sets: int) -> Iterator[str]:
    """The table in Markdown, a line at a time."""
    yield "| experiments | spread | over experiments | over items | width over experiments |"
    yield "|---|---|---|---|---|"
    for spread in (0.0, 0.6):
        for experiments in (3, 5, 8, 12, 20):
            over, items, width = coverage(experiments, spread, data_sets)
            yield f"| {experiments} | {spread} | {100 * over:.1f} | {100 * items:.1f} | {width:.2f} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement_experiments", description=__doc__)
    parser.add_argument("--data-sets", type=int, default=DATA_SETS)
    for line in lines(parser.parse_args().data_sets):
        print(line, flush=True)


if __name__ == "__main__":
    main()
