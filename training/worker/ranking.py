"""The fast loop: keeps a study's pool warm, and ranks it again after every answer. NumPy only, no PyTorch.

Everything is rebuilt from rows: a worker that is killed anywhere starts again and loses nothing.
"""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
from django.db import DatabaseError
from django.utils import timezone
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from imaging.services.storage import keep, local_folder
from labeling.models import Lease, QueueEntry, Study
from labeling.services.ambiguous import waiting_again
from labeling.services.queue import NewEntry, RankingInfo, leased_crops, replace_queue
from labeling.services.reads import ADJUDICATION, SECOND_READ, STREAM, Situation, reads_needed
from training.learning.ranking import Answers, PoolRanker, Ranking, RankingSettings
from training.models import EmbeddingSet
from training.models import Ranking as RankingRow
from training.services.labels import Standing, class_keys, newest_annotation, standing_answers
from training.services.work import failure_text
from training.worker.embedding import AT_ONCE
from training.worker.pool import Pool, load_pool

logger = logging.getLogger(__name__)

SCORES = "rankings"
ENCODER = "handcrafted"
# Every third place of the queue goes to second reads while some wait, so that agreement grows with the labels.
SECOND_READ_EVERY = 3
KEPT_RANKINGS = 5


@dataclass(slots=True)
class Warm:
    """A study whose pool is in memory: what it was loaded from, and up to which answer it is ranked."""

    pool: Pool
    ranker: PoolRanker
    identity: tuple[object, ...]
    ranked_up_to: int = -1


class RankingWorker:
    """Ranks every study that has answers newer than its ranking."""

    def __init__(self) -> None:
        self._warm: dict[int, Warm] = {}
        self._threads = ThreadpoolController()
        self._refused: dict[int, tuple[object, ...]] = {}
        self.refusals: dict[int, str] = {}

    def step(self, studies: Iterable[Study] | None = None) -> int:
        """Rank what is due, once; returns how many studies were ranked."""
        rows = list(Study.objects.all() if studies is None else studies)
        return sum(self._due(study) and self.rank(study) for study in rows)

    def rank(self, study: Study) -> bool:
        """Rank one study now and put its new queue in place; False where it cannot be ranked yet."""
        started = time.perf_counter()
        try:
            standing = standing_answers(study)
            warm = self._load(study)
            # The matrices are small: a second BLAS thread mostly waits for a core that the web server needs.
            with self._threads.limit(limits=1, user_api="blas"):
                ranking = warm.ranker.rank(*_inputs(study, warm.pool, standing))
        except DatabaseError:
            raise
        except Exception as error:
            self._refuse(study, error)
            return False
        self.refusals.pop(study.pk, None)
        _save(study, warm.pool, ranking, standing, time.perf_counter() - started)
        warm.ranked_up_to = standing.newest
        return True

    def _refuse(self, study: Study, error: Exception) -> None:
        """The last good ranking stays, and so do the other studies; the reason is said once, not at every poll."""
        self._refused[study.pk] = (_identity(study), newest_annotation(study))
        if isinstance(error, ValueError):
            self.refusals[study.pk] = str(error)
            return
        logger.error("study %s cannot be ranked", study.pk, exc_info=error)
        self.refusals[study.pk] = f"Study '{study}' cannot be ranked: {failure_text(error)}"

    def _due(self, study: Study) -> bool:
        warm, identity, newest = self._warm.get(study.pk), _identity(study), newest_annotation(study)
        if study.pk in self.refusals and self._refused[study.pk] == (identity, newest):
            return False
        return warm is None or warm.identity != identity or newest != warm.ranked_up_to

    def _load(self, study: Study) -> Warm:
        identity = _identity(study)
        warm = self._warm.get(study.pk)
        if warm is None or warm.identity != identity:
            pool = load_pool(study, study.encoder)
            warm = Warm(pool, PoolRanker(pool.features, pool.experiment_index, _settings(study)), identity)
            self._warm[study.pk] = warm
        return warm


def _settings(study: Study) -> RankingSettings:
    return RankingSettings(
        strategy=study.strategy,
        coverage_share=study.coverage_share,
        random_share=study.random_share,
        seed=study.seed,
    )


def _identity(study: Study) -> tuple[object, ...]:
    """What the warm state depends on besides the answers: when it changes, the pool is loaded anew."""
    experiments = tuple(study.experiments.order_by("name").values_list("pk", "content_digest"))
    return (
        experiments,
        tuple(class_keys(study)),
        study.reads_per_crop,
        study.overlap_share,
        study.encoder,
        # Embeddings that loading itself computes are no news: else every first ranking would be made twice.
        study.encoder == AT_ONCE
        or EmbeddingSet.objects.filter(experiment__studies=study, encoder_name=study.encoder).count(),
        study.strategy,
        study.coverage_share,
        study.random_share,
        study.seed,
        study.stream_in_training,
    )


def _inputs(study: Study, pool: Pool, standing: Standing) -> tuple[Answers, NDArray[np.bool_], NDArray[np.int64]]:
    """The answers that name a class, the crops that are open, and those that count as covered."""
    places = pool.rows_of(standing.crop_ids)
    inside = places >= 0
    teaches = standing.labelled() & inside
    if not study.stream_in_training:
        teaches &= ~standing.in_stream
    votes = standing.votes[teaches]
    answers = Answers(
        crop_index=places[teaches],
        targets=votes / votes.sum(axis=1, keepdims=True),
        weight=np.ones(len(votes)),
    )
    leased = pool.rows_of(tuple(leased_crops(study)))
    covered = np.union1d(places[inside & ~teaches], leased[leased >= 0])
    open_mask = np.ones(len(pool.crop_ids), dtype=bool)
    open_mask[places[inside]] = False
    return answers, open_mask, covered


def _save(study: Study, pool: Pool, ranking: Ranking, standing: Standing, seconds: float) -> None:
    path = local_folder(SCORES) / f"{ranking.digest}.npy"
    if not path.exists():
        temporary = path.with_suffix(".tmp.npy")
        np.save(temporary, ranking.scores, allow_pickle=False)
        temporary.replace(path)
        keep(SCORES, path)
    encoder = EmbeddingSet.objects.filter(experiment__studies=study, encoder_name=study.encoder).values_list(
        "encoder", flat=True
    )
    info = RankingInfo(
        digest=ranking.digest,
        strategy=study.strategy,
        encoder=encoder.first() or "",
        encoder_name=study.encoder,
        seconds=seconds,
        answers=len(standing.crop_ids),
        pool_size=len(pool.crop_ids),
        last_annotation=standing.newest,
    )
    replace_queue(study, _entries(study, pool, ranking, standing), info)
    RankingRow.objects.create(
        study=study,
        digest=ranking.digest,
        strategy=study.strategy,
        encoder=info.encoder,
        answers=len(standing.crop_ids),
        pool_size=info.pool_size,
        seconds=seconds,
    )
    _forget_old(study)


def _entries(study: Study, pool: Pool, ranking: Ranking, standing: Standing) -> list[NewEntry]:
    fresh = [
        NewEntry(
            crop_id=int(pool.crop_ids[place]),
            score=float(score),
            why=why,
            probability=float(probability) if np.isfinite(probability) else None,
        )
        for place, score, why, probability in zip(
            ranking.order, ranking.queue_score, ranking.why, ranking.probability
        )
    ]
    return _interleaved(_second_reads(study, pool, standing), [*fresh, *_held(study, standing)])


def _held(study: Study, standing: Standing) -> list[NewEntry]:
    """Crops that somebody looks at now, last in the queue: a lease that ends unanswered must strand no crop."""
    answered = set(standing.crop_ids)
    leases = Lease.objects.filter(study=study, expires_at__gt=timezone.now()).order_by("-id")
    held = {lease.crop_id: lease for lease in leases if lease.crop_id not in answered}
    return [NewEntry(crop_id, 0.0, lease.why, lease.probability) for crop_id, lease in held.items()]


def _second_reads(study: Study, pool: Pool, standing: Standing) -> list[NewEntry]:
    """Crops that were read but need one more reader; who read them already is sorted out when they are served."""
    places = pool.rows_of(standing.crop_ids)
    reopened = waiting_again(study)
    waiting = []
    rows = zip(standing.crop_ids, places, standing.answers, standing.in_stream, standing.differ())
    for crop_id, place, answers, in_stream, differs in rows:
        if place < 0:
            continue
        at = Situation(bool(in_stream), differ=differs, reopened=crop_id in reopened)
        if len(answers) < reads_needed(study, pool.crop_keys[place], answers, at):
            stream = ADJUDICATION if differs and len(answers) > 1 else STREAM
            waiting.append(NewEntry(crop_id, 1.0, stream if in_stream else SECOND_READ, None))
    return waiting


def _interleaved(second: list[NewEntry], fresh: list[NewEntry]) -> list[NewEntry]:
    entries: list[NewEntry] = []
    rest = iter(fresh)
    for entry in second:
        entries.append(entry)
        entries += islice(rest, SECOND_READ_EVERY - 1)
    return [*entries, *rest][: RankingSettings().queue_length]


def _forget_old(study: Study) -> None:
    """Drop all but the newest rankings and their files; the queue names only the newest."""
    old = list(RankingRow.objects.filter(study=study).order_by("-id")[KEPT_RANKINGS:].values_list("pk", "digest"))
    if not old:
        return
    RankingRow.objects.filter(pk__in=[pk for pk, _ in old]).delete()
    kept = set(RankingRow.objects.values_list("digest", flat=True))
    kept |= set(QueueEntry.objects.filter(study=study).values_list("ranking", flat=True).distinct())
    for digest in {digest for _, digest in old} - kept:
        (local_folder(SCORES) / f"{digest}.npy").unlink(missing_ok=True)
