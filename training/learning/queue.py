"""Fills the queue slot by slot: cold start, the strategy's picks, coverage queries and random checks."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from training.learning.acquisition.scores import Scores, margin
from training.learning.acquisition.strategies import HERDING_CURRENCY
from training.learning.acquisition.view import PoolView, top_open
from training.learning.gumbel import GumbelDraws

Index = NDArray[np.int64]

COVERAGE_CURRENCY = 1
# Picks beyond this depth are replaced by the next ranking long before anybody meets them.
EXACT_PICKS = 48
GOLDEN = (5**0.5 - 1) / 2
SEED_STEP = 2**0.5 - 1


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Strategy, shares of coverage queries and random checks, seed and length of a queue; temperature of the draws
    of the strategy's picks, 0 for always the best."""

    strategy: str
    coverage_share: float
    random_share: float
    seed: int
    length: int
    gumbel_temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class Start:
    """asked: number of queries asked so far, from which slots count on; cold: crops of the cold start."""

    asked: int
    cold: list[int]


@dataclass(frozen=True, slots=True)
class Queue:
    """Crops in the order to ask, why each is asked, and the probability with which it was drawn: of the random checks
    and of the strategy's draws, each given those before it; NaN for what was not drawn."""

    order: Index
    why: tuple[str, ...]
    probability: NDArray[np.float64]


def slot_kind(settings: QueueSettings, slot: int) -> str:
    """Kind of the query number `slot` of a study: "random", "coverage" or "strategy".

    Slots follow an additive recurrence with the golden ratio, so every stretch of queries has its shares, also
    when the queue is made anew after each answer and only its head is ever asked.
    """
    if settings.strategy == "random":
        return "random"
    phase = (settings.seed * SEED_STEP + slot * GOLDEN) % 1
    if phase < settings.random_share:
        return "random"
    return "coverage" if phase < settings.random_share + settings.coverage_share else "strategy"


class StreamOrder:
    """All crops in an order drawn once, apart for each experiment: where random checks come from.

    An order fixed beforehand makes the next open crop a uniform draw from the open crops of its experiment, and the
    same draw in every later ranking until it is asked.
    """

    def __init__(self, experiment: Index, seed: int, stratified: bool) -> None:
        rng = np.random.default_rng([seed, 4])
        order = rng.permutation(len(experiment))
        stratum = experiment[order] if stratified else np.zeros(len(order), dtype=np.int64)
        self.strata: list[Index] = [order[stratum == name] for name in rng.permutation(np.unique(stratum))]

    def stream(self, open_mask: NDArray[np.bool_]) -> "RandomStream":
        """The checks among these open crops."""
        return RandomStream([crops[open_mask[crops]] for crops in self.strata])


class RandomStream:
    """Open crops of each experiment in the order in which they are checked, one experiment after the other."""

    def __init__(self, strata: list[Index]) -> None:
        self._strata = strata
        self._next = [0] * len(strata)

    def draw(self, turn: int, taken: set[int]) -> tuple[int, float] | None:
        """Next crop and the probability of drawing it, 1 / (experiments * open crops); None when all are gone."""
        live = []
        for number, crops in enumerate(self._strata):
            while self._next[number] < len(crops) and int(crops[self._next[number]]) in taken:
                self._next[number] += 1
            if self._next[number] < len(crops):
                live.append(number)
        if not live:
            return None
        number = live[turn % len(live)]
        crops, place = self._strata[number], self._next[number]
        self._next[number] += 1
        return int(crops[place]), 1 / (len(live) * (len(crops) - place))


class Picks:
    """The strategy's picks and the coverage picks, best first, each crop once."""

    def __init__(self, settings: QueueSettings, view: PoolView, scores: Scores, asked: int) -> None:
        self._view = view
        self._currency = HERDING_CURRENCY.get(settings.strategy)
        self._position = {int(crop): place for place, crop in enumerate(view.candidates)}
        self._ranked = iter(top_open(scores, view.open_mask, 2 * settings.length))
        self._draws = None
        if settings.gumbel_temperature > 0:
            seed = (settings.seed, 5, asked)
            temperature = settings.gumbel_temperature
            self._draws = GumbelDraws(scores, view.open_mask, temperature, seed, 2 * settings.length)
        self.taken: set[int] = set()

    def mark(self, crop: int) -> None:
        """Count a crop as queued, whoever picked it; its neighbourhood is covered."""
        self.taken.add(crop)
        if crop in self._position:
            self._view.herd.cover(self._position[crop], len(self.taken) <= EXACT_PICKS)
        if self._draws is not None:
            self._draws.take(crop)

    def coverage(self, currency: int = COVERAGE_CURRENCY) -> int | None:
        """Candidate that covers most; None when no candidate is left."""
        position = self._view.herd.take(currency, len(self.taken) < EXACT_PICKS)
        return None if position is None else int(self._view.candidates[position])

    def strategy(self) -> tuple[int | None, float]:
        """The strategy's next crop that is not queued yet, None when the pool is used up; the probability of its
        draw, NaN where it was not drawn."""
        drawn = None if self._draws is None else self._draws.next()
        if drawn is not None:
            return drawn
        crop = None if self._currency is None else self.coverage(self._currency)
        if crop is None:
            crop = next((int(c) for c in self._ranked if int(c) not in self.taken), None)
        return crop, np.nan


def reasons(view: PoolView, crops: Index) -> NDArray[np.str_]:
    """Why the strategy asks these crops: their variance or their margin, whichever ranks higher in the pool.

    The margin is that of the plain logits: the variance has softened the probabilities already.
    """
    sample = np.arange(0, len(view.variance), max(len(view.variance) // 2048, 1))
    values = ((margin(softmax(view.logits(part), axis=1)), view.variance[part]) for part in (sample, crops))
    (pool_margin, pool_variance), (own_margin, own_variance) = values
    unsure = np.searchsorted(np.sort(pool_margin), own_margin)
    sparse = np.searchsorted(np.sort(pool_variance), own_variance)
    return np.where(sparse > unsure, "little labelled near here", "uncertain")


def _entries(
    settings: QueueSettings, picks: Picks, stream: RandomStream, cold: Iterator[int], first: int
) -> Iterator[tuple[int, str, float]]:
    """Crop, why and draw probability of every slot from number `first` on, until the pool is used up."""
    for slot in count(first):
        kind = slot_kind(settings, slot)
        entry: tuple[int | None, str, float] = (None, "", np.nan)
        if kind == "random":
            drawn = stream.draw(slot, picks.taken)
            entry = entry if drawn is None else (drawn[0], "random check", drawn[1])
        elif (crop := next((c for c in cold if c not in picks.taken), None)) is not None:
            entry = (crop, "cold start", np.nan)
        elif kind == "coverage":
            entry = (picks.coverage(), "coverage", np.nan)
        if entry[0] is None:
            crop, probability = picks.strategy()
            entry = (crop, "", probability)
        if entry[0] is None:
            return
        picks.mark(entry[0])
        yield entry[0], entry[1], entry[2]


def fill_queue(settings: QueueSettings, view: PoolView, scores: Scores, stream: RandomStream, start: Start) -> Queue:
    """The queue of open crops."""
    picks = Picks(settings, view, scores, start.asked)
    waiting = iter([crop for crop in start.cold if view.open_mask[crop]])
    entries = list(islice(_entries(settings, picks, stream, waiting, start.asked), settings.length))
    order = np.array([crop for crop, _, _ in entries], dtype=np.int64)
    why = tuple(text or str(reason) for (_, text, _), reason in zip(entries, reasons(view, order)))
    return Queue(order, why, np.array([p for _, _, p in entries], dtype=np.float64))
