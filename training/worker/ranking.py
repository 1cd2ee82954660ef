"""The fast loop: keeps the pools of studies warm, and ranks a study again after every answer. NumPy only, no PyTorch.

Everything is rebuilt from rows: a worker that is killed anywhere starts again and loses nothing.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from django.db import DatabaseError, IntegrityError
from threadpoolctl import ThreadpoolController

from labeling.models import Study
from labeling.services.queue import RankingInfo
from labeling.services.studies import set_ranking_problem
from training.learning.acquisition.herding import KernelRows
from training.learning.ranking import PoolRanker, RankingSettings
from training.services.embedding import encoder_in_use
from training.services.labels import AnswerBook
from training.services.work import Refused, failure_text
from training.worker.changes import Lookout, State
from training.worker.entries import entries, held_crops
from training.worker.learned_from import Rules, learned_from, ranking_of
from training.worker.pool import RankingPool, load_ranking_pool
from training.worker.saving import CLASSES, Result, save
from training.worker.suggesting import suggest

logger = logging.getLogger(__name__)

ENCODER = "handcrafted"
# What was refused is tried again after this long: a file may have come back.
RETRY_S = 60.0
TELL_EVERY_S = 10.0
# What warm studies may take together, by estimate; those that were not ranked for longest make room.
WARM_BYTES = 600 * 2**20
BYTES_PER_STUDY = 12 * 2**20
BYTES_PER_CROP = 100


@dataclass(slots=True)
class Warm:
    """A study whose pool is in memory, and the state that it was loaded for."""

    pool: RankingPool
    ranker: PoolRanker
    book: AnswerBook
    state: State
    encoder: str
    note: str = ""

    @property
    def bytes(self) -> int:
        """An estimate of the memory that is its own; embeddings stay in their files."""
        return BYTES_PER_STUDY + BYTES_PER_CROP * len(self.pool.crop_ids)


class RankingWorker:
    """Ranks every study whose answers, pool, classes or settings are newer than its ranking.

    `refusals` tells for each study that cannot be ranked why.
    """

    def __init__(self, warm_bytes: int = WARM_BYTES) -> None:
        self._warm_bytes = warm_bytes
        self._warm: OrderedDict[int, Warm] = OrderedDict()
        self._seen: dict[int, State] = {}
        self._retry_at: dict[int, float] = {}
        self._collided: set[int] = set()
        self._lookout = Lookout()
        self._threads = ThreadpoolController()
        self._kernels = KernelRows()
        self.refusals: dict[int, str] = {}

    def has_news(self) -> bool:
        """Whether an answer came since the last step; one short query, to be asked often."""
        return self._lookout.has_news()

    def step(self) -> int:
        """Rank what is due, once; returns how many studies were ranked. Those that are warm wait for no other."""
        return sum(self._rank(study, state) for study, state in self._due())

    def _due(self) -> list[tuple[Study, State]]:
        due = {number: state for number, state in self._lookout.look().items() if self._is_due(number, state)}
        studies = Study.objects.in_bulk(due) if due else {}
        # One that was deleted since is not among them.
        return [
            (studies[number], due[number]) for number in sorted(studies, key=lambda pk: (pk not in self._warm, pk))
        ]

    def rank(self, study: Study) -> bool:
        """Rank one study now and put its new queue in place; False where it cannot be ranked yet."""
        state = self._lookout.look().get(study.pk)
        return state is not None and self._rank(Study.objects.get(pk=study.pk), state)

    def _is_due(self, study: int, state: State) -> bool:
        if study in self.refusals and time.monotonic() >= self._retry_at[study]:
            return True
        return self._seen.get(study) != state

    def _rank(self, study: Study, state: State) -> bool:
        started = time.perf_counter()
        try:
            warm = self._load(study, state)
            result = self._result(study, warm, started)
            if save(study, result):
                suggest(study, warm.pool, result)
        except IntegrityError as error:
            self._collide(study, state)
            logger.info("study %s changed while it was ranked: %s", study.pk, error)
            return False
        except DatabaseError:
            raise
        except Exception as error:
            self._refuse(study, state, error)
            return False
        self._seen[study.pk] = replace(state, newest=result.info.last_annotation)
        self._settle(study)
        logger.info(
            "study %s ranked: %d answers, %d crops, %s by %s, %.0f ms",
            *(study.pk, result.info.answers, result.info.pool_size, result.info.strategy, result.info.encoder_name),
            1000 * (time.perf_counter() - started),
        )
        return True

    def _result(self, study: Study, warm: Warm, started: float) -> Result:
        standing, held = warm.book.read(), held_crops(study)
        rules = Rules(stream=study.stream_in_training, not_sure=study.not_sure_as_soft_labels)
        # The matrices are small: a second BLAS thread mostly waits for a core that the web server needs.
        with self._threads.limit(limits=1, user_api="blas"):
            ranking = ranking_of(warm.ranker, learned_from(warm.pool, standing, held.crop_ids, rules), rules)
        queue = entries(warm.pool, ranking, standing, held)
        parameters = {"ridge": ranking.ridge, "temperature": ranking.temperature, "held_out": ranking.held_out}
        # Whoever reads the columns of its probabilities must not rely on today's order of the classes.
        parameters[CLASSES] = list(warm.book.classes)
        info = RankingInfo(
            digest=ranking.digest,
            strategy=study.strategy,
            encoder=warm.pool.encoder,
            encoder_name=warm.encoder,
            note=warm.note,
            expected_not_sure=ranking.expected_not_sure,
            seconds=time.perf_counter() - started,
            answers=len(standing.crop_ids),
            pool_size=len(warm.pool.crop_ids),
            last_annotation=standing.newest,
        )
        return Result(ranking, warm.pool.crop_ids, queue, info, parameters)

    def _collide(self, study: Study, state: State) -> None:
        """Rank again at the next step what was changed while it was ranked; where that fails too, in a minute."""
        at_once = study.pk not in self._collided
        self._collided.add(study.pk)
        when = "now" if at_once else "within a minute"
        self._refuse(study, state, Refused(f"'{study}' was changed while it was ranked; it is ranked again {when}."))
        if at_once:
            self._retry_at[study.pk] = time.monotonic()

    def _settle(self, study: Study) -> None:
        self._collided.discard(study.pk)
        if self.refusals.pop(study.pk, None) or study.ranking_problem:
            set_ranking_problem(study, "")

    def _refuse(self, study: Study, state: State, error: Exception) -> None:
        """The last good ranking stays, and so do the other studies; the reason is said once, not at every poll."""
        self._warm.pop(study.pk, None)
        self._seen[study.pk] = state
        self._retry_at[study.pk] = time.monotonic() + RETRY_S
        problem = f"'{study}' was not ranked: {failure_text(error)}. It is tried again every minute."
        problem = str(error) if isinstance(error, ValueError) else problem
        if not isinstance(error, ValueError) and self.refusals.get(study.pk) != problem:
            logger.error("study %s cannot be ranked", study.pk, exc_info=error)
        self.refusals[study.pk] = problem
        set_ranking_problem(study, problem)

    def _load(self, study: Study, state: State) -> Warm:
        """The study in memory as it is now; what did not change is kept."""
        warm = self._warm.pop(study.pk, None)
        encoder, note = encoder_in_use(study)
        if warm is None or (warm.state.pool, warm.encoder) != (state.pool, encoder):
            pool = load_ranking_pool(study, encoder, self._meanwhile(study))
            warm = Warm(pool, self._ranker(study, pool), AnswerBook(study), state, encoder)
        if warm.state.settings != state.settings:
            warm.ranker = self._ranker(study, warm.pool)
        if warm.state.reading != state.reading:
            warm.book = AnswerBook(study)
        warm.state, warm.note = state, note
        self._warm[study.pk] = warm
        self._make_room()
        return warm

    def _ranker(self, study: Study, pool: RankingPool) -> PoolRanker:
        settings = RankingSettings(
            strategy=study.strategy,
            coverage_share=study.coverage_share,
            random_share=study.random_share,
            seed=study.seed,
            gumbel_temperature=study.sampling_temperature,
            # One experiment alone gains nothing from it (docs/decisions/0005).
            tuned=len(np.unique(pool.experiment_index)) >= 2,
        )
        return PoolRanker(pool.features, pool.experiment_index, settings, pool.digest, kernels=self._kernels)

    def _meanwhile(self, loading: Study) -> Callable[[float, str], None]:
        """Ranks the warm studies now and then while the embeddings of another one are computed."""

        told_at = time.monotonic()

        def tell(share: float, stage: str) -> None:
            nonlocal told_at
            if time.monotonic() >= told_at + TELL_EVERY_S:
                told_at = time.monotonic()
                logger.info("study %s: %s, %.0f %%", loading.pk, stage, 100 * share)
            for study, state in self._due():
                if study.pk in self._warm:
                    self._rank(study, state)

        return tell

    def _make_room(self) -> None:
        while len(self._warm) > 1 and sum(warm.bytes for warm in self._warm.values()) > self._warm_bytes:
            self._warm.popitem(last=False)
