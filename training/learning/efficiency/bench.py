"""The arms of a comparison side by side: curves, draws, differences and targets, each computed once."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.learning.efficiency import figures as fig
from training.learning.efficiency.outcome import Outcome, clusters
from training.learning.efficiency.plan import RANDOM
from training.learning.efficiency.resample import Array, Resample, Spread, resample, spread

FULL_SHARE = 0.95


class Bench:
    """Curves of all arms with their draws, so that each is computed once."""

    def __init__(self, outcome: Outcome, seed: int = 0) -> None:
        self.points = outcome.points
        self.names = [arm.name for arm in outcome.arms]
        self.tallies = {name: outcome.tally(name) for name in self.names}
        self.units = clusters(outcome.partition).count
        self.resample: Resample = resample(len(outcome.plan.seeds), self.units, seed)
        self.draws = {name: self.resample.curves(tally) for name, tally in self.tallies.items()}
        full = outcome.full_tally()
        self.full, self.full_draws = float(full.curve[0]), self.resample.curves(full).both[:, 0]

    def curve(self, name: str) -> Array:
        """Mean balanced accuracy of an arm (points,)."""
        return self.tallies[name].curve

    def spread(self, name: str, minus: str | None = None) -> Spread:
        """How what is said of an arm, or of its difference to another, varies: judged by the areas."""
        per_seed, draws = self.tallies[name].by_seed, self.draws[name]
        if minus is not None:
            per_seed, draws = per_seed - self.tallies[minus].by_seed, draws - self.draws[minus]
        seeds, both, clusters = (fig.area(self.points, curves) for curves in (per_seed, draws.both, draws.clusters))
        return spread(seeds, both, clusters, self.units)

    def difference(self, name: str, minus: str) -> tuple[Array, Array, float]:
        """Difference of two arms (points,), its draws (draws, points) and their degrees of freedom."""
        value, found = self.curve(name) - self.curve(minus), self.spread(name, minus)
        return value, found.corrected(value, (self.draws[name] - self.draws[minus]).both), found.freedom

    def band(self, name: str, minus: str = RANDOM) -> fig.Band:
        """Difference of two arms with its simultaneous band."""
        return fig.paired_band(*self.difference(name, minus))

    def area_difference(self, name: str, minus: str = RANDOM, log: bool = False) -> fig.Figure:
        """Difference of the areas of two arms with its paired interval."""
        height = fig.log_area if log else fig.area
        value, draws, freedom = self.difference(name, minus)
        return fig.interval(float(height(self.points, value)), height(self.points, draws), freedom)

    def recall(self, name: str, classes: Sequence[str]) -> dict[str, fig.Figure]:
        """Recall of each class at the full budget with its interval; None for a class that is never tested."""
        values, found = self.tallies[name].recall[-1], self.spread(name)
        draws = found.corrected(values, self.resample.final_recall(self.tallies[name]))
        return {label: fig.interval(float(values[k]), draws[:, k], found.freedom) for k, label in enumerate(classes)}

    def targets(self) -> dict[str, tuple[float, Array]]:
        """Balanced accuracies to reach, by name: value and draws (draws,)."""
        half = max(int(np.searchsorted(self.points, self.points[-1] / 2, side="right")) - 1, 0)
        random, draws = self.curve(RANDOM), self.draws[RANDOM].both
        return {
            f"random at {self.points[-1]}": (float(random[-1]), draws[:, -1]),
            f"random at {self.points[half]}": (float(random[half]), draws[:, half]),
            "95 % of all labels": (FULL_SHARE * self.full, FULL_SHARE * self.full_draws),
        }

    def to_target(self, name: str, value: float, draws: Array) -> dict[str, Any]:
        """Queries to a target, and their ratio to random's with its interval."""
        found = self.spread(name, RANDOM)
        aim = found.corrected(value, draws)
        own, random = (float(fig.labels_to(self.points, self.curve(arm), value)) for arm in (name, RANDOM))
        drawn = [
            fig.labels_to(self.points, found.corrected(self.curve(arm), self.draws[arm].both), aim)
            for arm in (name, RANDOM)
        ]
        value_of_ratio = float(fig.ratio(self.points, np.array(own), np.array(random)))
        return {
            "target": value,
            "queries": int(own) if np.isfinite(own) else None,
            "queries_random": int(random) if np.isfinite(random) else None,
            "ratio": fig.interval(value_of_ratio, fig.ratio(self.points, *drawn), found.freedom),
        }
