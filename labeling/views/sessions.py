"""A disagreement session: its crops, a clock, notes, and the rule that it ends with; for leads."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from labeling.models import DisagreementSession, LabelClass, Study
from labeling.services import sessions
from labeling.services.guidelines import current_guideline
from labeling.services.reader_study.guard import led_results_for
from labeling.services.refusals import StudyRefused
from labeling.services.sessions import Outcome
from labeling.views.acting import line, number
from labeling.views.disputes import disputes_context

PLANNED_MIN = 20
MOST_TYPED = 100_000


@dataclass(frozen=True, slots=True)
class _Typed:
    """What a lead has typed into the form that closes a session; kept on the page where it is refused."""

    words: str
    text: str
    change: str
    examples: dict[int, str]


@require_POST
def start(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """Begin a session on two classes, or go on with the open one."""
    study = led_results_for(request.user, pk)
    a, b = (_class(study, request.POST.get(name)) for name in ("a", "b"))
    try:
        if a == b:
            raise StudyRefused("A session is on two different classes: choose a cell off the diagonal.")
        session = sessions.start_session(study, request.user, a, b)
    except StudyRefused as error:
        messages.error(request, str(error))
        return redirect("labeling:discuss", pk)
    return redirect("labeling:session", pk, session.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def session(request: HttpRequest, pk: int, session_pk: int) -> HttpResponse:
    """The page of a session; POST keeps its notes, or closes it, as the field `do` says."""
    study = led_results_for(request.user, pk)
    rows = DisagreementSession.objects.select_related("class_a", "class_b", "guideline", "by", "study")
    row = get_object_or_404(rows, pk=session_pk, study=study)
    if request.method != "POST":
        return _page(request, study, row)
    typed = _typed(request, row)
    try:
        if request.POST.get("do") == "notes":
            sessions.keep_notes(row, request.user, _long(request, "notes"))
            messages.success(request, "The notes are kept.")
        else:
            if (notes := _long(request, "notes")) and notes != row.notes:
                sessions.keep_notes(row, request.user, notes)
            sessions.close_session(row, request.user, _outcome(request, typed))
            messages.success(request, "The session is closed. What it changes shows once random crops are read anew.")
    except StudyRefused as error:
        row = rows.get(pk=session_pk)
        return _page(request, study, row, problem=str(error), typed=typed, status=400)
    return redirect("labeling:session", pk, row.pk)


def _class(study: Study, text: str | None) -> LabelClass:
    return get_object_or_404(LabelClass, pk=number(text) or 0, study=study)


def _typed(request: HttpRequest, row: DisagreementSession) -> _Typed:
    chosen = {crop: line(request, f"example-{crop}") for crop in row.crops.values_list("pk", flat=True)}
    return _Typed(
        words=_long(request, "words"),
        text=_long(request, "text"),
        change=line(request, "change"),
        examples={crop: key for crop, key in chosen.items() if key},
    )


def _outcome(request: HttpRequest, typed: _Typed) -> Outcome:
    if request.POST.get("do") == "close-unchanged":
        return Outcome(typed.words, examples=typed.examples)
    return Outcome(typed.words, typed.text, typed.change, number(request.POST.get("seen")), typed.examples)


def _page(
    request: HttpRequest,
    study: Study,
    row: DisagreementSession,
    *,
    problem: str = "",
    typed: _Typed | None = None,
    status: int = 200,
) -> HttpResponse:
    crops = list(row.crops.order_by("pk").values_list("pk", flat=True))
    at = number(request.GET.get("at"))
    at = min(max(at, 1), len(crops)) if at is not None and crops else None
    newest = current_guideline(study)
    study.refresh_from_db()
    context = {
        "session": row,
        "crops": crops,
        "at": at,
        "before": at - 1 if at and at > 1 else None,
        "after": at + 1 if at and at < len(crops) else None,
        "planned_min": PLANNED_MIN,
        "so_far_min": int((timezone.now() - row.started_at).total_seconds() // 60),
        "seen": newest.number if newest else "",
        "typed": typed or _Typed("", study.guidelines, "", {}),
        "notes": _long(request, "notes") if problem and "notes" in request.POST else row.notes,
        "problem": problem,
        "pairs": _pairs(row, crops, typed),
        "effect": sessions.effect_of(row) if row.closed_at else None,
    }
    shown = [crops[at - 1]] if at else crops
    return render(request, "labeling/session.html", context | disputes_context(request, study, shown), status=status)


def _pairs(row: DisagreementSession, crops: list[int], typed: _Typed | None) -> list[dict[str, Any]]:
    """For each crop the classes that it may become an example of, and which of them was chosen."""
    chosen = typed.examples if typed else {}
    open_ones = [one for one in (row.class_a, row.class_b) if one.retired_at is None]
    return [{"crop": crop, "classes": open_ones, "chosen": chosen.get(crop, "")} for crop in crops]


def _long(request: HttpRequest, name: str) -> str:
    return request.POST.get(name, "").replace("\0", "")[:MOST_TYPED]
