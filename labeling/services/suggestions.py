"""What a model would answer, for readers of studies whose leads want them to see it.

Labels know a model only by its digest: the ranking worker hands its opinions in.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction

from labeling.models import Ranked, Study, Suggestion
from labeling.services.reads import ADJUDICATION, RE_READ, SECOND_READ, STREAM

# An answer to one of these says how good labels or a model are: nobody is led there.
UNLED = frozenset({STREAM, SECOND_READ, ADJUDICATION, RE_READ})


@dataclass(frozen=True, slots=True)
class Opinion:
    """A model's likeliest class for a crop, by the class's number, and its probability."""

    crop_id: int
    class_id: int
    probability: float


def shows(study: Study) -> bool:
    """Whether readers of the study see suggestions at all; a blind study never shows one."""
    return study.shows_suggestions and not study.is_blind


def may_show(study: Study, why: str) -> bool:
    """Whether a crop that is asked for this reason may come with a suggestion."""
    return shows(study) and why not in UNLED


def replace_suggestions(study: Study, opinions: Iterable[Opinion], model: str) -> None:
    """Put the opinions of a model in place of all older ones; none are kept where the study shows none."""
    rows = [
        Suggestion(
            study=study, crop_id=row.crop_id, label_class_id=row.class_id, probability=row.probability, model=model
        )
        for row in opinions
        if shows(study)
    ]
    standing = Suggestion.objects.filter(study=study)
    # Most studies show none: they pay for a look and take no lock.
    if not rows and not standing.exists():
        return
    with transaction.atomic():
        standing.delete()
        Suggestion.objects.bulk_create(rows, batch_size=500)


def suggestions_for(study: Study, asked: Sequence[tuple[int, str]]) -> dict[int, Suggestion]:
    """The newest ranking's suggestion for each of the crops (number, why it is asked) that may show one."""
    wanted: Collection[int] = [crop for crop, why in asked if may_show(study, why)]
    if not wanted:
        return {}
    newest = Ranked.objects.filter(study=study).values("digest")
    rows = Suggestion.objects.filter(
        study=study, crop__in=wanted, model__in=newest, label_class__retired_at__isnull=True
    )
    return {row.crop_id: row for row in rows.select_related("label_class")}
