"""Which version of the guidelines an annotator had before them."""

from datetime import datetime

from audit.statements import Rows, Statement
from labeling.models import GuidelineVersion, Study

# One row, also of a study without guidelines: whether its protocol is locked comes with it.
NEWEST = Statement(
    lambda study: (
        Study.objects.filter(pk=study)
        .order_by("-guideline_versions__number")
        .values_list("guideline_versions__pk", "guideline_versions__number", "is_reader_study")[:1]
    ),
    study=int,
)


def newest_number(study: Study) -> int | None:
    """Number of the version that stands now; None where a study has none yet."""
    return number_in(NEWEST.ask(study=study.pk))


def number_in(newest: Rows) -> int | None:
    """The same from rows of NEWEST."""
    return newest[0][1] if newest else None


def is_locked_in(newest: Rows) -> bool:
    """Whether the protocol of the study is locked now, from rows of NEWEST."""
    return bool(newest and newest[0][2])


def guideline_shown(study: Study, newest: Rows, number: int | None, shown_at: datetime) -> int | None:
    """Primary key of the version of that number; where none is named or known, of the one that stood when the crop
    was shown; None where there was none. `newest`: rows of NEWEST."""
    if not newest or newest[0][0] is None:
        return None
    if newest[0][1] == number:
        return int(newest[0][0])
    versions = GuidelineVersion.objects.filter(study=study).order_by("-number").values_list("pk", flat=True)
    named = versions.filter(number=number).first() if number is not None else None
    return named or versions.filter(created_at__lte=shown_at).first()
