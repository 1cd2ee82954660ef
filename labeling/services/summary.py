"""How far the readers of a study agree, kept until the next answer or merge of classes."""

from functools import lru_cache
from typing import Any

from django.db.models import Max

from labeling.agreement.summary import summarise
from labeling.agreement.table import from_long
from labeling.models import Annotation, Study
from labeling.services.progress import NOT_SURE_LABEL, reads_table


def agreement_of(study: Study, *, with_imported: bool = False) -> dict[str, Any]:
    """The agreement report over the standing reads of the study; "not sure" is shown three ways.

    Imported answers count only where `with_imported` says that they were given independently.
    """
    newest = Annotation.objects.filter(study=study).aggregate(newest=Max("id"))["newest"] or 0
    merged = study.classes.filter(merged_into__isnull=False).order_by("pk").values_list("pk", "merged_into")
    return _agreement(study.pk, newest, tuple(merged), with_imported)


@lru_cache(maxsize=32)
def _agreement(
    study_id: int, newest_annotation: int, merged: tuple[tuple[int, int], ...], with_imported: bool
) -> dict[str, Any]:
    study = Study.objects.get(pk=study_id)
    return summarise(from_long(reads_table(study, with_imported=with_imported), not_sure=NOT_SURE_LABEL))
