"""Putting a study away and back; for leads."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from labeling.services import access
from labeling.services.archive import archive_study, restore_study
from labeling.views.acting import confirm_first


@require_http_methods(["GET", "HEAD", "POST"])
def archive(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, and on POST put the study away."""
    study = access.led_study_for(request.user, pk)
    if request.method == "POST":
        archive_study(study, request.user)
        messages.success(request, f"“{study.name}” is archived. It can be restored at any time.")
        return redirect("labeling:overview", pk)
    return confirm_first(
        request,
        study,
        title=f"Archive “{study.name}”?",
        said="Nobody is asked about its crops any more, and it is ranked no more. It leaves the list of studies.",
        kept=(
            "Nothing is deleted: answers, comments, models and the audit trail stay.",
            "Members still see the overview; you can still export, look at answers and train.",
            "Crops that readers hold go back. Answers that are still on their way are kept.",
            "Restoring it takes one click and goes on where it was.",
        ),
        act="Archive the study",
        back=("labeling:settings", "Settings"),
    )


@require_POST
def restore(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """Put the study back."""
    study = access.led_study_for(request.user, pk)
    restore_study(study, request.user)
    messages.success(request, f"“{study.name}” is back: its readers are asked again.")
    return redirect("labeling:overview", pk)
