"""The pool of a study as pages read it: the ranking's own, kept in memory, never embedded while somebody waits."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from imaging.models import Image, Verdict
from labeling.models import Study
from training.learning.head import Standardisation, standardise
from training.services.embedding import encoder_in_use, lacking_sets, standing_sets
from training.services.work import Refused
from training.worker.pool import RankingPool, load_ranking_pool

# A million crops take some 40 MB here; their embeddings stay in the page cache.
KEPT_POOLS = 4


@dataclass(frozen=True, slots=True, eq=False)
class PagePool:
    """A study's pool, means and deviations of its embeddings' columns, the encoder's name, numbers of its sets."""

    pool: RankingPool
    norm: Standardisation
    encoder: str
    sets: tuple[int, ...]


def page_pool(study: Study) -> PagePool:
    """The pool of the study; kept in memory until its experiments, rejected images or embeddings change.

    Refused where an experiment waits for its embeddings: a page computes none.
    """
    experiments = list(study.experiments.order_by("name"))
    encoder, _ = encoder_in_use(study)
    sets = standing_sets(experiments, encoder)
    for experiment in lacking_sets(experiments, sets):
        raise Refused(
            f"'{experiment}' waits for its embeddings by the {encoder} encoder: they come before the first ranking."
        )
    rejected = Image.objects.filter(sample__experiment__in=experiments, verdict=Verdict.REJECT).order_by("id")
    # The time tells apart sets that had the same number one after the other.
    identity = tuple((sets[experiment.pk].pk, sets[experiment.pk].created_at) for experiment in experiments)
    return _kept(study.pk, encoder, identity, tuple(rejected.values_list("pk", flat=True)))


@lru_cache(maxsize=KEPT_POOLS)
def _kept(
    study_pk: int, encoder: str, identity: tuple[tuple[int, datetime], ...], rejected: tuple[int, ...]
) -> PagePool:
    pool = load_ranking_pool(Study.objects.get(pk=study_pk), encoder)
    return PagePool(pool, standardise(pool.features), encoder, tuple(number for number, _ in identity))
