"""Agreement figures with their 95 % intervals over items.

The interval is a jackknife-t on the logarithm of the disagreement, log(1 - figure): in simulation it covers where the
percentile bootstrap is too narrow, and it needs no draws (docs/agreement.md has the table).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labeling.agreement import figures
from labeling.agreement.counts import Floats, label_counts, patterns
from labeling.agreement.figures import Figure
from labeling.agreement.table import ReadTable
from labeling.agreement.weights import Metric

FEW_ITEMS = 30
# Below these numbers of items the simulated intervals cover less than 93 times in 100.
FEW_MINORITY = 20
FEW_DISAGREEING = 5
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval and the number of items behind it; `reason` says what limits it."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """Patterns of counts (see `counts.patterns`) and how many items show each."""

    patterns: Floats
    frequencies: Floats

    @property
    def n_shared(self) -> int:
        """Items with at least two reads."""
        return int(self.frequencies[self.shared].sum())

    @property
    def shared(self) -> NDArray[np.bool_]:
        """Which patterns have at least two reads."""
        return np.asarray(self.patterns.sum(axis=1) >= 2)

    @property
    def margins(self) -> Floats:
        """Reads per label on the shared items."""
        return np.asarray(self.frequencies[self.shared] @ self.patterns[self.shared])

    @property
    def n_minority(self) -> int:
        """Shared items with a read that is not the most common label: they carry what is known of chance."""
        kept, common = self.patterns[self.shared], int(self.margins.argmax())
        return int(self.frequencies[self.shared][kept[:, common] < kept.sum(axis=1)].sum())

    @property
    def n_disagreeing(self) -> int:
        """Shared items whose reads differ."""
        kept = self.patterns[self.shared]
        return int(self.frequencies[self.shared][kept.max(axis=1) < kept.sum(axis=1)].sum())

    def one_class(self, label: int) -> "Sample":
        """The same items with one label set against all the others."""
        own = self.patterns[:, label]
        return Sample(np.stack([self.patterns.sum(axis=1) - own, own], axis=1), self.frequencies)


def sample_of(table: ReadTable) -> Sample:
    """What the reads of a table say, item by item and label by label."""
    return Sample(*patterns(label_counts(table.codes, len(table.labels))))


def alpha_interval(table: ReadTable, metric: Metric = "nominal", values: Floats | None = None) -> Estimate:
    """Krippendorff's alpha with its interval over the items that have at least two reads."""
    sample = sample_of(table)
    return explained(table, interval(figures.alpha(sample.patterns, metric, values), sample))


def percent_interval(table: ReadTable) -> Estimate:
    """Percent agreement in [0, 1] with its interval over the shared items."""
    sample = sample_of(table)
    found = interval(figures.percent(sample.patterns), sample, by_chance=False)
    return explained(table, found)


def interval(figure: Figure, sample: Sample, *, by_chance: bool = True) -> Estimate:
    """A figure that is 1 for perfect agreement, with its interval; `by_chance`: it is corrected for chance.

    Where few items disagree, or few agree, the exact binomial interval of their share stretches the interval, so that
    full agreement on a few items does not claim certainty.
    """
    value = figure.value(sample.frequencies)
    error = standard_error(figure, sample.frequencies) if np.isfinite(value) else value
    return around(value, error, sample, by_chance=by_chance)


def around(value: float, error: float, sample: Sample, *, by_chance: bool = True) -> Estimate:
    """The estimate for a figure that is 1 for perfect agreement, from its standard error."""
    n = sample.n_shared
    if np.isnan(value):
        return undefined(n)
    if n < 2:
        return Estimate(value, None, None, n, "too few: one shared item has no interval")
    low, high = _limits(value, error, n)
    if min(sample.n_disagreeing, n - sample.n_disagreeing) < FEW_DISAGREEING:
        exact = _limits_of_few(sample, value, by_chance)
        low, high = min(low, exact[0]), max(high, exact[1])
    # No share is below 0, and no agreement worse than the opposite of perfect.
    low = max(low, min(value, -1.0 if by_chance else 0.0))
    return Estimate(value, low, high, n, _caution(sample, by_chance))


def explained(table: ReadTable, found: Estimate) -> Estimate:
    """The estimate, its reason naming too few annotators where that is why there is no figure."""
    readers = int((table.codes >= 0).any(axis=0).sum()) if table.codes.size else 0
    if found.value is not None or readers >= 2:
        return found
    return Estimate(None, None, None, found.n, f"agreement needs two annotators; {readers} gave reads")


def standard_error(figure: Figure, frequencies: Floats) -> float:
    """Jackknife standard error over items: the figure without each item in turn, pattern by pattern."""
    total = frequencies @ figure.features
    n = frequencies.sum()
    without = figure.of(total[None] - figure.features)
    # Leaving out the only item with another label leaves no figure; such items say nothing about the spread.
    apart = np.where(np.isfinite(without), without - figure.of(total[None]), 0.0)
    return float(np.sqrt((n - 1) / n * (frequencies * apart**2).sum()))


def _limits(value: float, error: float, n: int) -> tuple[float, float]:
    from scipy.special import stdtrit  # here, as web processes start without SciPy

    if value >= 1.0:
        return value, value
    reach = stdtrit(n - 1, (1 + LEVEL) / 2) * error / (1 - value)
    # A spread beyond e^50 says that nothing is known; the cap keeps the figure finite.
    factor = float(np.exp(min(float(reach), 50.0)))
    return 1 - (1 - value) * factor, 1 - (1 - value) / factor


def _limits_of_few(sample: Sample, value: float, by_chance: bool) -> tuple[float, float]:
    """Limits that scale the disagreement as far as the exact interval of the share of disagreeing items reaches."""
    from scipy.special import betaincinv  # here, as web processes start without SciPy

    n, k, tail = sample.n_shared, sample.n_disagreeing, (1 - LEVEL) / 2
    most = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
    if k == 0:
        shares = sample.margins / sample.margins.sum()
        room = 1 - float(shares @ shares) if by_chance else 1.0
        # One label on all shared items, others on single reads: what chance would do there is not known.
        return (value - most / room if room > 0 else -np.inf), value
    least = float(betaincinv(k, n - k + 1, tail))
    return 1 - (1 - value) * most / (k / n), 1 - (1 - value) * least / (k / n)


def _caution(sample: Sample, by_chance: bool) -> str:
    """What makes the interval unreliable, or nothing."""
    n, minority = sample.n_shared, sample.n_minority
    if n < FEW_ITEMS:
        return f"too few: {n} shared crops, at least {FEW_ITEMS} are needed"
    if by_chance and minority < FEW_MINORITY:
        return (
            f"too few: only {minority} crops have a read that differs from the most common label, at least "
            f"{FEW_MINORITY} are needed for the interval to hold"
        )
    if 0 < sample.n_disagreeing < FEW_DISAGREEING:
        return f"only {sample.n_disagreeing} crops were read differently, so the interval is rough"
    return ""


def undefined(n_shared: int) -> Estimate:
    """No figure, with the reason that the shared items give."""
    reason = "only one label was used on the shared crops, so chance agreement is already complete"
    return Estimate(None, None, None, n_shared, reason if n_shared else "no crop was read by two")
