"""Making a study and changing its settings, classes and people; for leads."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from labeling.forms import ClassRows, MemberForm, NewStudyForm, SettingsForm
from labeling.models import LabelClass, Membership, Study
from labeling.services import access, classes, settings
from labeling.services.studies import StudyPlan, StudyRefused, create_study

FORM_PAGE = ["GET", "HEAD", "POST"]


@require_http_methods(FORM_PAGE)
def create(request: HttpRequest) -> HttpResponse:
    """The form for a new study; for staff and for leads of another study."""
    if not access.may_create(request.user):
        raise PermissionDenied("Only staff and leads of a study may make a study.")
    form = NewStudyForm(request.user, request.POST or None)
    rows = ClassRows(request.POST or None, prefix="class")
    if request.method == "POST" and form.is_valid() and rows.is_valid():
        plan = form.cleaned_data | {"experiments": tuple(form.cleaned_data["experiments"])}
        try:
            study = create_study(StudyPlan(**plan, classes=rows.classes()), request.user)
        except StudyRefused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Study “{study.name}” is made. Add its readers below.")
            return redirect("labeling:settings", study.pk)
    context = {"form": form, "rows": rows}
    return render(
        request, "labeling/new.html", context, status=400 if form.errors or rows.total_error_count() else 200
    )


@require_http_methods(FORM_PAGE)
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Settings, classes and people of a study."""
    study = access.led_study_for(request.user, pk)
    form = SettingsForm(request.user, request.POST or None, study=study, initial=SettingsForm.of(study))
    if request.method == "POST" and form.is_valid():
        try:
            changed = settings.change_study(study, request.user, form.cleaned_data)
        except StudyRefused as error:
            study.refresh_from_db()
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Saved: {_named(changed)}." if changed else "Nothing was changed.")
            return redirect("labeling:settings", pk)
    context = {
        "study": study,
        "form": form,
        "member_form": MemberForm(),
        "classes": study.classes.select_related("merged_into"),
        "open_classes": study.classes.filter(retired_at__isnull=True),
        "members": study.memberships.select_related("user").order_by("user__username"),
        "roles": Membership.Role.choices,
    }
    return render(request, "labeling/settings.html", context, status=400 if form.errors else 200)


@require_POST
def add_class(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """A further class of a study."""
    study = access.led_study_for(request.user, pk)
    name, key, color = (_line(request, field) for field in ("name", "key", "color"))
    said = f"“{name}” is a class of this study; readers see it when they load their page."
    return _done(
        request, study, said, lambda: classes.add_class(study, request.user, key[:100] or name[:100], name, color)
    )


@require_POST
def change_class(request: HttpRequest, pk: int, class_pk: int) -> HttpResponseRedirect:
    """Rename, retire or restore a class, as the field `do` says."""
    study = access.led_study_for(request.user, pk)
    row = get_object_or_404(LabelClass, pk=class_pk, study=study)
    acts: dict[str, tuple[str, Callable[[], Any]]] = {
        "retire": (f"“{row.name}” is retired; its answers stay.", lambda: classes.retire_class(row, request.user)),
        "restore": (f"“{row.name}” is back on the keyboard.", lambda: classes.restore_class(row, request.user)),
        "change": ("The class is changed.", lambda: _rename(row, request)),
    }
    said, act = acts.get(request.POST.get("do", ""), acts["change"])
    return _done(request, study, said, act)


@require_POST
def merge_class(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """Retire one class (`class`) and let its answers count for another one (`into`)."""
    study = access.led_study_for(request.user, pk)
    row, into = (study.classes.filter(pk=_number(request.POST.get(field))).first() for field in ("class", "into"))
    said = f"Answers for “{row}” count for “{into}” now."
    return _done(request, study, said, lambda: _merge(row, request.user, into))


@require_POST
def set_member(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """A new member, or another role for one."""
    study = access.led_study_for(request.user, pk)
    name, role = _line(request, "username")[:150], _line(request, "role")
    said = f"{name} is {role} of this study."
    return _done(request, study, said, lambda: settings.set_member(study, request.user, name, role))


@require_POST
def remove_member(request: HttpRequest, pk: int, member_pk: int) -> HttpResponseRedirect:
    """End a membership."""
    study = access.led_study_for(request.user, pk)
    member = get_object_or_404(Membership, pk=member_pk, study=study)
    said = f"{member.user} no longer takes part; their answers stay."
    return _done(request, study, said, lambda: settings.remove_member(member, request.user))


def _done(request: HttpRequest, study: Study, said: str, act: Callable[[], Any]) -> HttpResponseRedirect:
    """Do it, say so or why not, and go back to the settings; who leads the study no more, to the first page."""
    try:
        act()
        messages.success(request, said)
    except StudyRefused as error:
        messages.error(request, str(error))
    return redirect("labeling:settings", study.pk) if access.is_lead(request.user, study) else redirect("home")


def _merge(row: LabelClass | None, user: Any, into: LabelClass | None) -> None:
    if row is None or into is None:
        raise StudyRefused("Choose two classes: the one to merge, and the one that its answers shall count for.")
    classes.retire_class(row, user, into)


def _rename(row: LabelClass, request: HttpRequest) -> None:
    classes.change_class(row, request.user, _line(request, "name"), _line(request, "color") or row.color)


def _line(request: HttpRequest, field: str) -> str:
    # PostgreSQL stores no NUL.
    return request.POST.get(field, "").replace("\0", "")[:200]


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def _named(changed: list[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in changed)
