"""How far the readers of a study agree, kept until the next answer, merge or split of classes, or until a
reader is left out or put back."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db.models import Max

from labeling.agreement.report import full_report
from labeling.agreement.summary import summarise, with_themselves
from labeling.agreement.table import from_long
from labeling.models import Annotation, Study
from labeling.services.exclusions import exclusion_changes
from labeling.services.progress import NOT_SURE_LABEL, left_out_of_agreement, reads_table


def agreement_of(
    study: Study, *, with_imported: bool = False, ordered: Sequence[str] | None = None, full: bool = False
) -> dict[str, Any]:
    """The agreement report over the standing reads of the study; "not sure" is shown three ways.

    Imported answers count only where `with_imported` says that they were given independently. `left_out`: answers to
    many crops at once and accepted suggestions, which are no independent readings. Blind re-reads tell how far
    readers repeat themselves (`repeats`, `intra`), and count for nothing else. `ordered`: class keys from low to
    high; `full` adds the consensus model and the suspects, which take longer than a page may wait for.
    """
    newest = Annotation.objects.filter(study=study).aggregate(newest=Max("id"))["newest"] or 0
    moved = study.classes.order_by("pk").values_list("pk", "merged_into", "split_from")
    order = None if ordered is None else tuple(ordered)
    return _agreement(study.pk, newest, (*moved, *exclusion_changes(study)), with_imported, order, full)


@lru_cache(maxsize=32)
def _agreement(
    study_id: int,
    newest_annotation: int,
    changes: tuple[Any, ...],
    with_imported: bool,
    ordered: tuple[str, ...] | None,
    full: bool,
) -> dict[str, Any]:
    study = Study.objects.get(pk=study_id)
    table, again = (
        from_long(
            reads_table(study, with_imported=with_imported, with_rereads=rereads),
            not_sure=NOT_SURE_LABEL,
            in_turn=True,
        )
        for rereads in (False, True)
    )
    found = full_report(table, ordered) if full else summarise(table, ordered)
    return found | with_themselves(again, ordered) | {"left_out": left_out_of_agreement(study)}
