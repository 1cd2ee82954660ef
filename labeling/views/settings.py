"""Making a study and changing how it asks; for leads."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from imaging.services.access import experiments_of
from labeling.forms.classes import ClassRows
from labeling.forms.presets import PRESETS, preset_named
from labeling.forms.study import GROUPS, NewStudyForm, SettingsForm
from labeling.forms.words import LABELS
from labeling.services import access, settings
from labeling.services.guidelines import current_guideline
from labeling.services.members import has_senior
from labeling.services.refusals import StudyRefused
from labeling.services.studies import StudyPlan, create_study

FORM_PAGE = ["GET", "HEAD", "POST"]


@require_http_methods(FORM_PAGE)
def create(request: HttpRequest) -> HttpResponse:
    """The form for a new study, filled with a preset where one is named; for staff and leads of another study."""
    if not access.may_create(request.user):
        raise PermissionDenied("Only staff and leads of a study may make a study.")
    preset = preset_named(request.GET.get("preset", ""))
    form = NewStudyForm(request.user, request.POST or None, initial=preset.values if preset else None)
    rows = ClassRows(request.POST or None, prefix="class")
    if "more" in request.POST:
        return _more_rows(request, form, rows)
    # Both, so that all that is wrong is said at once.
    if request.method == "POST" and all([form.is_valid(), rows.is_valid()]):
        plan = form.cleaned_data | {"experiments": tuple(form.cleaned_data["experiments"])}
        try:
            study = create_study(StudyPlan(**plan, classes=rows.classes()), request.user)
        except StudyRefused as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, f"Study “{study.name}” is made. Add its readers here, or send them a link.")
            return redirect("labeling:members", study.pk)
    status = 400 if form.errors or rows.total_error_count() else 200
    _focus(_wrong(form, rows))
    return render(request, "labeling/new.html", _new_page(request, form, rows, preset), status=status)


def _more_rows(request: HttpRequest, form: NewStudyForm, rows: Any) -> HttpResponse:
    """The page as it was typed, unchecked, with more empty rows for classes."""
    typed = rows.typed()
    fresh = ClassRows(prefix="class", initial=typed)
    _focus([fresh[len(typed)]["name"]] if len(fresh.forms) > len(typed) else [])
    unchecked = NewStudyForm(request.user, initial={name: form[name].value() for name in form.fields})
    return render(request, "labeling/new.html", _new_page(request, unchecked, fresh, None))


def _wrong(form: NewStudyForm, rows: Any) -> list[Any]:
    """The fields that are wrong, in the order of the page: the classes come after the question."""
    in_rows = [row[name] for row in rows for name in row.fields if row[name].errors]
    if rows.non_form_errors() and not in_rows:
        # What is wrong with the table as a whole is said of its first field.
        in_rows = [row["name"] for row in rows.forms[:1]]
        for field in in_rows:
            field.field.widget.attrs |= {"aria-describedby": "classes-error", "aria-invalid": "true"}
    question = {name for line in GROUPS[0][3] for name in line}
    wrong = form.wrong_fields()
    return [
        *(field for field in wrong if field.name in question),
        *in_rows,
        *(field for field in wrong if field.name not in question),
    ]


def _focus(fields: list[Any]) -> None:
    """Let whoever loads the page begin at the first of these fields."""
    for field in fields[:1]:
        field.field.is_focused = True
        # A group of choices is focused as a whole.
        if not field.use_fieldset:
            field.field.widget.attrs["autofocus"] = True


def _new_page(request: HttpRequest, form: NewStudyForm, rows: Any, preset: Any) -> dict[str, Any]:
    return {
        "form": form,
        "rows": rows,
        "presets": PRESETS,
        "chosen": preset,
        "preset_values": {row.key: _shown(form, row.values) for row in PRESETS},
        "has_experiments": experiments_of(request.user).exists(),
    }


def _shown(form: NewStudyForm, values: dict[str, Any]) -> dict[str, Any]:
    """The values as the page's controls hold them: shares in per cent."""
    return {name: form.fields[name].prepare_value(value) for name, value in values.items()}


@require_http_methods(FORM_PAGE)
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """How a study asks, and who sees what in it."""
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
    _focus(form.wrong_fields())
    context = {
        "study": study,
        "form": form,
        "lacks_senior": study.routes_not_sure_to_seniors and not has_senior(study),
        "guideline": current_guideline(study),
    }
    return render(request, "labeling/settings.html", context, status=400 if form.errors else 200)


def _named(changed: list[str]) -> str:
    return ", ".join(LABELS.get(name, name.replace("_", " ")) for name in changed)
