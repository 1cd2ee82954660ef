"""Which version of the guidelines an annotator had before them, and which they have not opened yet."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q

from audit import services as audit
from audit.statements import Rows, Statement
from labeling.models import Annotation, GuidelineVersion, Membership, Study

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


def unopened_version(study: Study, user: Any) -> GuidelineVersion | None:
    """The version that stands where the user knows an older one and has not opened this; None where nothing is new.

    An older one is known to who opened or wrote it, or who answered before the newest was there.
    """
    membership = Membership.objects.filter(study=study, user=user).first()
    newest = GuidelineVersion.objects.filter(study=study).order_by("-number").first()
    if membership is None or newest is None or newest.number == 1 or newest.by_id == user.pk:
        return None
    if membership.guidelines_opened is not None:
        return newest if membership.guidelines_opened < newest.number else None
    earlier = Annotation.objects.filter(study=study, annotator=user, received_at__lt=newest.created_at)
    return newest if earlier.exists() else None


def note_opened(study: Study, user: Any, number: int) -> None:
    """Keep that the user opened this version; may be called again, and an older one changes nothing."""
    older = Q(guidelines_opened__isnull=True) | Q(guidelines_opened__lt=number)
    with transaction.atomic():
        membership = Membership.objects.select_for_update().filter(older, study=study, user=user).first()
        if membership is None:
            return
        membership.guidelines_opened = number
        membership.save(update_fields=["guidelines_opened"])
        detail = {"study": study.pk, "number": number}
        audit.record("guidelines.opened", membership, actor=audit.actor_of(user), detail=detail)
