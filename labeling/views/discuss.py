"""The discussion of disputed crops, for leads: which classes are mixed up, who said what, and what is decided."""

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from imaging.models import Crop
from labeling.agreement.confusion import Cell
from labeling.models import Annotation, LabelClass, Study
from labeling.services import decisions, discussion, sessions
from labeling.services.ambiguous import ReopenRefused, ask_third
from labeling.services.answers import AnswerConflict, AnswerRefused, Submission
from labeling.services.comments import CommentRefused, add_comment
from labeling.services.discussion import Settled
from labeling.services.examples import add_example
from labeling.services.progress import NOT_SURE_LABEL
from labeling.services.reader_study.guard import led_results_for
from labeling.services.refusals import StudyRefused
from labeling.views.acting import line, number
from labeling.views.disputes import card_response, disputes_context

LEVELS = 4
MOST_SESSIONS = 20
NO_DECISION = UUID(int=1)
ASKED = "A third reader is asked: the next one who has not read this crop gets it first."
EMPTY = {
    Settled.UNDECIDED: "Every crop of this cell is decided. Choose another cell, or show the decided ones.",
    Settled.DECIDED: "Nothing of this cell is decided yet. Show the undecided ones and settle them together.",
    Settled.ALL: "No crop is disputed between these two. Choose another cell of the table.",
}

# What the crops of a cell are that are not listed.
OTHERS = {
    Settled.UNDECIDED: "the others are decided",
    Settled.DECIDED: "the others are not decided yet",
    Settled.ALL: "",
}


@require_safe
def discuss(request: HttpRequest, pk: int) -> HttpResponse:
    """The table of confusions and, below it, the disputed crops of one of its cells."""
    study = led_results_for(request.user, pk)
    people = discussion.readers_in(study)
    readers = _readers(request, people)
    cells = discussion.confusion(study, readers)
    chosen = _chosen(request, study, cells)
    show = _show(request)
    crops = discussion.disputed_crops(study, *chosen, readers, show) if chosen else []
    total = len(discussion.disputed_crops(study, *chosen, readers)) if chosen else 0
    page = Paginator(crops, discussion.PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "people": people,
        "readers": readers,
        "matrix": _matrix(request, study, cells, chosen),
        "shows": [{"name": one.value, "on": one == show, "url": _url(request, show=one.value)} for one in Settled],
        "nothing": EMPTY[show],
        "total": total,
        "others": OTHERS[show],
        "sessions": _sessions(study),
        "most_crops": sessions.MOST_CROPS,
        **_about(request, study, chosen),
    }
    return render(
        request, "labeling/discuss.html", context | disputes_context(request, study, list(page.object_list))
    )


@require_POST
def decide(request: HttpRequest, pk: int, crop_pk: int) -> HttpResponse:
    """Settle a crop; 409 shows what stands where another lead decided meanwhile."""
    answer, _, key = request.POST.get("choice", "").replace("\0", "").partition(":")
    given = Submission(
        client_id=_uuid(request, "client_id", uuid4()),
        crop_id=crop_pk,
        answer=answer[:20],
        classes=(key[:100],) if key else (),
        answered_at=timezone.now(),
        reason=line(request, "reason"),
        replaces=None if (seen := _uuid(request, "replaces", NO_DECISION)) == NO_DECISION else seen,
    )
    return _done(request, pk, crop_pk, lambda study, _: decisions.decide(study, request.user, given), "Decided.")


@require_POST
def undo(request: HttpRequest, pk: int, crop_pk: int) -> HttpResponse:
    """Take a decision back."""
    ids = _uuid(request, "client_id", uuid4()), _uuid(request, "replaces", NO_DECISION)
    said = "The decision is taken back; the readers' answers count again."
    return _done(
        request, pk, crop_pk, lambda study, crop: decisions.undo_decision(study, request.user, crop, *ids), said
    )


@require_POST
def ask(request: HttpRequest, pk: int, crop_pk: int) -> HttpResponse:
    """Ask one more reader."""
    return _done(request, pk, crop_pk, lambda study, crop: ask_third(study, request.user, crop), ASKED)


@require_POST
def comment(request: HttpRequest, pk: int, crop_pk: int) -> HttpResponse:
    """A word on a crop."""
    text = request.POST.get("text", "").replace("\0", "")
    return _done(
        request, pk, crop_pk, lambda study, crop: add_comment(study, request.user, crop, text), "The comment is kept."
    )


@require_POST
def example(request: HttpRequest, pk: int, crop_pk: int) -> HttpResponse:
    """Show the crop as an example of a class."""
    key, note = line(request, "class"), line(request, "note")

    def show(study: Study, crop: Crop) -> None:
        row = study.classes.filter(key=key, retired_at__isnull=True).first()
        if row is None:
            raise StudyRefused("This study has no such open class: load the page again.")
        add_example(row, request.user, crop.pk, note)

    return _done(request, pk, crop_pk, show, "It is shown as an example in the guide from now on.")


def _done(request: HttpRequest, pk: int, crop_pk: int, do: Callable[[Study, Crop], Any], said: str) -> HttpResponse:
    """Do it and show the card as it is then, or why not."""
    study = led_results_for(request.user, pk)
    crop = get_object_or_404(Crop, pk=crop_pk, image__sample__experiment__studies=study)
    try:
        do(study, crop)
    except AnswerConflict as error:
        return card_response(request, study, crop.pk, problem=str(error), status=409)
    except (AnswerRefused, ReopenRefused, CommentRefused, StudyRefused) as error:
        return card_response(request, study, crop.pk, problem=str(error), status=400)
    return card_response(request, study, crop.pk, said=said)


def _readers(request: HttpRequest, people: Sequence[Any]) -> list[int]:
    """One or two readers whose pairs are wanted; names that nobody bears here are left out."""
    known = {person.pk for person in people}
    wanted = (number(request.GET.get(name)) for name in ("reader", "other"))
    return list(dict.fromkeys(one for one in wanted if one in known and one is not None))


def _chosen(request: HttpRequest, study: Study, cells: Sequence[Cell]) -> tuple[str, str] | None:
    """The cell that was asked for; without one the fullest."""
    keys = [*study.classes.order_by("position").values_list("key", flat=True), NOT_SURE_LABEL]
    asked = {request.GET.get("a", ""), request.GET.get("b", "")}
    if len(asked) < 2 or not asked <= {*keys}:
        apart = [cell for cell in cells if cell.a != cell.b]
        fullest = max(apart, key=lambda cell: cell.items, default=None)
        asked = {fullest.a, fullest.b} if fullest else set()
    found = [key for key in keys if key in asked]
    return (found[0], found[1]) if found else None


def _show(request: HttpRequest) -> Settled:
    asked = request.GET.get("show", "")
    return Settled(asked) if asked in set(Settled) else Settled.UNDECIDED


def _url(request: HttpRequest, **changes: Any) -> str:
    """This page with another choice, at its first crops."""
    kept = {name: value for name, value in request.GET.items() if name != "page"} | changes
    return "?" + urlencode({name: value for name, value in kept.items() if value not in (None, "")})


def _matrix(
    request: HttpRequest, study: Study, cells: Sequence[Cell], chosen: tuple[str, str] | None
) -> dict[str, Any]:
    """The lower half of the table: each label that was used on a crop that two read, in the order of the keys."""
    used = {label for cell in cells for label in (cell.a, cell.b)}
    known = {row.key: row for row in study.classes.all()}
    labels = [key for key in known if key in used] + [NOT_SURE_LABEL] * (NOT_SURE_LABEL in used)
    counts = {frozenset((cell.a, cell.b)): cell for cell in cells}
    most = max((cell.items for cell in cells if cell.a != cell.b), default=0)
    heads = [_label(known.get(key)) for key in labels]
    rows = []
    for at, key in enumerate(labels):
        line_of = [_cell(request, counts.get(frozenset((key, other))), most, chosen) for other in labels[: at + 1]]
        rows.append({"head": heads[at], "cells": [one | {"head": head} for one, head in zip(line_of, heads)]})
    return {"heads": heads, "rows": rows, "disputed": most}


def _label(row: LabelClass | None) -> dict[str, str]:
    if row is None:
        return {"name": str(Annotation.Answer.NOT_SURE.label), "color": ""}
    return {"name": row.name, "color": row.color}


def _cell(request: HttpRequest, cell: Cell | None, most: int, chosen: tuple[str, str] | None) -> dict[str, Any]:
    if cell is None:
        return {"items": 0}
    if cell.a == cell.b:
        return {"items": cell.items, "agree": True}
    return {
        "items": cell.items,
        "pairs": cell.pairs,
        "level": -(-LEVELS * cell.items // most),
        "on": chosen is not None and {cell.a, cell.b} == set(chosen),
        "url": f"{_url(request, a=cell.a, b=cell.b)}#crops",
    }


def _about(request: HttpRequest, study: Study, chosen: tuple[str, str] | None) -> dict[str, Any]:
    """The two that are looked at, and whether a session can be held on them."""
    if chosen is None:
        return {"chosen": None, "kept": []}
    known = {row.key: row for row in study.classes.filter(key__in=chosen)}
    rows = [known.get(key) for key in chosen]
    return {
        "chosen": [_label(row) for row in rows],
        "both": [row.pk for row in rows if row is not None and row.retired_at is None],
        "kept": [("a", chosen[0]), ("b", chosen[1]), ("show", _show(request).value)],
        "pages": _url(request),
    }


def _sessions(study: Study) -> list[dict[str, Any]]:
    rows = study.sessions.select_related("class_a", "class_b", "guideline", "by").order_by("-id")[:MOST_SESSIONS]
    return [{"row": row, "effect": sessions.effect_of(row) if row.closed_at else None} for row in rows]


def _uuid(request: HttpRequest, name: str, otherwise: UUID) -> UUID:
    try:
        return UUID(request.POST.get(name, "")[:40])
    except ValueError:
        return otherwise
