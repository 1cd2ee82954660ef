"""The pool of a study as arrays: its crops, where they come from, and their embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from django.db.models import Count, Q
from numpy.typing import NDArray

from imaging.models import Crop, Experiment, Image, Verdict
from imaging.pixels.digest import array_digest, mapping_digest
from labeling.models import Study
from training.learning.leakage import Places
from training.learning.shards import ShardedRows
from training.learning.splits import Units
from training.models import EmbeddingSet
from training.services.embedding import standing_sets
from training.services.labels import class_keys
from training.services.layout import layout_of
from training.services.work import Refused
from training.worker.embedding import AT_ONCE, Tell, compute, embeddings

UNIT_COLUMNS = ("experiment", "subject", "sample", "field")
AT_A_TIME = 10_000
TABLES_KEPT = 64

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CropTable:
    """Crops of an experiment by rising number, each (crops,): `crop_ids`, the number of the `image`, and whether the
    object is still there (`stands`)."""

    crop_ids: Ids
    image: Ids
    stands: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class RankingPool:
    """What ranking needs to know of a study's pool, experiment after experiment, crops by rising number.

    Crops of rejected images and of objects that are gone are left out, and so are copies: crops that show the same
    place of the same image again, in another experiment say. A reader who has read one of them has read them all.
    `crop_ids` (crops,);
    `features` (crops, dimension) stay in their files; `experiment_index` (crops,) numbers the experiments in order
    of name. `copies` (n,), rising, are the crops that were left out for the crops `shown_as` (n,). `encoder` is the
    digest of the encoder and `digest` that of all that ranking depends on here.
    """

    crop_ids: Ids
    features: ShardedRows
    experiment_index: Ids
    copies: Ids
    shown_as: Ids
    order: Ids
    encoder: str
    digest: str

    def rows_of(self, crop_ids: Sequence[int] | Ids) -> Ids:
        """Row of each crop, that of the crop it is a copy of included; -1 for crops that are not in the pool."""
        wanted = np.array(crop_ids, dtype=np.int64)
        if len(self.copies):
            at = np.minimum(np.searchsorted(self.copies, wanted), len(self.copies) - 1)
            wanted = np.where(self.copies[at] == wanted, self.shown_as[at], wanted)
        return _rows_of(self.crop_ids, self.order, wanted)


@dataclass(frozen=True, slots=True)
class Pool:
    """Crops of a study in a fixed order (experiment, then id), without those of rejected images and gone objects.

    `features` (crops, dimension); `experiment_index` (crops,) numbers the experiments in order of name; `places`
    tells where each crop was cut.
    """

    crop_ids: Ids
    crop_keys: tuple[str, ...]
    features: ShardedRows
    experiment_index: Ids
    units: Units
    places: Places
    channels: list[dict[str, Any]]

    def rows_of(self, crop_ids: Sequence[int] | Ids) -> Ids:
        """Row of each crop, -1 for crops that are not in the pool."""
        wanted = np.array(crop_ids, dtype=np.int64)
        return _rows_of(self.crop_ids, np.argsort(self.crop_ids, kind="stable"), wanted)


def _rows_of(crop_ids: Ids, order: Ids, wanted: Ids) -> Ids:
    if not len(order):
        return np.full(len(wanted), -1)
    at = np.searchsorted(crop_ids, wanted, sorter=order)
    found = order[np.minimum(at, len(order) - 1)]
    return np.where(crop_ids[found] == wanted, found, -1)


def load_ranking_pool(study: Study, encoder_name: str, tell: Tell | None = None) -> RankingPool:
    """What ranking needs of the study's pool, as arrays of numbers; Refused as by `load_pool`.

    `tell` hears of embeddings that are computed on the way, which may take minutes.
    """
    experiments = _experiments(study)
    _common_channels(experiments)
    tables = [crop_table(row.pk, row.content_digest, row.revision, row.created_at) for row in experiments]
    rejected = _rejected(experiments)
    copies = _copies(experiments)
    out = np.fromiter(copies, np.int64)
    kept = [table.stands & ~np.isin(table.image, rejected) & ~np.isin(table.crop_ids, out) for table in tables]
    if encoder_name == AT_ONCE:
        for experiment in experiments:
            compute(experiment, encoder_name, tell)
    before = _sets(experiments, encoder_name)
    features = _joined([_features(row, encoder_name, mask) for row, mask in zip(experiments, kept)])
    ids = np.concatenate([table.crop_ids[mask] for table, mask in zip(tables, kept)])
    _refuse_empty(study, ids)
    rising = np.argsort(out)
    sets = _sets(experiments, encoder_name)
    if sets[0].encoder != before[0].encoder:
        raise Refused(f"The embeddings by {encoder_name} were replaced while they were read: they are read again.")
    identity = [[row.encoder, row.source, row.places_digest, row.shards] for row in sets]
    return RankingPool(
        crop_ids=ids,
        features=features,
        experiment_index=np.repeat(np.arange(len(kept)), [np.count_nonzero(mask) for mask in kept]),
        copies=out[rising],
        shown_as=np.fromiter(copies.values(), np.int64)[rising],
        order=np.argsort(ids, kind="stable"),
        encoder=sets[0].encoder,
        digest=mapping_digest({"embeddings": identity, "crops": array_digest(ids)}),
    )


def _sets(experiments: list[Experiment], encoder_name: str) -> list[EmbeddingSet]:
    """The embeddings of each experiment, in order; Refused unless one and the same encoder made them all."""
    found = standing_sets(experiments, encoder_name)
    sets = [found[row.pk] for row in experiments if row.pk in found]
    if len(sets) < len(experiments) or len({row.encoder for row in sets}) > 1:
        raise Refused(f"The experiments have no embeddings by one version of {encoder_name}: a worker makes them.")
    return sets


@lru_cache(maxsize=TABLES_KEPT)
def crop_table(experiment: int, content_digest: str, revision: int, created_at: datetime) -> CropTable:
    """The crops of an experiment; kept, so that studies over the same experiment share them.

    Digest and time are there to tell apart experiments that had the same number one after the other, the revision to
    tell apart what one held.
    """
    crops = Crop.objects.filter(image__sample__experiment=experiment).order_by("id")
    stands = Q(gone_at__isnull=True)
    rows = crops.annotate(stands=stands).values_list("id", "image_id", "stands").iterator(chunk_size=AT_A_TIME)
    found = np.fromiter(rows, dtype=[("id", np.int64), ("image", np.int64), ("stands", np.bool_)])
    return CropTable(*(np.ascontiguousarray(found[name]) for name in ("id", "image", "stands")))


def _rejected(experiments: list[Experiment]) -> Ids:
    images = Image.objects.filter(sample__experiment__in=experiments, verdict=Verdict.REJECT)
    return np.fromiter(images.values_list("id", flat=True), np.int64)


def _copies(experiments: list[Experiment]) -> dict[int, int]:
    """For each crop that shows the same pixels as an earlier one: that one. Only images of one digest have any."""
    usable = Image.objects.filter(sample__experiment__in=experiments).exclude(verdict=Verdict.REJECT)
    twice = usable.order_by().values("sha256").annotate(times=Count("id")).filter(times__gt=1).values("sha256")
    if not twice.exists():
        return {}
    crops = Crop.objects.standing().filter(image__in=usable.filter(sha256__in=twice))
    first: dict[str, int] = {}
    copies = {}
    for crop, key in crops.order_by("image__sample__experiment__name", "id").values_list("id", "key").iterator():
        if first.setdefault(key, crop) != crop:
            copies[crop] = first[key]
    return copies


def load_pool(study: Study, encoder_name: str) -> Pool:
    """The study's pool; Refused without experiments, classes or crops, or where experiments differ in channels."""
    experiments = _experiments(study)
    channels = _common_channels(experiments)
    parts = [_rows(experiment) for experiment in experiments]
    features = [_features(row, encoder_name, part["kept"]) for row, part in zip(experiments, parts)]
    ids = np.concatenate([part["id"] for part in parts]).astype(np.int64)
    _refuse_empty(study, ids)
    columns = {name: np.concatenate([part[name] for part in parts]) for name in UNIT_COLUMNS}
    keys = tuple(key for part in parts for key in part["key"])
    return Pool(
        crop_ids=ids,
        crop_keys=keys,
        features=_joined(features),
        experiment_index=np.repeat(np.arange(len(parts)), [len(part["id"]) for part in parts]),
        units=Units(**columns, crop=np.array(keys, dtype=np.str_)),
        places=Places(
            image=np.array([digest for part in parts for digest in part["image"]], dtype=np.str_),
            centre=np.concatenate([part["centre"] for part in parts]),
            field_px=max((part["field_px"] for part in parts), default=1.0),
        ),
        channels=channels,
    )


def _experiments(study: Study) -> list[Experiment]:
    experiments = list(study.experiments.order_by("name"))
    if not experiments:
        raise Refused(f"Study '{study}' has no experiment: add one.")
    if not class_keys(study):
        raise Refused(f"Study '{study}' has no class: name two or more.")
    return experiments


def _refuse_empty(study: Study, ids: Ids) -> None:
    if not len(ids):
        raise Refused(f"The pool of '{study}' is empty: every image was rejected, or no object was found.")


def _features(experiment: Experiment, encoder_name: str, kept: NDArray[np.bool_]) -> ShardedRows:
    """Embeddings of the crops that are kept; they stay in their files."""
    found: Any = embeddings(experiment, encoder_name)
    rows = found if isinstance(found, ShardedRows) else ShardedRows([found])
    if len(rows) != len(kept):
        raise Refused(f"'{experiment}' has {len(kept)} crops and {len(rows)} embeddings: they are computed anew.")
    return rows if kept.all() else rows.subset(kept)


def _joined(blocks: list[ShardedRows]) -> ShardedRows:
    widths = sorted({block.shape[1] for block in blocks if len(block)})
    if len(widths) > 1:
        raise Refused(f"The embeddings of the experiments have {widths} columns: they come from different encoders.")
    return ShardedRows.joined([block for block in blocks if len(block)] or blocks[:1])


def _common_channels(experiments: list[Experiment]) -> list[dict[str, Any]]:
    layouts = [layout_of(experiment) for experiment in experiments]
    if len({len(layout) for layout in layouts}) != 1:
        named = ", ".join(f"{row.name}: {len(layout)}" for row, layout in zip(experiments, layouts))
        raise Refused(f"The experiments of a study need the same number of channels, they have {named}.")
    return layouts[0]


def _rows(experiment: Experiment) -> dict[str, Any]:
    rows = list(
        Crop.objects.filter(image__sample__experiment=experiment)
        .order_by("id")
        .values_list(
            "id", "key", "image__verdict", "image__sample__name", "image__sample__subject", "image__site",
            "image__sha256", "x", "y", "image__crop_field_px", "gone_at",
        )
    )  # fmt: skip
    kept = np.array([row[2] != Verdict.REJECT and row[10] is None for row in rows], dtype=bool)
    rows = [row for row, keep in zip(rows, kept) if keep]
    return {
        "kept": kept,
        "id": [row[0] for row in rows],
        "key": [row[1] for row in rows],
        "experiment": np.array([experiment.name] * len(rows), dtype=np.str_),
        # A sample that was named after its experiment stands for "not known".
        "sample": np.array(["" if row[3] == experiment.name else row[3] for row in rows], dtype=np.str_),
        "subject": np.array([row[4] for row in rows], dtype=np.str_),
        "field": np.array([row[5] for row in rows], dtype=np.str_),
        "image": [row[6] for row in rows],
        "centre": np.array([row[7:9] for row in rows], dtype=np.float64).reshape(-1, 2),
        "field_px": max((row[9] for row in rows), default=1.0),
    }
