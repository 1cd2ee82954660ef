"""The guidelines of a study: the text in force, every version before it, and what changed between two of them."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from labeling.forms.study import GuidelinesForm
from labeling.models import GuidelineVersion, Study
from labeling.services import access
from labeling.services.guidelines import answers_by_version, change_guidelines, compare
from labeling.services.guidelines_shown import note_opened
from labeling.services.refusals import StudyRefused
from labeling.views.acting import number


@require_http_methods(["GET", "HEAD", "POST"])
def guidelines(request: HttpRequest, pk: int) -> HttpResponse:
    """The guidelines for all members; leads change them here, and see how many answers each version has."""
    study = access.study_for(request.user, pk)
    is_lead = access.is_lead(request.user, study)
    if request.method == "POST" and not is_lead:
        raise PermissionDenied("Only leads of this study may change its guidelines.")
    versions = list(study.guideline_versions.select_related("by").order_by("-number"))
    newest = versions[0].number if versions else 0
    form = GuidelinesForm(request.POST or None, initial={"text": study.guidelines, "seen": newest})
    if request.method == "POST" and form.is_valid() and _save(request, study, form):
        return redirect("labeling:guidelines", pk)
    context = {"study": study, "is_lead": is_lead, "form": form, "versions": _told(study, versions, is_lead=is_lead)}
    chosen = _chosen(request, versions)
    if request.method == "GET" and newest:
        note_opened(study, request.user, newest)
    return render(request, "labeling/guidelines.html", context | chosen, status=400 if form.errors else 200)


def _save(request: HttpRequest, study: Study, form: GuidelinesForm) -> bool:
    """Put the text in force; whether that went well. Where another version came first, the form says so."""
    try:
        changed = change_guidelines(study, request.user, **form.cleaned_data)
    except StudyRefused as error:
        form.add_error(None, str(error))
        # The next try is made in knowledge of the version that came first.
        form.data = form.data.copy()
        form.data["seen"] = str(study.guideline_versions.order_by("-number").values_list("number", flat=True).first())
        study.refresh_from_db()
        return False
    said = "Saved. Answers from now on name this version." if changed else "The text is as it was: no new version."
    messages.success(request, said)
    return True


def _told(study: Study, versions: list[GuidelineVersion], *, is_lead: bool) -> list[dict[str, Any]]:
    counts = answers_by_version(study) if is_lead else {}
    return [{"row": row, "answers": counts.get(row.pk, 0)} for row in versions]


def _chosen(request: HttpRequest, versions: list[GuidelineVersion]) -> dict[str, Any]:
    """The version that is looked at and the one that it is compared with: the one before, unless asked otherwise."""
    by_number = {row.number: row for row in versions}
    shown = by_number.get(number(request.GET.get("version")) or 0)
    if shown is None:
        return {}
    before = by_number.get(number(request.GET.get("with")) or shown.number - 1)
    lines = compare(before.text if before else "", shown.text)
    return {"shown": shown, "before": before, "lines": lines}
