"""The pool of a study as arrays: its crops, where they come from, and their embeddings."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.models import Crop, Experiment, Verdict
from labeling.models import Study
from training.learning.leakage import Places
from training.learning.splits import Units
from training.services.labels import class_keys
from training.services.work import Refused
from training.worker.embedding import embeddings, layout_of

UNIT_COLUMNS = ("experiment", "subject", "sample", "field")


@dataclass(frozen=True, slots=True)
class Pool:
    """Crops of a study in a fixed order (experiment, then id), without those of rejected images.

    `features` (crops, dimension); `experiment_index` (crops,) numbers the experiments in order of name; `places`
    tells where each crop was cut.
    """

    crop_ids: NDArray[np.int64]
    crop_keys: tuple[str, ...]
    features: NDArray[np.float32]
    experiment_index: NDArray[np.int64]
    units: Units
    places: Places
    channels: list[dict[str, Any]]

    def rows_of(self, crop_ids: tuple[int, ...]) -> NDArray[np.int64]:
        """Row of each crop, -1 for crops that are not in the pool."""
        order = np.argsort(self.crop_ids, kind="stable")
        wanted = np.asarray(crop_ids, dtype=np.int64)
        at = np.searchsorted(self.crop_ids[order], wanted)
        at = np.minimum(at, max(len(order) - 1, 0))
        found = order[at] if len(order) else np.zeros(len(wanted), np.int64)
        return np.where(self.crop_ids[found] == wanted, found, -1) if len(order) else np.full(len(wanted), -1)


def load_pool(study: Study, encoder_name: str) -> Pool:
    """The study's pool; Refused without experiments, classes or crops, or where experiments differ in channels."""
    experiments = list(study.experiments.order_by("name"))
    if not experiments:
        raise Refused(f"Study '{study}' has no experiment: add one.")
    if not class_keys(study):
        raise Refused(f"Study '{study}' has no class: name two or more.")
    channels = _common_channels(experiments)
    parts = [_rows(experiment) for experiment in experiments]
    features = [
        np.asarray(embeddings(experiment, encoder_name))[part["kept"]] for experiment, part in zip(experiments, parts)
    ]
    ids = np.concatenate([part["id"] for part in parts]).astype(np.int64)
    if not len(ids):
        raise Refused(f"The pool of '{study}' is empty: every image was rejected, or no object was found.")
    columns = {name: np.concatenate([part[name] for part in parts]) for name in UNIT_COLUMNS}
    keys = tuple(key for part in parts for key in part["key"])
    return Pool(
        crop_ids=ids,
        crop_keys=keys,
        features=np.concatenate(features),
        experiment_index=np.repeat(np.arange(len(parts)), [len(part["id"]) for part in parts]),
        units=Units(**columns, crop=np.array(keys, dtype=np.str_)),
        places=Places(
            image=np.array([digest for part in parts for digest in part["image"]], dtype=np.str_),
            centre=np.concatenate([part["centre"] for part in parts]),
            field_px=max((part["field_px"] for part in parts), default=1.0),
        ),
        channels=channels,
    )


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
            "image__sha256", "x", "y", "image__crop_field_px",
        )
    )  # fmt: skip
    kept = np.array([row[2] != Verdict.REJECT for row in rows], dtype=bool)
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
