"""Ranks the open crops of a study after every answer: a function of the set of answers, not of their order."""

from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.digest import array_digest, mapping_digest
from training.learning import acquisition_state as state
from training.learning.acquisition.herding import KernelRows
from training.learning.acquisition.scores import checked, utility
from training.learning.acquisition.strategies import STRATEGIES
from training.learning.acquisition.view import PoolView, top_open
from training.learning.coldstart import cold_start_size
from training.learning.head import Array, HeadSettings, balanced_weights
from training.learning.not_sure import NotSureReads, fit_not_sure
from training.learning.pool import Pool, Predictions, Readout
from training.learning.queue import Queue, QueueSettings, Start, StreamOrder, fill_queue
from training.learning.refit import Refit
from training.learning.rows import Index, Rows
from training.learning.tuning import Tuned, sample_of, tune

WORTH_BLOCK = 1 << 16
EXPECTED_OVER = 100


@dataclass(frozen=True, slots=True)
class RankingSettings:
    """How a study is ranked. Shares are parts of all queries; the rest follows the strategy.

    gumbel_temperature: above 0, the strategy's picks are drawn in proportion to score ** (1 / temperature), and each
    query has a selection probability. tuned: ridge and temperature of the head by held-out experiments.
    """

    strategy: str = "uherding"
    coverage_share: float = 0.2
    random_share: float = 0.1
    seed: int = 0
    queue_length: int = 1000
    reference_size: int = 10_000
    candidates: int = 1000
    # Leaves probabilities within 1e-5 of the optimum, wherever a fit starts.
    head: HeadSettings = field(default_factory=lambda: HeadSettings(tolerance=1e-5))
    gumbel_temperature: float = 0.0
    tuned: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.gumbel_temperature < np.inf:
            raise ValueError("gumbel_temperature must be at least 0; 0 asks the best crops without drawing")
        if self.strategy not in STRATEGIES:
            raise ValueError(f"unknown strategy {self.strategy!r}; choose one of {', '.join(STRATEGIES)}")
        if min(self.coverage_share, self.random_share) < 0 or self.coverage_share + self.random_share > 1:
            raise ValueError("coverage_share and random_share must be at least 0 and at most 1 together")


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers that name a class: crop_index (n,), each crop once; targets (n, K), shares of votes; weight (n,)."""

    crop_index: Index
    targets: Array
    weight: Array

    @property
    def classes(self) -> int:
        """Number of classes K of the study."""
        return int(self.targets.shape[1])

    def ordered(self) -> "Answers":
        """The same answers by rising crop index: what makes a ranking a function of their set."""
        order = np.argsort(self.crop_index, kind="stable")
        return Answers(self.crop_index[order], self.targets[order], self.weight[order])


@dataclass(frozen=True, slots=True)
class Ranking:
    """order: open crops, first to be asked first; queue_score: falling from 1, so higher means earlier; why and
    probability per entry of `order` (probability of the draw for random checks, NaN otherwise); scores (N,) of the
    whole pool by the strategy; probabilities (N, K), or None before two classes were answered.

    not_sure (N,): probability that a person answers "not sure", or None while too little is known; expected_not_sure:
    its mean over the first 100 of `order`. ridge and temperature are those of the head, chosen on held_out
    ("experiments", "folds", or "nothing" for the defaults).
    """

    order: Index
    queue_score: NDArray[np.float32]
    why: tuple[str, ...]
    probability: Array
    scores: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None
    digest: str
    not_sure: NDArray[np.float32] | None = None
    expected_not_sure: float | None = None
    ridge: float = 0.05
    temperature: float = 1.0
    held_out: str = "nothing"


@dataclass(frozen=True, slots=True)
class _State:
    """What one ranking is made from: answers in order, crops asked (sorted), open crops, reads for the rate of "not
    sure", and the head's weights (d + 1, K), hyper-parameters and predictions."""

    answers: Answers
    asked: Index
    open_mask: NDArray[np.bool_]
    weights: Array
    tuned: Tuned
    predictions: Predictions
    mass: Array


class PoolRanker:
    """Ranks one pool again and again; keeps what only depends on the pool and updates the rest exactly.

    embeddings (N, d), an array, a memory map or anything that is indexed like one; experiment_index (N,), the number
    of each crop's experiment; threads: how many share a pass over the pool (default: 2 for a large one);
    kernels: room that rankers may share which rank in turn.
    """

    def __init__(
        self,
        embeddings: Rows,
        experiment_index: NDArray[np.integer],
        settings: RankingSettings | None = None,
        embeddings_digest: str = "",
        threads: int | None = None,
        kernels: KernelRows | None = None,
    ) -> None:
        self.settings = settings or RankingSettings()
        if len(experiment_index) != len(embeddings):
            raise ValueError(f"{len(experiment_index)} experiment numbers for {len(embeddings)} crops; give one each")
        seed = self.settings.seed
        self._experiment = np.asarray(experiment_index, dtype=np.int64)
        self._pool = Pool(embeddings, self.settings.head, seed, threads)
        self._refit = Refit(self._pool.regressors, self.settings.head)
        self._tuned: tuple[str, Tuned] = ("", Tuned(self.settings.head.ridge))
        self._coverage = state.Coverage(self._pool, self.settings.reference_size, seed, kernels)
        self._cold = state.ColdStart(self._pool, self._experiment, seed)
        self._stream = StreamOrder(self._experiment, seed, self.settings.strategy != "random")
        self._identity = {
            "embeddings": embeddings_digest or state.sampled_digest(embeddings),
            "experiments": array_digest(self._experiment),
            "settings": asdict(self.settings),
        }

    @property
    def variance(self) -> Array:
        """Laplace variance (N,) of a logit of every crop after the last ranking: where little is labelled."""
        return self._pool.variance

    def rank(
        self,
        answers: Answers,
        open_mask: NDArray[np.bool_],
        covered: NDArray[np.integer] | None = None,
        not_sure: NotSureReads | None = None,
    ) -> Ranking:
        """The ranking after these answers.

        open_mask (N,): crops that may be asked. covered: crops leased, answered "not sure" or marked bad; they give
        no class but their neighbourhood counts as covered, and they are not asked. not_sure: all reads, for the rate
        of "not sure"; no score depends on it. Raises ValueError when an answer names a crop outside the pool or
        twice, or when a score is not finite.
        """
        reads = None if not_sure is None else not_sure.ordered()
        found = self._state(answers.ordered(), open_mask, covered, reads)
        view = self._view(found)
        scores = checked(STRATEGIES[self.settings.strategy](view))
        return self._ranking(found, self._queue(view, scores, found), scores, reads)

    def diverse_batch(
        self,
        answers: Answers,
        open_mask: NDArray[np.bool_],
        covered: NDArray[np.integer] | None = None,
        count: int = 100,
    ) -> Index:
        """The `count` open crops (fewer if the pool has fewer) whose neighbourhoods together are worth most.

        Greedy uncertainty herding with every pick exact, without random checks; the arguments are those of `rank`.
        For people who take their crops away in batches.
        """
        found = self._state(answers.ordered(), open_mask, covered, None)
        view = self._view(found)
        taken: list[int] = []
        while len(taken) < count and (place := view.herd.take(0)) is not None:
            taken.append(int(view.candidates[place]))
        rest = top_open(view.utility, found.open_mask, count + len(taken))
        return np.append(np.array(taken, dtype=np.int64), rest[~np.isin(rest, taken)])[:count]

    def _state(
        self,
        answers: Answers,
        open_mask: NDArray[np.bool_],
        covered: NDArray[np.integer] | None,
        reads: NotSureReads | None,
    ) -> _State:
        """The head refitted to the answers, and the whole pool predicted."""
        asked = self._asked(answers, covered)
        open_mask = np.array(open_mask, dtype=bool)
        if open_mask.shape != self._experiment.shape:
            raise ValueError(f"open_mask has shape {open_mask.shape}; expected one entry for each crop of the pool")
        open_mask[asked] = False
        weight = balanced_weights(answers.targets, answers.weight) if self.settings.head.balanced else answers.weight
        tuned = self._tune(answers)
        weights = self._refit.fit(answers.crop_index, answers.targets, weight, tuned.ridge)
        unsure = None if reads is None else fit_not_sure(self._pool.regressors(reads.crop_index), reads)
        readout = Readout(weights, tuned.temperature, unsure)
        predictions = self._pool.rescore(answers.crop_index[answers.weight > 0], readout)
        return _State(answers, asked, open_mask, weights, tuned, predictions, answers.weight @ answers.targets)

    def _tune(self, answers: Answers) -> Tuned:
        """Ridge and temperature from a sample of the answers; computed anew when the sample changes."""
        if not self.settings.tuned:
            return Tuned(self.settings.head.ridge)
        picked = sample_of(answers.crop_index, self.settings.seed)
        crops, targets, share = answers.crop_index[picked], answers.targets[picked], answers.weight[picked]
        if self.settings.head.balanced:
            share = balanced_weights(targets, share)
        key = mapping_digest({"answers": [array_digest(part) for part in (crops, targets, share)]})
        if key != self._tuned[0]:
            phi = self._pool.regressors(crops)
            self._tuned = key, tune(phi, targets, share, self._experiment[crops], self.settings.head)
        return self._tuned[1]

    def _asked(self, answers: Answers, covered: NDArray[np.integer] | None) -> Index:
        """Sorted crops that were asked or are being asked; checks the indices."""
        extra = np.asarray([] if covered is None else covered, dtype=np.int64)
        asked = np.union1d(answers.crop_index, extra).astype(np.int64)
        if len(np.unique(answers.crop_index)) != len(answers.crop_index):
            raise ValueError("a crop is answered twice; merge its reads into one row of vote shares")
        if len(asked) and (asked[0] < 0 or asked[-1] >= len(self._pool)):
            raise ValueError(f"crop {asked[-1]} is outside the pool of {len(self._pool)} crops")
        return asked

    def _worth(self, found: _State) -> NDArray[np.float32]:
        """What an answer to each crop is worth (N,), block by block."""
        p, spread = found.predictions.probabilities, found.predictions.variance
        worth = np.empty(len(spread), dtype=np.float32)
        for start in range(0, len(worth), WORTH_BLOCK):
            rows = slice(start, start + WORTH_BLOCK)
            worth[rows] = utility(p[rows], spread[rows], found.mass)
        return worth

    def _view(self, found: _State) -> PoolView:
        """What the strategy sees: predictions, candidates and their herd, clusters on demand."""
        worth, answered = self._worth(found), found.answers.crop_index[found.answers.weight > 0]
        candidates = self._coverage.candidates(worth, found.open_mask, self.settings.candidates)
        return PoolView(
            found.predictions.probabilities,
            lambda crops: self._pool.logits(found.weights, crops),
            found.predictions.variance,
            worth,
            found.open_mask,
            candidates,
            self._coverage.herd(candidates, worth, answered, found.asked),
            lambda: self._coverage.clusters(found.asked),
            self.settings.seed,
        )

    def _queue(self, view: PoolView, scores: NDArray[np.float32], found: _State) -> Queue:
        """The queue: cold start first, then the strategy's picks with coverage and random checks between them."""
        settings, asked = self.settings, len(found.asked)
        plan = QueueSettings(
            settings.strategy,
            settings.coverage_share,
            settings.random_share,
            settings.seed,
            settings.queue_length,
            settings.gumbel_temperature,
        )
        cold = self._cold_crops(asked, found.answers.classes)
        return fill_queue(plan, view, scores, self._stream.stream(found.open_mask), Start(asked, cold))

    def _cold_crops(self, asked: int, classes: int) -> list[int]:
        """Crops of the cold start; none for random, nor once as many crops were asked as it takes with its checks."""
        over = asked * (1 - self.settings.random_share) >= cold_start_size(classes)
        return [] if over or self.settings.strategy == "random" else self._cold.crops(classes)

    def _digest(self, found: _State, reads: NotSureReads | None) -> str:
        """Hex digest of everything the ranking is computed from."""
        parts = {
            "crops": found.answers.crop_index,
            "targets": found.answers.targets,
            "weight": found.answers.weight,
            "open": found.open_mask,
            "asked": found.asked,
        }
        if reads is not None:
            parts |= {"read": reads.crop_index, "read share": reads.share, "read weight": reads.weight}
        return mapping_digest({**self._identity, **{name: array_digest(part) for name, part in parts.items()}})

    def _ranking(
        self, found: _State, queue: Queue, scores: NDArray[np.float32], reads: NotSureReads | None
    ) -> Ranking:
        """The parts as one Ranking."""
        length = len(queue.order)
        unsure = found.predictions.not_sure
        first = queue.order[:EXPECTED_OVER]
        return Ranking(
            order=queue.order,
            queue_score=(1 - np.arange(length) / max(length, 1)).astype(np.float32),
            why=queue.why,
            probability=queue.probability,
            scores=scores,
            probabilities=found.predictions.probabilities if np.count_nonzero(found.mass) > 1 else None,
            digest=self._digest(found, reads),
            not_sure=unsure,
            expected_not_sure=None if unsure is None or length == 0 else float(unsure[first].mean()),
            ridge=found.tuned.ridge,
            temperature=found.tuned.temperature,
            held_out=found.tuned.held_out,
        )
