"""Which version of the guidelines an annotator had before them."""

from datetime import datetime
from typing import Any

from labeling.models import GuidelineVersion, Study


def newest_guideline(study: Study) -> GuidelineVersion | None:
    """The version that stands now; None where a study has none yet."""
    return GuidelineVersion.objects.filter(study=study).order_by("-number").first()


def newest_number(study: Study) -> int | None:
    """Number of the version that stands now; None where a study has none yet."""
    newest = GuidelineVersion.objects.filter(study=study).order_by("-number")
    return newest.values_list("number", flat=True).first()


def guideline_shown(study: Study, number: int | None, shown_at: datetime) -> Any:
    """The version of that number; where none is named or known, the one that stood when the crop was shown."""
    versions = GuidelineVersion.objects.filter(study=study)
    named = versions.filter(number=number).first() if number is not None else None
    return named or versions.filter(created_at__lte=shown_at).order_by("-number").first()
