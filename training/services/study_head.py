"""The head of a study as pages see it: fitted to the standing answers, kept until the next one.

It is fitted here because the ranking worker's state lives in another process, and one read from disk could belong to
other answers than those on the same page.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from labeling.models import Reopening, Study
from training.learning import explain
from training.learning.head import variance
from training.learning.ranking import RankingSettings
from training.models import Ranking
from training.services.labels import newest_annotation, standing_answers
from training.services.pool_features import PoolFeatures, pool_features
from training.services.work import Refused

KEPT_HEADS = 4
# How unusual a variance is, is read off this many crops spread evenly over the pool.
VARIANCE_SAMPLE = 2000
# Explanations need the optimum itself; the ranking stops earlier because its order does not change any more.
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class ClassRow:
    """An open class of a study."""

    key: str
    name: str
    color: str


@dataclass(frozen=True, slots=True)
class StudyHead:
    """The head of a study over its answers: classes in order, and variances of a sample of the pool, rising."""

    pool: PoolFeatures
    classes: tuple[ClassRow, ...]
    explained: explain.ExplainedHead
    sample_variance: NDArray[np.float64]

    @property
    def answered_per_class(self) -> NDArray[np.int64]:
        """Labelled crops per class (K,) that any reader gave to it."""
        return np.asarray((self.explained.labelled.targets > 0).sum(axis=0), dtype=np.int64)


def study_head(study: Study) -> StudyHead:
    """The head over the answers that stand now; Refused where the pool has no embeddings or the study no class."""
    rows = study.classes.filter(retired_at__isnull=True).order_by("position")
    classes = tuple(ClassRow(*row) for row in rows.values_list("key", "name", "color"))
    if not classes:
        raise Refused(f"Study '{study}' has no open class: name two or more.")
    # Whatever changes what the answers add up to: new ones, a lead who reopens a crop, a merged class, the stream.
    state = (
        newest_annotation(study),
        Reopening.objects.filter(study=study).count(),
        tuple(study.classes.order_by("position").values_list("pk", "merged_into")),
        study.stream_in_training,
    )
    return _fitted(study.pk, pool_features(study), classes, state, _tuned(study))


def _tuned(study: Study) -> tuple[float, float]:
    """Ridge and temperature of the newest ranking, which tunes them on held-out experiments; else the defaults."""
    found = Ranking.objects.filter(study=study).order_by("-id").values_list("parameters", flat=True).first() or {}
    return found.get("ridge", RankingSettings().head.ridge), found.get("temperature", 1.0)


@lru_cache(maxsize=KEPT_HEADS)
def _fitted(
    study_pk: int,
    pool: PoolFeatures,
    classes: tuple[ClassRow, ...],
    state: tuple[object, ...],
    tuned: tuple[float, float],
) -> StudyHead:
    ridge, temperature = tuned
    settings = replace(RankingSettings().head, ridge=ridge, tolerance=TOLERANCE)
    explained = explain.fit_to_explain(_labelled(Study.objects.get(pk=study_pk), pool), pool.norm, settings)
    explained = replace(explained, head=replace(explained.head, temperature=temperature))
    step = max(len(pool.rows) // VARIANCE_SAMPLE, 1)
    sample = pool.rows[np.arange(0, len(pool.rows), step)]
    return StudyHead(pool, classes, explained, np.sort(variance(explained.head, sample)))


def _labelled(study: Study, pool: PoolFeatures) -> explain.Labelled:
    """The crops that teach the ranking, by the same rule as in the ranking worker."""
    standing = standing_answers(study)
    crop_ids = np.asarray(standing.crop_ids, dtype=np.int64)
    places = pool.places_of(crop_ids)
    teaches = standing.labelled() & (places >= 0)
    if not study.stream_in_training:
        teaches &= ~standing.in_stream
    votes = standing.votes[teaches]
    return explain.Labelled(crop_ids[teaches], pool.rows[places[teaches]], votes / votes.sum(axis=1, keepdims=True))
