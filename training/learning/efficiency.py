"""Label efficiency: how many answers each strategy needs for what random sampling reaches, on the same folds."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import product
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from training.learning.head import fit_head, probabilities, standardise
from training.learning.ranking import Answers, PoolRanker, RankingSettings
from training.learning.simulation import NOT_SURE, SimulatedAnnotator

Index = NDArray[np.integer]
Curves = NDArray[np.float64]

SMALLEST_TEST_SHARE = 0.3
DRAWS = 2000


@dataclass(frozen=True, slots=True)
class LabelledPool:
    """Embeddings (n, d), labels (n,) as numbers 0..K-1, experiment number (n,) and number of classes K.

    distance: each crop's distance to the class boundary (n,), where annotators may be unsure.
    """

    embeddings: NDArray[np.floating]
    labels: Index
    experiment: Index
    classes: int
    distance: NDArray[np.floating] | None = None

    def part(self, rows: Index) -> "LabelledPool":
        """The pool of some crops only."""
        distance = None if self.distance is None else self.distance[rows]
        return LabelledPool(self.embeddings[rows], self.labels[rows], self.experiment[rows], self.classes, distance)


@dataclass(frozen=True, slots=True)
class EfficiencyPlan:
    """What is compared: strategies, seeds, budget in queries, points on the curve, annotator and processes."""

    strategies: tuple[str, ...] = ("random", "uherding")
    seeds: tuple[int, ...] = (0, 1, 2, 3)
    budget: int = 200
    step: int = 10
    jobs: int = 1
    annotator: SimulatedAnnotator = field(default_factory=lambda: SimulatedAnnotator("truth"))
    ranking: RankingSettings = field(default_factory=RankingSettings)

    def __post_init__(self) -> None:
        if "random" not in self.strategies:
            raise ValueError("the benchmark needs the strategy 'random': every other one is compared with it")
        if self.budget < self.step or self.step < 1 or not self.seeds:
            raise ValueError("the benchmark needs a seed, a step of at least 1 and a budget of at least one step")


@dataclass(frozen=True, slots=True)
class Run:
    """One strategy with one seed on one fold."""

    strategy: str
    seed: int
    fold: int


def widen_folds(
    folds: Sequence[tuple[Index, Index]], share: float = SMALLEST_TEST_SHARE
) -> list[tuple[Index, Index]]:
    """Folds whose test parts hold at least `share` of the crops: each joins the next ones until it does.

    Joining whole test parts keeps experiments and subjects on one side. Raises ValueError when a fold would lose
    its training crops.
    """
    wide = []
    for first in range(len(folds)):
        train, test = folds[first]
        total = len(train) + len(test)
        following = first
        while len(test) < share * total - 1e-9:
            following = (following + 1) % len(folds)
            if following == first:
                raise ValueError(f"all test parts together hold less than {share:.0%} of the crops; use other folds")
            test = np.union1d(test, folds[following][1])
            train = np.setdiff1d(train, test)
        if len(train) == 0:
            raise ValueError(f"fold {first} has no training crops left beside a test part of {share:.0%}")
        wide.append((np.asarray(train), np.asarray(test)))
    return wide


def mean_recall(predicted: Index, labels: Index) -> float:
    """Balanced accuracy in [0, 1]: mean recall over the classes that occur in `labels`."""
    return float(np.mean([np.mean(predicted[labels == k] == k) for k in np.unique(labels)]))


def grid(plan: EfficiencyPlan, pool_size: int) -> list[int]:
    """Numbers of queries at which the curve is measured: every `step` up to the budget or the smallest pool."""
    return list(range(plan.step, min(plan.budget, pool_size) + 1, plan.step))


def _answer(plan: EfficiencyPlan, pool: LabelledPool, crop: int) -> int:
    """What the simulated annotator says to a crop: a class or NOT_SURE."""
    distance = None if pool.distance is None else float(pool.distance[crop])
    return plan.annotator.answer_crop(str(crop), int(pool.labels[crop]), distance, pool.classes)


def asked_answers(run: Run, plan: EfficiencyPlan, pool: LabelledPool) -> Iterator[Answers]:
    """Answers after each number of queries of the grid, asked one by one with a new ranking after every answer."""
    settings = replace(plan.ranking, strategy=run.strategy, seed=run.seed, queue_length=1)
    ranker = PoolRanker(pool.embeddings, pool.experiment, settings)
    everything = np.ones(len(pool.labels), dtype=bool)
    said: dict[int, int] = {}
    points = grid(plan, len(pool.labels))
    for queries in range(1, points[-1] + 1):
        unsure = [crop for crop, label in said.items() if label == NOT_SURE]
        crop = int(ranker.rank(_as_answers(said, pool.classes), everything, np.array(unsure, dtype=int)).order[0])
        said[crop] = _answer(plan, pool, crop)
        if queries in points:
            yield _as_answers(said, pool.classes)


def _as_answers(said: Mapping[int, int], classes: int) -> Answers:
    """The answers that name a class, as the ranker takes them."""
    sure = {crop: label for crop, label in said.items() if label != NOT_SURE}
    targets = np.eye(classes)[np.fromiter(sure.values(), dtype=np.int64, count=len(sure))]
    return Answers(np.fromiter(sure, dtype=np.int64, count=len(sure)), targets, np.ones(len(sure)))


def run_curve(run: Run, plan: EfficiencyPlan, data: LabelledPool, fold: tuple[Index, Index]) -> list[float]:
    """Balanced accuracy on the fold's test part at each point of the grid, for one strategy and seed.

    Every strategy is judged by the same head; only the training part is ranked, standardised and asked about.
    """
    train, test = fold
    pool, norm, curve = data.part(train), standardise(data.embeddings[train]), []
    for answers in asked_answers(run, plan, pool):
        rows = pool.embeddings[answers.crop_index]
        head = fit_head(rows, answers.targets, settings=plan.ranking.head, standardisation=norm)
        predicted = probabilities(head, data.embeddings[test]).argmax(axis=1)
        curve.append(mean_recall(predicted, data.labels[test]))
    return curve


def _run_all(
    runs: list[Run], plan: EfficiencyPlan, data: LabelledPool, folds: list[tuple[Index, Index]]
) -> list[list[float]]:
    """Curves of all runs, in their order, on plan.jobs processes of one thread each."""
    tasks = [(run, plan, data, folds[run.fold]) for run in runs]
    if plan.jobs <= 1:
        with threadpool_limits(1):
            return [run_curve(*task) for task in tasks]
    # Started anew rather than forked: a fork copies locks that BLAS threads of the parent may hold.
    context = get_context("spawn")
    with ProcessPoolExecutor(plan.jobs, context, threadpool_limits, (1,)) as workers:
        return list(workers.map(run_curve, *zip(*tasks)))


def area(points: list[int], curve: NDArray[np.float64]) -> float:
    """Mean height of a curve over the number of labels, linear: trapezoids over the range measured."""
    if len(points) == 1:
        return float(curve[0])
    return float(np.trapezoid(curve, points) / (points[-1] - points[0]))


def labels_to(points: list[int], curve: NDArray[np.float64], target: float) -> int | None:
    """Smallest number of labels at which the curve reaches the target; None when it never does."""
    reached = np.flatnonzero(curve >= target - 1e-12)
    return points[int(reached[0])] if len(reached) else None


def regret(random: Curves, strategy: Curves, seed: int = 0) -> dict[str, float]:
    """Largest mean deficit against random over all budgets, with a 95 % interval; negative when always ahead.

    Both arrays are (runs, points) with the same seed and fold in each row; the bootstrap draws rows, so the pairing
    holds (10.1214/aos/1176344552).
    """
    deficit = random - strategy
    chosen = np.random.default_rng(seed).integers(len(deficit), size=(DRAWS, len(deficit)))
    drawn = deficit[chosen].mean(axis=1).max(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {"value": float(deficit.mean(axis=0).max()), "low": float(low), "high": float(high)}


def compare(points: list[int], curves: Mapping[str, Curves]) -> dict[str, dict[str, Any]]:
    """Figures of every strategy from its curves (runs, points).

    The target is what random reaches at the full budget.
    """
    mean = {name: values.mean(axis=0) for name, values in curves.items()}
    target = float(mean["random"][-1])
    own = labels_to(points, mean["random"], target) or points[-1]
    figures = {}
    for name, values in curves.items():
        needed = labels_to(points, mean[name], target)
        figures[name] = {
            "curve": [[n, float(score)] for n, score in zip(points, mean[name])],
            "area": area(points, mean[name]),
            "labels_to_target": needed,
            "ratio_to_random": None if needed is None else needed / own,
            "regret": regret(curves["random"], values),
        }
    return figures


def label_efficiency(
    data: LabelledPool,
    folds: Sequence[tuple[Index, Index]],
    plan: EfficiencyPlan,
    split: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Label efficiency of each strategy: {"strategies": {name: figures}, "split": {...}}.

    Folds with a test part below 30 % are joined until they reach it. `split` says how the folds were made (level,
    why) and is passed on with their number and smallest test share.
    """
    wide = widen_folds(folds)
    smallest = min(len(train) for train, _ in wide)
    if smallest < plan.step:
        raise ValueError(
            f"a fold has {smallest} training crops, fewer than one step of {plan.step}; label more crops"
        )
    plan = replace(plan, budget=min(plan.budget, smallest))
    runs = [Run(*parts) for parts in product(plan.strategies, plan.seeds, range(len(wide)))]
    found = np.array(_run_all(runs, plan, data, wide))
    curves = {name: found[[run.strategy == name for run in runs]] for name in plan.strategies}
    share = min(len(test) / (len(train) + len(test)) for train, test in wide)
    about = {**(split or {}), "folds": len(wide), "test_share": share, "seeds": len(plan.seeds)}
    return {"strategies": compare(grid(plan, smallest), curves), "split": about}
