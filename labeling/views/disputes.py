"""What a disputed crop shows on a page: who said what, what was decided, comments, and what can be done about it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from labeling.api.payloads import crop_payload
from labeling.models import Annotation, LabelClass, Study
from labeling.services.discussion import Discussed, discussed
from labeling.services.preferences import preferences_of
from labeling.services.reads import ADJUDICATION
from labeling.views.acting import line

NOT_DECIDABLE = "not decidable"


def disputes_context(request: HttpRequest, study: Study, crops: Sequence[int]) -> dict[str, Any]:
    """The crops as cards, with all that the page's script needs to draw them and to know the keys of the classes."""
    found = discussed(study, crops)
    classes = list(_open_classes(study))
    return {
        "study": study,
        "cards": [_card(study, row, classes) for row in found],
        "pictures": {row.crop.pk: _picture(study, row) for row in found},
        "config": {
            "classes": [{"key": row.key, "name": row.name} for row in classes],
            "keys": preferences_of(request.user).keys,
        },
    }


def card_response(
    request: HttpRequest, study: Study, crop: int, *, problem: str = "", said: str = "", status: int = 200
) -> HttpResponse:
    """The card of one crop as it is now, with what was done or why not."""
    (row,) = discussed(study, [crop])
    card = _card(study, row, list(_open_classes(study)))
    # What was typed is not lost where nothing was stored.
    reason = line(request, "reason") if problem else ""
    context = {"study": study, "card": card, "problem": problem, "done": said, "reason": reason}
    return render(request, "labeling/_dispute.html", context, status=status)


def _open_classes(study: Study) -> Any:
    return study.classes.filter(retired_at__isnull=True).order_by("position")


def _card(study: Study, row: Discussed, classes: Sequence[LabelClass]) -> dict[str, Any]:
    reads = [_read(one) for one in row.reads]
    counted = [read for read in reads if read["counts"]]
    named = {read["key"] for read in counted}
    decision = row.decision and _read(row.decision)
    if decision and row.decision and row.decision.answer == Annotation.Answer.NOT_SURE:
        decision["name"] = NOT_DECIDABLE
    return {
        "crop": row.crop,
        "place": " · ".join((row.crop.image.sample.experiment.name, row.crop.image.sample.name)),
        "url": reverse("training:crop", args=[study.pk, row.crop.pk]),
        "reads": reads,
        "shares": _shares(counted),
        "counted": len(counted),
        "decision": decision,
        "stands": row.decision.client_id if row.decision else "",
        "comments": row.comments,
        "settled": _settled(study, row),
        "waits": row.waits,
        "client_id": uuid4(),
        # The classes in dispute first of all; any other is one key or one list away.
        "choices": [(place, one) for place, one in enumerate(classes, start=1) if one.key in named],
        "classes": classes,
    }


def _settled(study: Study, row: Discussed) -> str:
    """Name of the class that a further reader has settled the crop on; "" where a lead has decided, or nobody."""
    if row.decision or not row.settled_on:
        return ""
    return str(study.classes.values_list("name", flat=True).get(key=row.settled_on))


def _read(row: Annotation) -> dict[str, Any]:
    """Who said what, when, and why it may count for less."""
    label = next((label.label_class for label in row.labels.all()), None)
    counts_for = label and (label.merged_into or label)
    reason = str(row.get_reason_code_display()) if row.reason_code else ""
    return {
        "reader": row.annotator.get_username(),
        "name": counts_for.name if counts_for else str(row.get_answer_display()),
        "key": counts_for.key if counts_for else "",
        "color": counts_for.color if counts_for else "",
        "before": label.name if label and label != counts_for else "",
        "reason": " · ".join(part for part in (reason, row.reason) if part),
        "at": row.received_at,
        "marks": _marks(row, counts_for),
        "counts": not (_is_split(counts_for) or getattr(row, "is_left_out", False)),
    }


def _is_split(counts_for: LabelClass | None) -> bool:
    return counts_for is not None and bool(counts_for.parts.all())


def _marks(row: Annotation, counts_for: LabelClass | None) -> list[str]:
    said = {
        "many at once": row.is_bulk,
        "suggestion taken": bool(row.suggested_by),
        "imported": row.source == Annotation.Source.IMPORT,
        "simulated": row.source == Annotation.Source.SIMULATED,
        "class was split since": _is_split(counts_for),
        "left out": getattr(row, "is_left_out", False),
        "asked to decide": row.why_asked == ADJUDICATION and row.source != Annotation.Source.DECISION,
    }
    return [words for words, holds in said.items() if holds]


def _shares(reads: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What share of the reads that count says what, the most frequent first."""
    counts = Counter((read["name"], read["color"]) for read in reads)
    return [
        {"name": name, "color": color, "n": n, "share": round(100 * n / len(reads))}
        for (name, color), n in counts.most_common()
    ]


def _picture(study: Study, row: Discussed) -> dict[str, Any]:
    shown = crop_payload(study, row.crop)
    return {name: shown[name] for name in ("pixels", "channels", "is_rgb")}
