"""What a label-efficiency run compares: the labelled pool, the arms, the seeds, the budget and the annotator."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from training.learning.ranking import RankingSettings
from training.learning.simulation import SimulatedAnnotator

Index = NDArray[np.int64]

RANDOM = "random"
RANDOM_AGAIN = "random again"
# Far from the seeds anybody asks for, so that the second random arm shares no order with the first.
OTHER_SEEDS = 100_000


@dataclass(frozen=True, slots=True)
class LabelledPool:
    """Embeddings (n, d), labels (n,) as numbers 0..K-1, experiment number (n,) and number of classes K.

    A label of -1 is a real "not sure": asking it costs a query, and nothing is judged by it. distance: each crop's
    distance to the class boundary (n,), where simulated annotators may be unsure. rows: numbers (n,) of the
    crops in the pool that this is a part of.
    """

    embeddings: NDArray[np.floating]
    labels: Index
    experiment: Index
    classes: int
    distance: NDArray[np.floating] | None = None
    rows: Index | None = None

    def part(self, rows: Index) -> "LabelledPool":
        """The pool of some crops only."""
        distance = None if self.distance is None else self.distance[rows]
        known = (self.embeddings[rows], self.labels[rows], self.experiment[rows])
        return LabelledPool(*known, self.classes, distance, rows if self.rows is None else self.rows[rows])


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of asking: a ranking, the shift of its seeds, and what becomes of answers "not sure".

    soft_not_sure: they train the head with half a vote for each of the two classes it hesitates between.
    """

    name: str
    ranking: RankingSettings
    seed_shift: int = 0
    soft_not_sure: bool = False


@dataclass(frozen=True, slots=True)
class EfficiencyPlan:
    """What is compared: strategies, seeds, budget in queries, step of the curve, annotator and processes.

    hedge: also the default without coverage queries and without random checks. soft_not_sure: also the default
    with answers "not sure" as soft labels.
    """

    strategies: tuple[str, ...] = (RANDOM, RankingSettings().strategy)
    seeds: tuple[int, ...] = tuple(range(10))
    budget: int = 200
    step: int = 10
    jobs: int = 1
    annotator: SimulatedAnnotator = field(default_factory=lambda: SimulatedAnnotator("truth"))
    ranking: RankingSettings = field(default_factory=RankingSettings)
    hedge: bool = False
    soft_not_sure: bool = False

    def __post_init__(self) -> None:
        if missing := {RANDOM, self.default} - set(self.strategies):
            raise ValueError(
                f"the benchmark needs the strategy '{min(missing)}': random and the default are always in"
            )
        if self.budget < self.step or self.step < 1 or not self.seeds:
            raise ValueError("the benchmark needs a seed, a step of at least 1 and a budget of at least one step")
        for name in self.strategies:
            replace(self.ranking, strategy=name)

    @property
    def default(self) -> str:
        """Name of the default strategy."""
        return self.ranking.strategy

    def arms(self) -> tuple[Arm, ...]:
        """Every arm that is run: the strategies, random again with other seeds, and what was asked for besides."""
        named = {name: replace(self.ranking, strategy=name) for name in self.strategies}
        arms = [Arm(name, ranking) for name, ranking in named.items()]
        arms.append(Arm(RANDOM_AGAIN, named[RANDOM], seed_shift=OTHER_SEEDS))
        if self.hedge:
            arms.append(Arm(NO_COVERAGE, replace(self.ranking, coverage_share=0.0)))
            arms.append(Arm(NO_CHECKS, replace(self.ranking, random_share=0.0)))
        if self.soft_not_sure:
            arms.append(Arm(SOFT_NOT_SURE, self.ranking, soft_not_sure=True))
        return tuple(arms)

    def points(self, pool_size: int) -> list[int]:
        """Numbers of queries at which curves are measured: every `step` up to the budget or the smallest pool."""
        return list(range(self.step, min(self.budget, pool_size) + 1, self.step))


NO_COVERAGE = "default without coverage queries"
NO_CHECKS = "default without random checks"
SOFT_NOT_SURE = "default with not-sure as soft labels"
