"""What has changed since a study was ranked, found with a handful of queries for all studies together.

It looks at the state, not at messages: what was changed by hand or while no worker ran is found as well.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Mod

from imaging.models import Image, Verdict
from labeling.models import Annotation, LabelClass, Membership, ReaderExclusion, Reopening, Study
from labeling.registry import DEFAULT_ENCODER
from training.models import EmbeddingSet

SETTINGS = (
    "strategy",
    "coverage_share",
    "random_share",
    "sampling_temperature",
    "seed",
    "stream_in_training",
    "not_sure_as_soft_labels",
    "shows_suggestions",
    "is_blind",
)
STATE = ("pk", "archived_at", "newest", "reopening", "left_out", "encoder")
READING_RULES = ("reads_per_crop", "overlap_share", "adjudicates", "seed")
# Two sets of numbers with the same count, sum and weighted sum do not follow one another by chance.
WEIGHT_PERIOD = 9973

Rows = tuple[Any, ...]
Statement = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class State:
    """What a ranking of a study depends on.

    `newest`: its newest answer. `pool`: its experiments, rejected images, encoder and embeddings; when they change
    the pool is loaded anew. `settings`: how it is ranked. `reading`: its classes, members, rules of reading and the
    readers who are left out, by which answers are counted.
    """

    newest: int
    pool: Rows
    settings: Rows
    reading: Rows


class Lookout:
    """Looks at all studies at once; remembers only which images of a study were rejected when it last changed.

    The queries are written out once: composing them takes ten times as long as asking them, twenty times a second.
    """

    def __init__(self) -> None:
        self._studies = _statement(
            Study.objects.annotate(
                newest=_newest(Annotation), reopening=_newest(Reopening), left_out=_exclusions()
            ).values_list(*STATE, *SETTINGS, *READING_RULES)
        )
        self._experiments = _statement(
            Study.experiments.through.objects.order_by("experiment__name").values_list(
                "study_id",
                "experiment_id",
                "experiment__content_digest",
                "experiment__revision",
                "experiment__channels",
            )
        )
        classes = LabelClass.objects.order_by("position", "pk")
        self._classes = _statement(classes.values_list("study_id", "pk", "retired_at", "merged_into"))
        self._members = _statement(Membership.objects.order_by("pk").values_list("study_id", "user_id", "role"))
        sets = EmbeddingSet.objects.exclude(encoder_name=DEFAULT_ENCODER).order_by("pk")
        self._sets = _statement(sets.values_list("experiment_id", "pk"))
        self._rejects = _statement(_fingerprint(Image.objects.values("verdict").filter(verdict=Verdict.REJECT)))
        self._newest_anywhere = _statement(Annotation.objects.order_by("-id").values_list("id")[:1])
        self._newest = 0
        self._rejected_anywhere: list[Rows] = []
        self._rejected: dict[int, tuple[Rows, Rows]] = {}

    def has_news(self) -> bool:
        """Whether there is a newer answer in any study than at the last look."""
        found = _rows(self._newest_anywhere)
        return bool(found) and found[0][0] > self._newest

    def look(self) -> dict[int, State]:
        """What the ranking of each study that is not archived depends on now, by the number of the study."""
        experiments, classes, members, sets = (
            _grouped(_rows(statement)) for statement in (self._experiments, self._classes, self._members, self._sets)
        )
        self._look_at_images()
        found, self._newest = {}, 0
        for number, archived_at, newest, reopening, left_out, encoder, *rules in _rows(self._studies):
            # Also that of an archived study: or it would be news for ever.
            self._newest = max(self._newest, newest or 0)
            if archived_at is not None:
                continue
            own = experiments[number]
            embedded = tuple(sets[experiment] for experiment in _firsts(own))
            found[number] = State(
                newest=newest or 0,
                pool=(own, self._rejected_of(number, own), encoder, embedded),
                settings=tuple(rules[: len(SETTINGS)]),
                reading=(*rules[len(SETTINGS) :], reopening, left_out, classes[number], members[number]),
            )
        return found

    def _look_at_images(self) -> None:
        found = _rows(self._rejects)
        if found != self._rejected_anywhere:
            self._rejected_anywhere = found
            self._rejected.clear()

    def _rejected_of(self, study: int, experiments: Rows) -> Rows:
        known, found = self._rejected.get(study, (None, ()))
        if known != experiments:
            images = Image.objects.filter(verdict=Verdict.REJECT, sample__experiment__in=_firsts(experiments))
            found = tuple(_fingerprint(images.values("verdict")))
            self._rejected[study] = (experiments, found)
        return found


def _newest(model: type[Annotation] | type[Reopening]) -> Subquery:
    return Subquery(model.objects.filter(study=OuterRef("pk")).order_by("-id").values("id")[:1])


def _exclusions() -> Subquery:
    """How often readers were left out and put back, together."""
    rows = ReaderExclusion.objects.filter(study=OuterRef("pk")).order_by().values("study")
    return Subquery(rows.annotate(changes=Count("id") + Count("lifted_at")).values("changes"))


def _fingerprint(images: QuerySet[Image, Any]) -> QuerySet[Image, Any]:
    """Count, sum and weighted sum of the numbers of images, grouped by what `images` are grouped by."""
    weighted = F("id") * (Mod("id", WEIGHT_PERIOD) + 1)
    found = images.order_by().annotate(count=Count("id"), total=Sum("id"), weighted=Sum(weighted))
    return found.values_list("count", "total", "weighted")


def _statement(rows: QuerySet[Any, Any]) -> Statement:
    return rows.query.sql_with_params()


def _rows(statement: Statement) -> list[Rows]:
    with connection.cursor() as cursor:
        cursor.execute(*statement)
        return [tuple(row) for row in cursor.fetchall()]


def _grouped(rows: Iterable[Rows]) -> dict[Any, Rows]:
    """Rows by their first column, in order."""
    found: dict[Any, Rows] = defaultdict(tuple)
    for key, *rest in rows:
        found[key] += (tuple(rest),)
    return found


def _firsts(rows: Rows) -> list[Any]:
    return [row[0] for row in rows]
