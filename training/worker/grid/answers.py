"""Who answered what, as arrays: read once, then kept up to date by reading the crops that were answered anew."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from threading import Lock

import numpy as np
from django.db.models import Count, Max
from numpy.typing import NDArray

from labeling.models import Annotation, Study
from labeling.services.exclusions import exclusion_changes
from labeling.services.reads import read_rows
from training.services.labels import class_keys
from training.worker.pool import Ids

KEPT = 16
MOST_TOUCHED = 2000
KINDS = tuple(Annotation.Answer.values)
PLACES = {kind: place for place, kind in enumerate(KINDS)}
COLUMNS = [
    ("crop", np.int64), ("annotator", np.int64), ("kind", np.int8), ("label", np.int32), ("number", np.int64),
    ("excluded", np.bool_), ("decision", np.bool_),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reads:
    """Standing answers and decisions, one row each: `crop`, `annotator`, `kind` (place in KINDS), `label` (place in
    `classes`, -1 without), `number` of the answer, whether its reader is left out (`excluded`) and whether a lead
    decided it (`decision`), all (n,)."""

    rows: NDArray[np.void]
    classes: tuple[str, ...]

    def by(self, annotator: int) -> "Reads":
        """The answers of one annotator."""
        return Reads(self.rows[self.rows["annotator"] == annotator], self.classes)

    def given(self) -> "Reads":
        """What readers answered, without decisions."""
        return Reads(self.rows[~self.rows["decision"]], self.classes)

    def counted(self) -> "Reads":
        """What counts: the answers of readers who are not left out, or in their place what a lead decided on them."""
        counted = self.rows[~self.rows["excluded"]]
        decides, crops = counted["decision"], counted["crop"]
        settled = np.intersect1d(crops[decides], crops[~decides])
        return Reads(counted[np.isin(crops, settled) == decides], self.classes)

    def of_kind(self, *kinds: str) -> Ids:
        """Crops (n,) with an answer of one of these kinds."""
        wanted = [KINDS.index(kind) for kind in kinds]
        return np.asarray(self.rows["crop"][np.isin(self.rows["kind"], wanted)])

    def naming(self, key: str) -> Ids:
        """Crops (n,) with an answer that names the class."""
        place = self.classes.index(key) if key in self.classes else -2
        return np.asarray(self.rows["crop"][self.rows["label"] == place])

    def labelled(self) -> "Reads":
        """The answers that name an open class."""
        return Reads(self.rows[self.rows["label"] >= 0], self.classes)


class _Book:
    """The answers of a study; one thread at a time brings them up to date."""

    def __init__(self, study: Study, classes: tuple[str, ...]) -> None:
        self._study, self._classes = study, classes
        self._places = {key: place for place, key in enumerate(classes)}
        self._rows: NDArray[np.void] | None = None
        self._extent = (0, 0)
        self._lock = Lock()

    def read(self) -> Reads:
        with self._lock:
            found = Annotation.objects.filter(study=self._study).aggregate(newest=Max("id"), count=Count("id"))
            extent = (found["newest"] or 0, found["count"])
            if self._rows is None or extent != self._extent:
                self._rows = self._updated(extent)
                self._extent = extent
            return Reads(self._rows, self._classes)

    def _updated(self, extent: tuple[int, int]) -> NDArray[np.void]:
        since = Annotation.objects.filter(study=self._study, id__gt=self._extent[0], id__lte=extent[0])
        touched = list(since.values_list("crop_id", flat=True)[: MOST_TOUCHED + 1])
        # An answer that was removed, or one that came late, shows in their number.
        complete = self._extent[1] + len(touched) == extent[1] and len(touched) <= MOST_TOUCHED
        if self._rows is None or not complete:
            return self._fresh(None)
        kept = self._rows[~np.isin(self._rows["crop"], np.array(touched, dtype=np.int64))]
        return np.concatenate([kept, self._fresh(set(touched))])

    def _fresh(self, crops: set[int] | None) -> NDArray[np.void]:
        rows = [
            (crop, annotator, PLACES[answer], self._places.get(label, -1), number, excluded, decision)
            for crop, number, annotator, answer, label, excluded, decision in read_rows(self._study, crops)
        ]
        return np.array(rows, dtype=COLUMNS)


def reads(study: Study) -> Reads:
    """Every standing answer and decision of the study now."""
    merged = study.classes.filter(merged_into__isnull=False).order_by("pk").values_list("pk", "merged_into")
    return _book(study.pk, study.created_at, tuple(class_keys(study)), (*merged, exclusion_changes(study))).read()


@lru_cache(maxsize=KEPT)
def _book(study: int, created_at: datetime, classes: tuple[str, ...], changes: tuple[tuple[int, int], ...]) -> _Book:
    return _Book(Study.objects.get(pk=study), classes)
