"""The head of a study as pages see it: fitted to the standing answers, kept until the next one.

It is fitted here because the ranking worker's state lives in another process, and one read from disk could belong to
other answers than those on the same page.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from labeling.models import Reopening, Study
from labeling.services.exclusions import exclusion_changes
from training.learning import explain
from training.learning.head import HeadSettings, design, posterior_covariance, probabilities, variance
from training.learning.ranking import RankingSettings
from training.models import Ranking
from training.services.labels import newest_annotation, standing_answers
from training.services.work import Refused
from training.worker.learned_from import Learned, Rules, learned_from, softened
from training.worker.page_pool import PagePool, page_pool

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

    known: PagePool
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
    # Whatever changes what the answers add up to: new ones, a lead who reopens a crop or leaves a reader out, a
    # merged class, the rules.
    state = (
        newest_annotation(study),
        Reopening.objects.filter(study=study).count(),
        exclusion_changes(study),
        tuple(study.classes.order_by("position").values_list("pk", "merged_into")),
        study.stream_in_training,
        study.not_sure_as_soft_labels,
    )
    return _fitted(study.pk, page_pool(study), classes, state, _tuned(study))


def _tuned(study: Study) -> tuple[float, float]:
    """Ridge and temperature of the newest ranking, which tunes them on held-out experiments; else the defaults."""
    found = Ranking.objects.filter(study=study).order_by("-id").values_list("parameters", flat=True).first() or {}
    return found.get("ridge", RankingSettings().head.ridge), found.get("temperature", 1.0)


@lru_cache(maxsize=KEPT_HEADS)
def _fitted(
    study_pk: int,
    known: PagePool,
    classes: tuple[ClassRow, ...],
    state: tuple[object, ...],
    tuned: tuple[float, float],
) -> StudyHead:
    ridge, temperature = tuned
    settings = replace(RankingSettings().head, ridge=ridge, tolerance=TOLERANCE)
    explained = _explained(Study.objects.get(pk=study_pk), known, settings)
    # The variance of a ranking keeps its ridge whatever the weights are fitted with.
    seen = design(explained.labelled.X, known.norm.mean, known.norm.scale)
    spread = posterior_covariance(seen, RankingSettings().head)
    explained = replace(explained, head=replace(explained.head, temperature=temperature, covariance=spread))
    features = known.pool.features
    sample = features[np.arange(0, len(features), max(len(features) // VARIANCE_SAMPLE, 1))]
    return StudyHead(known, classes, explained, np.sort(variance(explained.head, sample)))


def _explained(study: Study, known: PagePool, settings: HeadSettings) -> explain.ExplainedHead:
    """The head over what the ranking learns from, by the study's own rules."""
    rules = Rules(stream=study.stream_in_training, not_sure=study.not_sure_as_soft_labels)
    learned = learned_from(known.pool, standing_answers(study), (), rules)
    explained = explain.fit_to_explain(_labelled(known, learned), known.norm, settings)
    if not rules.not_sure or not len(learned.hesitant) or np.count_nonzero(learned.votes.sum(axis=0)) < 2:
        return explained
    first = probabilities(explained.head, known.pool.features[learned.hesitant])
    soft = softened(learned, first.astype(np.float32))
    return explain.fit_to_explain(_labelled(known, soft), known.norm, settings)


def _labelled(known: PagePool, learned: Learned) -> explain.Labelled:
    return explain.Labelled(
        known.pool.crop_ids[learned.rows], known.pool.features[learned.rows], learned.answers.targets
    )
