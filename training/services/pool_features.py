"""The pool of a study as pages read it: which crop is which row of the embeddings; no PyTorch, no copy."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from imaging.models import Crop, Image, Verdict
from labeling.models import Study
from training.learning.head import Standardisation, standardise
from training.learning.shards import ShardedRows
from training.models import EmbeddingSet
from training.services.embedding import encoder_in_use, lacking_sets, rows_of, standing_sets
from training.services.work import Refused

# A million crops of 384 columns take 40 MB here; the rows themselves stay in the page cache.
KEPT_POOLS = 4

Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class PoolFeatures:
    """Crops of a study by name of experiment, then number, without those of rejected images; see `worker.pool`.

    crop_ids (N,); experiment_index (N,), the place of each crop's experiment in order of name; rows (N, d), the
    embeddings; norm, their means and standard deviations; by_id (N,), places by rising number; encoder, its name;
    sets, the numbers of the embedding sets.
    """

    crop_ids: Index
    experiment_index: NDArray[np.int32]
    rows: ShardedRows
    norm: Standardisation
    by_id: Index
    encoder: str
    sets: tuple[int, ...]

    def places_of(self, crop_ids: Index) -> Index:
        """Place of each crop in the pool, -1 for crops that are not in it."""
        if not len(self.crop_ids):
            return np.full(len(crop_ids), -1, dtype=np.int64)
        at = np.searchsorted(self.crop_ids, crop_ids, sorter=self.by_id)
        found = self.by_id[np.minimum(at, len(self.by_id) - 1)]
        return np.where(self.crop_ids[found] == crop_ids, found, -1)


def pool_features(study: Study) -> PoolFeatures:
    """The pool of the study; kept in memory until its experiments, rejected images or embeddings change.

    Refused where an experiment waits for its embeddings, or was embedded by another encoder than the others.
    """
    experiments = list(study.experiments.order_by("name"))
    if not experiments:
        raise Refused(f"Study '{study}' has no experiment: add one.")
    encoder, _ = encoder_in_use(study)
    sets = standing_sets(experiments, encoder)
    for experiment in lacking_sets(experiments, sets):
        raise Refused(
            f"'{experiment}' waits for its embeddings by the {encoder} encoder: they come before the first ranking."
        )
    rejected = Image.objects.filter(sample__experiment__in=experiments, verdict=Verdict.REJECT).order_by("id")
    # The time tells apart sets that had the same number one after the other.
    identity = tuple((sets[experiment.pk].pk, sets[experiment.pk].created_at) for experiment in experiments)
    return _kept(encoder, identity, tuple(rejected.values_list("pk", flat=True)))


@lru_cache(maxsize=KEPT_POOLS)
def _kept(encoder: str, identity: tuple[tuple[int, datetime], ...], rejected: tuple[int, ...]) -> PoolFeatures:
    sets = tuple(number for number, _ in identity)
    found = EmbeddingSet.objects.select_related("experiment").in_bulk(sets)
    parts = [_part(found[number], rejected) for number in sets]
    if len({rows.shape[1] for _, rows in parts}) > 1:
        raise Refused("The experiments were embedded by encoders of different dimensions: embed them again.")
    crop_ids = np.concatenate([ids for ids, _ in parts])
    rows = ShardedRows.joined([rows for _, rows in parts])
    return PoolFeatures(
        crop_ids=crop_ids,
        experiment_index=np.repeat(np.arange(len(parts), dtype=np.int32), [len(ids) for ids, _ in parts]),
        rows=rows,
        norm=standardise(rows),
        by_id=np.argsort(crop_ids, kind="stable"),
        encoder=encoder,
        sets=sets,
    )


def _part(standing: EmbeddingSet, rejected: tuple[int, ...]) -> tuple[Index, ShardedRows]:
    """Numbers and rows of one experiment's crops, without those of rejected images."""
    crops = Crop.objects.filter(image__sample__experiment=standing.experiment).order_by("id")
    ids = np.fromiter(crops.values_list("id", flat=True).iterator(chunk_size=10_000), dtype=np.int64)
    rows = rows_of(standing)
    if len(rows) != len(ids):
        raise Refused(f"'{standing.experiment}' has {len(ids)} crops and {len(rows)} embeddings: embed it again.")
    if not rejected:
        return ids, rows
    out = Crop.objects.filter(image__in=rejected, image__sample__experiment=standing.experiment)
    kept = ~np.isin(ids, np.fromiter(out.values_list("id", flat=True), dtype=np.int64))
    return ids[kept], rows.subset(kept)
