"""How far the readers of a study agree, kept until the next answer, merge or split of classes."""

from functools import lru_cache
from typing import Any

from django.db.models import Max

from labeling.agreement.summary import summarise
from labeling.agreement.table import from_long
from labeling.models import Annotation, Study
from labeling.services.progress import NOT_SURE_LABEL, left_out_of_agreement, reads_table


def agreement_of(study: Study) -> dict[str, Any]:
    """The agreement report over all standing reads of the study; "not sure" is shown three ways.

    `left_out`: answers to many crops at once and accepted suggestions, which are no independent readings.
    """
    newest = Annotation.objects.filter(study=study).aggregate(newest=Max("id"))["newest"] or 0
    moved = study.classes.order_by("pk").values_list("pk", "merged_into", "split_from")
    return _agreement(study.pk, newest, tuple(moved))


@lru_cache(maxsize=32)
def _agreement(study_id: int, newest_annotation: int, classes: tuple[tuple[int, int, int], ...]) -> dict[str, Any]:
    study = Study.objects.get(pk=study_id)
    found = summarise(from_long(reads_table(study), not_sure=NOT_SURE_LABEL))
    return found | {"left_out": left_out_of_agreement(study)}
