"""What has changed since a study was ranked, found with a handful of queries for all studies together.

It looks at the state, not at messages: what was changed by hand or while no worker ran is found as well.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Mod

from imaging.models import Image, Verdict
from labeling.models import Annotation, LabelClass, Membership, Reopening, Study
from labeling.registry import DEFAULT_ENCODER
from training.models import EmbeddingSet

SETTINGS = (
    "strategy",
    "coverage_share",
    "random_share",
    "seed",
    "stream_in_training",
    "not_sure_as_soft_labels",
)
READING_RULES = ("reads_per_crop", "overlap_share", "seed")
# Two sets of numbers with the same count, sum and weighted sum do not follow one another by chance.
WEIGHT_PERIOD = 9973

Rows = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class State:
    """What a ranking of a study depends on.

    `newest`: its newest answer. `pool`: its experiments, rejected images, encoder and embeddings; when they change
    the pool is loaded anew. `settings`: how it is ranked. `reading`: its classes, members and rules of reading, by
    which answers are counted.
    """

    newest: int
    pool: Rows
    settings: Rows
    reading: Rows


class Lookout:
    """Looks at all studies at once; remembers only which images of a study were rejected when it last changed."""

    def __init__(self) -> None:
        self._rejected_anywhere: Rows = ()
        self._rejected: dict[int, tuple[Rows, Rows]] = {}

    def look(self, studies: Sequence[Study] | None = None) -> list[tuple[Study, State]]:
        """Every study, or those that are named, as it is now, and what its ranking depends on."""
        rows = Study.objects.all() if studies is None else Study.objects.filter(pk__in=[row.pk for row in studies])
        experiments = _grouped(Study.experiments.through.objects.order_by("experiment__name"), EXPERIMENT)
        classes = _grouped(LabelClass.objects.order_by("position"), ("study_id", "pk", "retired_at", "merged_into"))
        members = _grouped(Membership.objects.order_by("pk"), ("study_id", "user_id", "role"))
        embedded = _grouped(
            EmbeddingSet.objects.exclude(encoder_name=DEFAULT_ENCODER).order_by("pk"), ("experiment_id", "pk")
        )
        self._look_at_images()
        found = []
        for study in rows.annotate(newest=_newest(Annotation), reopening=_newest(Reopening)):
            own = experiments[study.pk]
            pool = (own, self._rejected_of(study, own), study.encoder, *(embedded[number] for number in _firsts(own)))
            reading = (
                *(getattr(study, name) for name in READING_RULES),
                study.reopening,
                classes[study.pk],
                members[study.pk],
            )
            settings = tuple(getattr(study, name) for name in SETTINGS)
            found.append((study, State(study.newest or 0, pool, settings, reading)))
        return found

    def _look_at_images(self) -> None:
        found = _fingerprint(Image.objects.filter(verdict=Verdict.REJECT))
        if found != self._rejected_anywhere:
            self._rejected_anywhere = found
            self._rejected.clear()

    def _rejected_of(self, study: Study, experiments: Rows) -> Rows:
        known, found = self._rejected.get(study.pk, (None, ()))
        if known != experiments:
            images = Image.objects.filter(verdict=Verdict.REJECT, sample__experiment__in=_firsts(experiments))
            found = _fingerprint(images)
            self._rejected[study.pk] = (experiments, found)
        return found


EXPERIMENT = ("study_id", "experiment_id", "experiment__content_digest", "experiment__channels")


def _newest(model: type[Annotation] | type[Reopening]) -> Subquery:
    return Subquery(model.objects.filter(study=OuterRef("pk")).order_by("-id").values("id")[:1])


def _grouped(rows: QuerySet[object], columns: tuple[str, ...]) -> dict[int, Rows]:
    """Rows by their first column, in order."""
    found: dict[int, list[Rows]] = defaultdict(list)
    for key, *rest in rows.values_list(*columns):
        found[key].append(tuple(rest))
    return defaultdict(tuple, {key: tuple(values) for key, values in found.items()})


def _firsts(rows: Rows) -> list[int]:
    return [row[0] for row in rows if isinstance(row, tuple)]


def _fingerprint(images: QuerySet[Image]) -> Rows:
    weighted = F("id") * (Mod("id", WEIGHT_PERIOD) + 1)
    return tuple(images.aggregate(count=Count("id"), total=Sum("id"), weighted=Sum(weighted)).values())
