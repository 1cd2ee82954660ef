"""Ranks the open crops of a study after every answer: a function of the set of answers, not of their order."""

from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from imaging.pixels.digest import array_digest, mapping_digest
from training.learning import acquisition_state as state
from training.learning.acquisition.scores import utility
from training.learning.acquisition.strategies import STRATEGIES, PoolView
from training.learning.coldstart import cold_start_size
from training.learning.head import Array, HeadSettings, balanced_weights, fit_weights
from training.learning.pool import Pool, Predictions
from training.learning.queue import Queue, QueueSettings, fill_queue

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RankingSettings:
    """How a study is ranked. Shares are parts of all queries; the rest follows the strategy."""

    strategy: str = "uherding"
    coverage_share: float = 0.2
    random_share: float = 0.1
    seed: int = 0
    queue_length: int = 1000
    reference_size: int = 10_000
    candidates: int = 1000
    # Probabilities good to 1e-4 rank the same crops, in half the time of a fit that is good to 1e-6.
    head: HeadSettings = field(default_factory=lambda: HeadSettings(tolerance=1e-4))

    def __post_init__(self) -> None:
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
    whole pool by the strategy; probabilities (N, K), or None before two classes were answered."""

    order: Index
    queue_score: NDArray[np.float32]
    why: tuple[str, ...]
    probability: Array
    scores: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None
    digest: str


class PoolRanker:
    """Ranks one pool again and again; keeps what only depends on the pool and updates the rest exactly.

    embeddings (N, d), an array or a memory map; experiment_index (N,), the number of each crop's experiment.
    """

    def __init__(
        self,
        embeddings: NDArray[np.floating],
        experiment_index: NDArray[np.integer],
        settings: RankingSettings | None = None,
        embeddings_digest: str = "",
    ) -> None:
        self.settings = settings or RankingSettings()
        if len(experiment_index) != len(embeddings):
            raise ValueError(f"{len(experiment_index)} experiment numbers for {len(embeddings)} crops; give one each")
        self._experiment = np.asarray(experiment_index, dtype=np.int64)
        self._pool = Pool(embeddings, self.settings.head, self.settings.seed)
        self._coverage = state.Coverage(self._pool, self.settings.reference_size, self.settings.seed)
        self._cold = state.ColdStart(self._pool, self._experiment, self.settings.seed)
        self._identity = {
            "embeddings": embeddings_digest or state.sampled_digest(embeddings),
            "experiments": array_digest(self._experiment),
            "settings": asdict(self.settings),
        }

    def rank(
        self, answers: Answers, open_mask: NDArray[np.bool_], covered: NDArray[np.integer] | None = None
    ) -> Ranking:
        """The ranking after these answers.

        open_mask (N,): crops that may be asked. covered: crops leased, answered "not sure" or marked bad; they give
        no class but their neighbourhood counts as covered, and they are not asked. Raises ValueError when an answer
        names a crop outside the pool or twice, or when a score is not finite.
        """
        answers = answers.ordered()
        asked = self._asked(answers, covered)
        open_mask = np.array(open_mask, dtype=bool)
        open_mask[asked] = False
        answered = answers.crop_index[answers.weight > 0]
        variance = self._pool.variance(answered)
        predictions = self._pool.predict(self._fit(answers), variance)
        mass = answers.weight @ answers.targets
        worth = utility(predictions.probabilities, variance, mass)
        view = self._view(predictions, variance, worth, (open_mask, asked, answered))
        scores = STRATEGIES[self.settings.strategy](view)
        queue = self._queue(view, scores, asked, answers.classes)
        return self._ranking(queue, scores, predictions, mass, self._digest(answers, open_mask, asked))

    def _asked(self, answers: Answers, covered: NDArray[np.integer] | None) -> Index:
        """Sorted crops that were asked or are being asked; checks the indices."""
        extra = np.asarray([] if covered is None else covered, dtype=np.int64)
        asked = np.union1d(answers.crop_index, extra).astype(np.int64)
        if len(np.unique(answers.crop_index)) != len(answers.crop_index):
            raise ValueError("a crop is answered twice; merge its reads into one row of vote shares")
        if len(asked) and (asked[0] < 0 or asked[-1] >= len(self._pool)):
            raise ValueError(f"crop {asked[-1]} is outside the pool of {len(self._pool)} crops")
        return asked

    def _fit(self, answers: Answers) -> Array:
        """Head weights (d + 1, K), fitted from nothing so that no earlier fit leaves a trace."""
        phi = self._pool.regressors(answers.crop_index)
        settings = self.settings.head
        weight = balanced_weights(answers.targets, answers.weight) if settings.balanced else answers.weight
        return fit_weights(phi, answers.targets, weight, settings, None)

    def _view(
        self,
        predictions: Predictions,
        variance: NDArray[np.float32],
        worth: NDArray[np.float32],
        crops: tuple[NDArray[np.bool_], Index, Index],
    ) -> PoolView:
        """What the strategy sees: predictions, candidates and their herd, clusters on demand."""
        open_mask, asked, answered = crops
        candidates = self._coverage.candidates(worth, open_mask, self.settings.candidates)
        herd = self._coverage.herd(candidates, worth, answered, asked)
        return PoolView(
            predictions.probabilities,
            predictions.logits,
            variance,
            worth,
            open_mask,
            candidates,
            herd,
            lambda: self._coverage.clusters(asked),
            self.settings.seed,
        )

    def _queue(self, view: PoolView, scores: NDArray[np.float32], asked: Index, classes: int) -> Queue:
        """The queue: cold start first, then the strategy's picks with coverage and random checks between them."""
        settings = self.settings
        plan = QueueSettings(
            settings.strategy, settings.coverage_share, settings.random_share, settings.seed, settings.queue_length
        )
        return fill_queue(plan, view, scores, self._experiment, (len(asked), self._cold_crops(len(asked), classes)))

    def _cold_crops(self, asked: int, classes: int) -> list[int]:
        """Crops of the cold start; none for random, nor once as many crops were asked as it takes with its checks."""
        over = asked * (1 - self.settings.random_share) >= cold_start_size(classes)
        return [] if over or self.settings.strategy == "random" else self._cold.crops(classes)

    def _digest(self, answers: Answers, open_mask: NDArray[np.bool_], asked: Index) -> str:
        """Hex digest of everything the ranking is computed from."""
        parts = {
            "crops": answers.crop_index,
            "targets": answers.targets,
            "weight": answers.weight,
            "open": open_mask,
            "asked": asked,
        }
        return mapping_digest({**self._identity, **{name: array_digest(part) for name, part in parts.items()}})

    @staticmethod
    def _ranking(
        queue: Queue, scores: NDArray[np.float32], predictions: Predictions, mass: Array, digest: str
    ) -> Ranking:
        """The parts as one Ranking."""
        length = len(queue.order)
        falling = (1 - np.arange(length) / max(length, 1)).astype(np.float32)
        known = predictions.probabilities if np.count_nonzero(mass) > 1 else None
        return Ranking(queue.order, falling, queue.why, queue.probability, scores, known, digest)
