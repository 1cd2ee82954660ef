"""The protocol of a study of readers: draft, lock, progress, end and report."""

import csv
import io
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from labeling.exchange.text import guarded
from labeling.forms.protocol import CasesForm, DraftForm
from labeling.models import ReaderStudy, Study
from labeling.services import access
from labeling.services.queueing.cases import case_keys
from labeling.services.reader_study.closing import close_protocol, deviations
from labeling.services.reader_study.drafting import change_draft, choose_cases, draw_cases, protocol_of
from labeling.services.reader_study.guard import refuse_results
from labeling.services.reader_study.locking import draft_digest, lock_protocol, problems_of
from labeling.services.reader_study.progress import is_met, progress_of
from labeling.services.reader_study.protocol import readers_of
from labeling.services.reader_study.report import Report, Table, report_of
from labeling.services.refusals import StudyRefused
from labeling.views.acting import act, first_error

DRAFT_DEFAULTS = DraftForm.of(ReaderStudy())
PAGE = "labeling:protocol"


@require_http_methods(["GET", "HEAD", "POST"])
def protocol(request: HttpRequest, pk: int) -> HttpResponse:
    """The protocol as far as the user may see it; POST saves the draft, for leads."""
    study = access.study_for(request.user, pk)
    is_lead = access.is_lead(request.user, study)
    if request.method == "POST" and not is_lead:
        raise PermissionDenied("Only leads of this study may change its protocol.")
    found = protocol_of(study)
    if not is_lead:
        return render(request, "labeling/protocol_reader.html", _for_reader(request, study, found))
    if found is not None and found.locked_at is not None:
        return _locked(request, study, found)
    return _draft(request, study, found)


def _draft(request: HttpRequest, study: Study, found: ReaderStudy | None) -> HttpResponse:
    """The form of the draft, its cases, and what stands in the way of the lock."""
    shown = DraftForm.of(found) if found else DRAFT_DEFAULTS | {"seed": study.pk}
    form = DraftForm(request.POST or None, initial=shown)
    if request.method == "POST" and form.is_valid():
        try:
            change_draft(study, request.user, form.cleaned_data)
        except StudyRefused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "The draft is saved. Nothing is fixed before you lock it.")
            return redirect(PAGE, study.pk)
    context = {"study": study, "protocol": found, "form": form, "cases_form": CasesForm(auto_id="id_cases_%s")}
    if found is not None:
        context |= {
            "cases": case_keys(study, with_dropped=True),
            "problems": problems_of(found),
            "digest": draft_digest(found),
            "readers": readers_of(study),
        }
    return render(request, "labeling/protocol_draft.html", context, status=400 if form.errors else 200)


def _locked(request: HttpRequest, study: Study, found: ReaderStudy) -> HttpResponse:
    """Progress while it runs, and the report once it is closed."""
    if request.method == "POST":
        messages.error(request, "The protocol is locked: nothing was changed.")
        return redirect(PAGE, study.pk)
    context = {"study": study, "protocol": found, "fixed": found.fixed, "progress": progress_of(found)}
    if found.closed_at is None:
        more = {"is_met": is_met(found), "deviations": deviations(found)}
        return render(request, "labeling/protocol_running.html", context | more)
    report = report_of(found)
    return render(request, "labeling/protocol_report.html", context | _shown(report))


def _for_reader(request: HttpRequest, study: Study, found: ReaderStudy | None) -> dict[str, Any]:
    """What a reader may know: the question, how many cases they have read, and the digest."""
    if found is None or found.locked_at is None:
        raise Http404("This study has no locked protocol.")
    own = next((row for row in progress_of(found) if row.user == request.user.pk), None)
    return {"study": study, "protocol": found, "own": own}


@require_POST
def set_cases(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """Draw the cases, or take those that are named; for leads."""
    study = access.led_study_for(request.user, pk)
    return act(request, study, "The cases are set.", lambda: _set_cases(request, study), PAGE)


def _set_cases(request: HttpRequest, study: Study) -> None:
    form = CasesForm(request.POST)
    if not form.is_valid():
        raise StudyRefused(first_error(form))
    if form.cleaned_data["crops"]:
        choose_cases(study, request.user, form.cleaned_data["crops"])
    else:
        draw_cases(study, request.user, form.cleaned_data["count"])


@require_POST
def lock(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """Fix the protocol that the lead had before them and said so; for leads."""
    study = access.led_study_for(request.user, pk)
    return act(
        request,
        study,
        "The protocol is locked. Readers get its cases from now on.",
        lambda: _lock(request, study),
        PAGE,
    )


def _lock(request: HttpRequest, study: Study) -> None:
    if request.POST.get("sure") != "1":
        raise StudyRefused("Tick the box to say that the protocol may be fixed: nothing was locked.")
    lock_protocol(study, request.user, seen=request.POST.get("digest", ""))


@require_POST
def close(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """End the reading and open the results; for leads."""
    study = access.led_study_for(request.user, pk)
    reason = request.POST.get("reason", "").replace("\0", "").replace("\r\n", "\n")
    said = "The protocol is closed. Its results are open to leads."
    return act(request, study, said, lambda: close_protocol(study, request.user, reason), PAGE)


@require_safe
def table(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """A table of the report as CSV; for leads, once the protocol is closed."""
    study = access.led_study_for(request.user, pk)
    found = protocol_of(study)
    if found is None or found.locked_at is None:
        raise Http404("This study has no locked protocol.")
    refuse_results(study)
    chosen = report_of(found).table(key)
    if chosen is None:
        raise Http404("The report has no such table.")
    response = HttpResponse(_csv(chosen), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="study-{study.pk}-protocol-{chosen.key}.csv"'
    return response


def _csv(table: Table) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(table.columns)
    writer.writerows([guarded(cell) if isinstance(cell, str) else cell for cell in row] for row in table.rows)
    return stream.getvalue()


def _shown(report: Report) -> dict[str, Any]:
    """The report as its page prints it."""
    return {"report": report, "tables": [_printed(row) for row in report.tables]}


def _printed(table: Table) -> dict[str, Any]:
    """A table with its figures as text, each column with whether it holds numbers."""
    numeric = [any(isinstance(row[at], int | float) for row in table.rows) for at in range(len(table.columns))]
    return {
        "key": table.key,
        "title": table.title,
        "note": table.note,
        "columns": list(zip(table.columns, numeric)),
        "rows": [list(zip(map(_cell, row), numeric)) for row in table.rows],
    }


def _cell(cell: str | int | float | None) -> str:
    if cell is None or cell == "":
        return "–"
    if isinstance(cell, float):
        return f"{cell:.3f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
