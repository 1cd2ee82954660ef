"""A reader's own answers: to look at, to change, to take back; and what they did day by day."""

from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_POST, require_safe

from imaging.models import Crop
from labeling.api.payloads import picture_payload
from labeling.models import Annotation, Study
from labeling.services import access, history
from labeling.services.answers import AnswerConflict, AnswerRefused, Submission
from labeling.services.comments import CommentRefused, add_comment
from labeling.services.preferences import preferences_of
from labeling.services.reader_study.guard import is_done, refuse_results, results_are_open
from labeling.services.reads import told_why
from labeling.views.bars import bars_of

NO_ANSWER = UUID(int=1)
MARK_NAMES = {"comment": "with my comment", "changed": "changed", "bulk": "bulk"}
NOTHING = "No answer fits these filters. Choose “all”, or take a filter away."
NOTHING_YET = "Answers appear here as soon as they are given. Read crops to begin."


@require_safe
def mine(request: HttpRequest, pk: int) -> HttpResponse:
    """The page, or its list alone where htmx asks; `?reader=` opens another reader's for leads, to look at only."""
    study = access.study_for(request.user, pk)
    reader = _reader(request, study)
    wanted = _filter(request)
    rows, more = history.page_of(
        history.answers_of(study, reader, request.user, wanted), _number(request.GET.get("before"))
    )
    context = _list_context(request, study, reader, rows)
    context |= {"wanted": wanted, "more_url": _url(request, before=more) if more else ""}
    if getattr(request, "htmx", False):
        return render(request, "labeling/_mine_list.html", context)
    return render(request, "labeling/mine.html", context | _page_context(request, study, reader))


@require_POST
def change(request: HttpRequest, pk: int, crop_pk: int) -> HttpResponse:
    """Another answer to a crop in place of one's own; 409 shows both where something else stands meanwhile."""
    study = access.study_for(request.user, pk)
    crop = _crop(study, crop_pk)
    said, _, label = request.POST.get("choice", "").replace("\0", "").partition(":")
    given = Submission(
        client_id=_uuid(request, "client_id"),
        crop_id=crop.pk,
        answer=said[:20],
        classes=(label[:100],) if label else (),
        answered_at=timezone.now(),
        replaces=None if (seen := _uuid(request, "replaces")) == NO_ANSWER else seen,
    )
    try:
        return _row(request, study, crop, history.change_answer(study, request.user, given))
    except AnswerConflict as error:
        return _conflict(request, study, crop, error, request.POST["choice"])
    except AnswerRefused as error:
        return _row(request, study, crop, None, problem=str(error), status=400)


@require_POST
def take_back(request: HttpRequest, pk: int, crop_pk: int) -> HttpResponse:
    """Withdraw one's own answer to a crop."""
    study = access.study_for(request.user, pk)
    crop = _crop(study, crop_pk)
    ids = _uuid(request, "client_id"), _uuid(request, "replaces")
    try:
        return _row(request, study, crop, history.take_back(study, request.user, crop.pk, *ids))
    except AnswerConflict as error:
        return _conflict(request, study, crop, error, "withdrawn")
    except AnswerRefused as error:
        return _row(request, study, crop, None, problem=str(error), status=400)


@require_POST
def comment(request: HttpRequest, pk: int, crop_pk: int) -> HttpResponse:
    """A word about a crop that one has answered."""
    study = access.study_for(request.user, pk)
    crop = _crop(study, crop_pk)
    if not history.answers_of(study, request.user, request.user).filter(crop=crop).exists():
        raise Http404("You have not answered this crop.")
    try:
        add_comment(study, request.user, crop, request.POST.get("text", "").replace("\0", ""))
    except CommentRefused as error:
        return _row(request, study, crop, None, problem=str(error), status=400)
    return _row(request, study, crop, None)


def _reader(request: HttpRequest, study: Study) -> Any:
    number = _number(request.GET.get("reader"))
    if number is None or number == request.user.pk:
        return request.user
    if not access.is_lead(request.user, study):
        raise PermissionDenied("Only leads of this study see the answers of others.")
    refuse_results(study)
    known = get_user_model().objects.filter(pk=number)
    reader = known.filter(memberships__study=study).first() or known.filter(annotations__study=study).first()
    if reader is None:
        raise Http404("Nobody of this number reads in this study.")
    return reader


def _filter(request: HttpRequest) -> history.Filter:
    kind = request.GET.get("kind", "")
    try:
        day = parse_date(request.GET.get("day", ""))
    except ValueError:
        day = None
    return history.Filter(
        label=request.GET.get("class", "").replace("\0", "")[:100],
        kind=kind if kind in history.KINDS else "",
        day=day if day and date(1970, 1, 2) <= day <= date(9000, 1, 1) else None,
        marks=frozenset(name for name in history.MARKS if request.GET.get(name) == "1"),
    )


def _url(request: HttpRequest, **changes: Any) -> str:
    """This page with other filters; None takes one away, and every change begins at the newest answer."""
    given = {name: value for name, value in request.GET.items() if name != "before"} | changes
    return "?" + urlencode({name: value for name, value in given.items() if value not in (None, "")})


def _page_context(request: HttpRequest, study: Study, reader: Any) -> dict[str, Any]:
    lead = access.is_lead(request.user, study) and results_are_open(study)
    goal = study.memberships.filter(user=reader).values_list("daily_goal", flat=True).first()
    days = history.own_days(study, reader)
    return {
        "days": days,
        "bars": bars_of(days, goal),
        "goal": goal,
        "everybody": history.everybodys_days(study) if lead else [],
        "days_of_all": history.DAYS_OF_ALL,
        "hides_old": history.hides_old_answers(study, request.user),
        "config": {
            "classes": list(_open_classes(study).values("key", "name")),
            "keys": preferences_of(request.user).keys,
        },
        "zone": timezone.get_current_timezone_name(),
    }


def _chips(request: HttpRequest, study: Study) -> list[dict[str, Any]]:
    now = _filter(request)
    chips = [
        {"name": "all", "url": _url(request, **{"class": None, "kind": None}), "on": not now.label and not now.kind}
    ]
    for row in _open_classes(study):
        url = _url(request, **{"class": row.key, "kind": None})
        chips.append({"name": row.name, "color": row.color, "url": url, "on": now.label == row.key})
    for kind in history.KINDS:
        url = _url(request, **{"class": None, "kind": kind})
        chips.append({"name": Annotation.Answer(kind).label, "url": url, "on": now.kind == kind})
    return chips


def _marks(request: HttpRequest) -> list[dict[str, Any]]:
    now = _filter(request).marks
    return [
        {
            "name": name,
            "label": MARK_NAMES[name],
            "on": name in now,
            "url": _url(request, **{name: None if name in now else 1}),
        }
        for name in history.MARKS
    ]


def _open_classes(study: Study) -> Any:
    return study.classes.filter(retired_at__isnull=True)


def _list_context(request: HttpRequest, study: Study, reader: Any, rows: list[Annotation]) -> dict[str, Any]:
    crops, is_lead = [row.crop_id for row in rows], access.is_lead(request.user, study)
    before, comments = history.changes_of(rows), history.own_comments(study, reader, crops)
    return {
        "study": study,
        "reader": reader,
        "is_own": reader == request.user,
        "is_done": is_done(study),
        "is_lead": is_lead,
        "filters": _chips(request, study),
        "marks": _marks(request),
        "kept": [(name, value) for name, value in request.GET.items() if name not in ("day", "before")],
        "newest_url": _url(request) if "before" in request.GET else "",
        "nothing": NOTHING if request.GET else NOTHING_YET,
        "rows": [
            _tile(row, before.get(row.pk, []), comments.get(row.crop_id, [])) | _facts(study, row, is_lead=is_lead)
            for row in rows
        ],
        "pictures": {row.crop_id: picture_payload(study, row.crop) for row in rows},
    }


def _tile(row: Annotation, before: list[Annotation], comments: list[Any]) -> dict[str, Any]:
    return {
        "row": row,
        "said": _said(row),
        "before": [{"said": _said(old), "at": old.received_at} for old in before],
        "comments": comments,
        "client_id": uuid4(),
    }


def _facts(study: Study, row: Annotation, *, is_lead: bool) -> dict[str, str]:
    """Where the crop is from and why it was asked, unless the study is blind; leads learn all of it."""
    if study.is_blind and not is_lead:
        return {}
    why = row.why_asked if is_lead else told_why(row.why_asked)
    names = [row.crop.image.sample.experiment.name, why, "re-read" if row.is_reread and is_lead else ""]
    url = reverse("training:crop", args=[study.pk, row.crop_id])
    return {"facts": " · ".join(dict.fromkeys(filter(None, names))), "url": url}


def _said(row: Annotation) -> dict[str, str]:
    """What was answered: name and colour of the class, or the kind, with the reason."""
    label = next((label.label_class for label in row.labels.all()), None)
    reason = row.get_reason_code_display() if row.reason_code else ""
    return {
        "name": label.name if label else row.get_answer_display(),
        "color": label.color if label else "",
        "reason": " · ".join(part for part in (str(reason), row.reason) if part),
    }


def _row(
    request: HttpRequest, study: Study, crop: Crop, row: Annotation | None, *, status: int = 200, **more: Any
) -> HttpResponse:
    """The tile of a crop as it is now."""
    if row is None:
        rows = Annotation.objects.filter(study=study, annotator=request.user, crop=crop, superseded_by__isnull=True)
        row = rows.exclude(source=Annotation.Source.DECISION).order_by("-id").first()
        if row is None:
            raise Http404("You have not answered this crop.")
    known = Annotation.objects.select_related("crop__image__sample__experiment")
    row = known.prefetch_related("labels__label_class").get(pk=row.pk)
    comments = history.own_comments(study, request.user, [crop.pk]).get(crop.pk, [])
    tile = _tile(row, history.changes_of([row]).get(row.pk, []), comments)
    tile |= _facts(study, row, is_lead=access.is_lead(request.user, study))
    about = {"study": study, "is_own": True, "is_done": is_done(study)}
    context = about | {"tile": tile, "is_fresh": status == 200, **more}
    return render(request, "labeling/_mine_row.html", context, status=status)


def _conflict(request: HttpRequest, study: Study, crop: Crop, error: AnswerConflict, choice: str) -> HttpResponse:
    """The tile with what stands and what was wanted, to choose from."""
    answer, _, label = choice.partition(":")
    named = study.classes.filter(key=label).first() if label else None
    other = {"choice": choice, "name": named.name if named else Annotation.Answer(answer).label}
    return _row(request, study, crop, error.standing, problem=str(error), other=other, status=409)


def _crop(study: Study, pk: int) -> Crop:
    return get_object_or_404(Crop.objects.filter(image__sample__experiment__studies=study), pk=pk)


def _uuid(request: HttpRequest, name: str) -> UUID:
    """The id in a field; a fresh one for `client_id` and none for `replaces` where there is none that can be read."""
    try:
        return UUID(request.POST.get(name, "")[:40])
    except ValueError:
        return uuid4() if name == "client_id" else NO_ANSWER


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
