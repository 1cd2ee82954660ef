"""What the pages of a study's settings share: do something, say so or why not, and go back."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse

from labeling.models import Study
from labeling.services import access
from labeling.services.refusals import StudyRefused

LONGEST_LINE = 200


def act(
    request: HttpRequest, study: Study, said: str, do: Callable[[], Any], to: str, *more: Any
) -> HttpResponseRedirect:
    """Do it, say so or why not, and go to the page `to` of the study; who leads it no more, to the first page."""
    try:
        do()
        messages.success(request, said)
    except StudyRefused as error:
        messages.error(request, str(error))
    return redirect(to, study.pk, *more) if access.is_lead(request.user, study) else redirect("home")


def confirm_first(
    request: HttpRequest, study: Study, *, title: str, said: str, kept: Sequence[str], act: str, back: tuple[str, str]
) -> HttpResponse:
    """A page that asks before something is done: what happens, what is kept, and a button that posts to its address.

    `back`: name of the study's page to return to, and what that page is called.
    """
    name, words = back
    context = {"study": study, "title": title, "said": said, "kept": kept, "act": act}
    return render(
        request, "labeling/confirm.html", context | {"back": reverse(name, args=[study.pk]), "back_words": words}
    )


def line(request: HttpRequest, field: str) -> str:
    """What was typed into a field of one line; "" where there is none."""
    # PostgreSQL stores no NUL.
    return request.POST.get(field, "").replace("\0", "")[:LONGEST_LINE]


def number(text: str | None) -> int | None:
    """A whole number of some row, or None."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def first_error(form: Any) -> str:
    """What is wrong with a form, as one sentence that names the field."""
    name, errors = next(iter(form.errors.items()))
    label = form.fields[name].label or name.capitalize() if name in form.fields else ""
    return f"{label}: {errors[0]}" if label else str(errors[0])
