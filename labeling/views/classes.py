"""The classes of a study: the list in the order of the keyboard, and a page for each; for leads."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from labeling.api.payloads import crop_payload
from labeling.colors.palette import color_at
from labeling.colors.vision import Close, close_pairs
from labeling.forms.classes import ClassDetailsForm, PartRows
from labeling.models import ClassExample, LabelClass, Study
from labeling.services import access, classes
from labeling.services.class_history import history_of, history_of_class
from labeling.services.examples import LONGEST_NOTE, add_example, remove_example
from labeling.services.progress import by_class
from labeling.services.reader_study.guard import results_are_open
from labeling.services.refusals import StudyRefused
from labeling.views.acting import act, first_error, line, number

FORM_PAGE = ["GET", "HEAD", "POST"]
MOST_PAIRS = 5
VISION_WORDS = {
    "everybody": "to everybody",
    "protan": "to people without red cones (protanopia)",
    "deutan": "to people without green cones (deuteranopia)",
    "tritan": "to people without blue cones (tritanopia)",
}


@require_http_methods(FORM_PAGE)
def class_list(request: HttpRequest, pk: int) -> HttpResponse:
    """The classes in the order of the keyboard; POST adds one."""
    study = access.led_study_for(request.user, pk)
    if request.method == "POST":
        return _add(request, study)
    return render(request, "labeling/classes.html", _list_page(study))


def _add(request: HttpRequest, study: Study) -> HttpResponseRedirect:
    name, key, color = (line(request, field) for field in ("name", "key", "color"))
    said = f"“{name}” is a class of this study; readers see it when they load their page."
    return act(
        request,
        study,
        said,
        lambda: classes.add_class(study, request.user, key[:100] or name[:100], name, color),
        "labeling:classes",
    )


def _list_page(study: Study) -> dict[str, Any]:
    rows = list(
        study.classes.select_related("merged_into", "split_from")
        .annotate(shown=Count("examples", distinct=True), split_into=Count("parts", distinct=True))
        .order_by("position")
    )
    counts = _answers(study)
    for row in rows:
        row.answers = counts.get(row.key, 0) if counts is not None else None
    open_ones = [row for row in rows if row.retired_at is None]
    close = close_pairs([row.color for row in open_ones])
    return {
        "study": study,
        "open_classes": open_ones,
        "retired": [row for row in rows if row.retired_at is not None],
        "close": _told(open_ones, close[:MOST_PAIRS]),
        "close_count": len(close),
        "next_color": color_at(len(rows)),
        "history": history_of(study),
    }


def _answers(study: Study) -> dict[str, int] | None:
    """Number of answers that count for each class; None while the results are closed."""
    return {row["key"]: row["count"] for row in by_class(study)} if results_are_open(study) else None


def _told(rows: list[LabelClass], pairs: list[Close]) -> list[dict[str, Any]]:
    """Pairs of classes whose colours look nearly the same, and to whom."""
    return [
        {"first": rows[pair.first], "second": rows[pair.second], "to_whom": VISION_WORDS[pair.vision]}
        for pair in pairs
    ]


@require_http_methods(FORM_PAGE)
def class_page(request: HttpRequest, pk: int, class_pk: int) -> HttpResponse:
    """One class: name, colour, description, examples, history; POST changes it as the field `do` says."""
    study = access.led_study_for(request.user, pk)
    row = get_object_or_404(LabelClass.objects.select_related("merged_into", "split_from"), pk=class_pk, study=study)
    if request.method == "POST":
        said, do = _acts(request, row).get(request.POST.get("do", ""), ("", lambda: _change(request, row)))
        return act(request, study, said or "The class is changed.", do, *_back(request, row))
    context = _class_context(study, row)
    parts = PartRows(prefix="part")
    parts.first_place = study.classes.count()
    return render(request, "labeling/class.html", context | {"parts": parts})


def _acts(request: HttpRequest, row: LabelClass) -> dict[str, tuple[str, Callable[[], Any]]]:
    user = request.user
    place = number(request.POST.get("place")) or 1
    return {
        "retire": (f"“{row.name}” is retired; its answers stay.", lambda: classes.retire_class(row, user)),
        "restore": (f"“{row.name}” is back on the keyboard.", lambda: classes.restore_class(row, user)),
        "move": (f"“{row.name}” has another key now.", lambda: classes.move_class(row, user, min(place, 10_000))),
        "undo_split": (
            f"“{row.name}” is whole again; its answers count again.",
            lambda: classes.undo_split(row, user),
        ),
    }


def _back(request: HttpRequest, row: LabelClass) -> tuple[Any, ...]:
    return ("labeling:classes",) if request.POST.get("back") == "list" else ("labeling:class", row.pk)


def _change(request: HttpRequest, row: LabelClass) -> None:
    given = {"color": row.color, "description": row.description} | request.POST.dict()
    form = ClassDetailsForm(given)
    if not form.is_valid():
        raise StudyRefused(first_error(form))
    classes.change_class(row, request.user, **form.cleaned_data)


def _class_context(study: Study, row: LabelClass) -> dict[str, Any]:
    examples = list(row.examples.select_related("crop__image__sample__experiment").order_by("id"))
    open_ones = list(study.classes.filter(retired_at__isnull=True).order_by("position"))
    place = open_ones.index(row) if row in open_ones else None
    close = [pair for pair in close_pairs([one.color for one in open_ones]) if place in (pair.first, pair.second)]
    return {
        "study": study,
        "row": row,
        "place": None if place is None else place + 1,
        "open_count": len(open_ones),
        "others": [one for one in open_ones if one != row],
        "split_into": list(row.parts.order_by("position")),
        "answers": (_answers(study) or {}).get(row.key),
        "close": _told(open_ones, close[:MOST_PAIRS]),
        "examples": examples,
        "pictures": {example.crop_id: crop_payload(study, example.crop) for example in examples},
        "longest_note": LONGEST_NOTE,
        "history": history_of_class(row),
    }


@require_POST
def split_class(request: HttpRequest, pk: int, class_pk: int) -> HttpResponse:
    """Put two or more new classes in the place of one."""
    study = access.led_study_for(request.user, pk)
    row = get_object_or_404(LabelClass, pk=class_pk, study=study)
    parts = PartRows(request.POST, prefix="part")
    problem = "" if parts.is_valid() else "A part lacks a name, or its key or colour cannot be."
    if not problem:
        try:
            classes.split_class(row, request.user, parts.classes())
        except StudyRefused as error:
            problem = str(error)
        else:
            messages.success(request, f"“{row.name}” is split; the crops that it was given to are asked again.")
            return redirect("labeling:classes", pk)
    context = _class_context(study, row) | {"parts": parts, "split_problem": problem}
    return render(request, "labeling/class.html", context, status=400)


@require_POST
def merge_class(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """Retire one class (`class`) and let its answers count for another one (`into`)."""
    study = access.led_study_for(request.user, pk)
    row, into = (study.classes.filter(pk=number(request.POST.get(field))).first() for field in ("class", "into"))
    said = f"Answers for “{row}” count for “{into}” now."
    return act(request, study, said, lambda: _merge(row, request.user, into), "labeling:classes")


def _merge(row: LabelClass | None, user: Any, into: LabelClass | None) -> None:
    if row is None or into is None:
        raise StudyRefused("Choose two classes: the one to merge, and the one that its answers shall count for.")
    classes.retire_class(row, user, into)


@require_POST
def set_example(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """Show a crop (`crop`) as an example of a class (`class`), with a word on why (`note`)."""
    study = access.led_study_for(request.user, pk)
    row = study.classes.filter(pk=number(request.POST.get("class"))).first()
    crop = number(request.POST.get("crop"))
    said = f"Crop {crop} is an example of “{row}” now." if row else ""
    to: tuple[Any, ...] = ("labeling:class", row.pk) if row else ("labeling:classes",)
    if request.POST.get("back") == "crop" and crop is not None:
        to = ("training:crop", crop)
    return act(request, study, said, lambda: _set_example(row, request, crop), *to)


def _set_example(row: LabelClass | None, request: HttpRequest, crop: int | None) -> None:
    if row is None or crop is None:
        raise StudyRefused("Choose a class and type the number of a crop: it stands on the crop's page.")
    add_example(row, request.user, crop, line(request, "note"))


@require_POST
def drop_example(request: HttpRequest, pk: int, example_pk: int) -> HttpResponseRedirect:
    """Show a crop as an example no more."""
    study = access.led_study_for(request.user, pk)
    example = get_object_or_404(
        ClassExample.objects.select_related("label_class", "crop"), pk=example_pk, label_class__study=study
    )
    row = example.label_class
    said = f"Crop {example.crop_id} is no example any more."
    return act(request, study, said, lambda: remove_example(example, request.user), "labeling:class", row.pk)
