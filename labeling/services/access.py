"""Who may see and change a study; everything that is not allowed here is denied."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404

from audit.statements import LARGEST_NUMBER, Statement, columns, records
from imaging.models import Experiment
from imaging.services.access import grant_view, revoke_view
from labeling.models import Membership, Study

_OWN_STUDY = Statement(
    lambda study, user: Study.objects.filter(pk=study, memberships__user=user).values_list(*columns(Study)),
    study=int,
    user=int,
)


def studies_of(user: Any) -> QuerySet[Study]:
    """Studies that the user takes part in; administrators see all."""
    if user.is_superuser:
        return Study.objects.all()
    return Study.objects.filter(memberships__user=user).distinct()


def current_studies(studies: QuerySet[Study]) -> QuerySet[Study]:
    """Those of the studies that are not archived."""
    return studies.filter(archived_at__isnull=True)


def study_for(user: Any, pk: int) -> Study:
    """The study, or Http404: to a stranger a study that exists looks like one that does not."""
    found: list[Study] = []
    if user.is_superuser:
        found = list(studies_of(user).filter(pk=pk))
    elif pk <= LARGEST_NUMBER:
        found = records(Study, _OWN_STUDY.ask(study=pk, user=user.pk))
    if not found:
        raise Http404("No such study, or you take no part in it.")
    return found[0]


def is_lead(user: Any, study: Study) -> bool:
    """Whether the user leads the study."""
    return user.is_superuser or study.memberships.filter(user=user, role=Membership.Role.LEAD).exists()


def reads_blind(user: Any, study: Study) -> bool:
    """Whether the user must learn neither experiments nor opinions: so do annotators of a blind study."""
    return study.is_blind and not is_lead(user, study)


def studies_led_by(user: Any) -> QuerySet[Study]:
    """Studies that the user leads; administrators lead all."""
    if user.is_superuser:
        return Study.objects.all()
    return Study.objects.filter(memberships__user=user, memberships__role=Membership.Role.LEAD)


def may_create(user: Any) -> bool:
    """Whether the user may make a study: staff, and whoever leads one already."""
    return bool(user.is_staff or user.is_superuser) or studies_led_by(user).exists()


def led_study_for(user: Any, pk: int) -> Study:
    """The study when the user leads it; PermissionDenied for its annotators, Http404 for strangers."""
    study = study_for(user, pk)
    if not is_lead(user, study):
        raise PermissionDenied("Only leads of this study may do this.")
    return study


def join(study: Study, user: Any, role: str, *, is_simulated: bool = False) -> Membership:
    """Make the user a member; may be called twice.

    Members see the study's experiments and what models say of them, except annotators of a blind study: they see
    crops only, through the study.
    """
    membership, _ = Membership.objects.update_or_create(
        study=study, user=user, defaults={"role": role, "is_simulated": is_simulated}
    )
    if role == Membership.Role.LEAD or not study.is_blind:
        for experiment in study.experiments.all():
            grant_view(experiment, user)
    return membership


def withdraw_sight(study: Study, user: Any) -> None:
    """Take back what a membership that has ended let the user see, where no other study of theirs shows it."""
    withdraw_sight_of(study.experiments.all(), study, user)


def withdraw_sight_of(experiments: QuerySet[Experiment], study: Study, user: Any) -> None:
    """Take back the sight of experiments that the study showed the user, where no other study of theirs does.

    A blind study shows its annotators no experiment: it is no reason to keep one in sight.
    """
    led = Q(memberships__user=user, memberships__role=Membership.Role.LEAD)
    showing = studies_of(user).exclude(pk=study.pk).filter(Q(is_blind=False) | led)
    others = Experiment.objects.filter(studies__in=showing)
    for experiment in experiments.exclude(pk__in=others):
        revoke_view(experiment, user)
