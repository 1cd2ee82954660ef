"""A reader of a study as its leads see them, and whether their answers count."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from labeling.models import Study
from labeling.services import exclusions
from labeling.services.reader_study.guard import led_results_for
from labeling.services.readers import figures_of, person_in
from labeling.views.acting import act


@require_safe
def reader(request: HttpRequest, pk: int, user_pk: int) -> HttpResponse:
    """What a reader did and how far it can be trusted, with its uncertainty; for leads."""
    study = led_results_for(request.user, pk)
    person = _person(study, user_pk)
    context = {
        "study": study,
        "reader": person,
        "figures": figures_of(study, person),
        "is_simulated": study.memberships.filter(user=person, is_simulated=True).exists(),
        "exclusion": exclusions.exclusion_of(study, person),
        "history": study.exclusions.filter(user=person).select_related("by", "lifted_by"),
        "longest_reason": exclusions.LONGEST_REASON,
    }
    return render(request, "labeling/reader.html", context)


@require_POST
def leave_out(request: HttpRequest, pk: int, user_pk: int) -> HttpResponseRedirect:
    """Leave a reader's answers out of everything that answers add up to; for leads."""
    study = led_results_for(request.user, pk)
    person, reason = _person(study, user_pk), request.POST.get("reason", "")
    said = f"Answers of {person.get_username()} are left out from now on; they stay stored."
    return act(
        request,
        study,
        said,
        lambda: exclusions.exclude(study, person, request.user, reason),
        "labeling:reader",
        user_pk,
    )


@require_POST
def put_back(request: HttpRequest, pk: int, user_pk: int) -> HttpResponseRedirect:
    """Let a reader's answers count again; for leads."""
    study = led_results_for(request.user, pk)
    person, reason = _person(study, user_pk), request.POST.get("reason", "")
    said = f"Answers of {person.get_username()} count again, as they were given."
    return act(
        request,
        study,
        said,
        lambda: exclusions.put_back(study, person, request.user, reason),
        "labeling:reader",
        user_pk,
    )


def _person(study: Study, pk: int) -> Any:
    """Who takes part in the study or has answered in it; Http404 for everybody else."""
    person = person_in(study, pk)
    if person is None:
        raise Http404("Nobody of this number reads in this study.")
    return person
