"""Who may see an experiment; everything that is not allowed here is denied."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404

from imaging.models import Experiment


def experiments_of(user: Any) -> QuerySet[Experiment]:
    """Experiments that the user may see; administrators see all."""
    if user.is_superuser:
        return Experiment.objects.all()
    return Experiment.objects.filter(viewers=user)


def experiment_for(user: Any, pk: int) -> Experiment:
    """The experiment, or Http404: to a stranger one that exists looks like one that does not."""
    experiment = experiments_of(user).filter(pk=pk).first()
    if experiment is None:
        raise Http404("No such experiment, or you may not see it.")
    return experiment


def grant_view(experiment: Experiment, user: Any) -> None:
    """Let the user see the experiment; may be called twice."""
    experiment.viewers.add(user)


def revoke_view(experiment: Experiment, user: Any) -> None:
    """Take the sight of the experiment back; may be called twice."""
    experiment.viewers.remove(user)
