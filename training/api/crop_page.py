"""What the pages of one crop show: facts, sentences and rows of tables, ready for a template."""

from collections.abc import Iterable
from typing import Any

from django.urls import reverse

from imaging.models import Crop
from imaging.services.quality import reason_text
from labeling.models import Annotation, Study
from labeling.services import access
from labeling.services.comments import comments_on
from labeling.services.reads import told_why
from training.api.payloads import asked_words, pictures, shown_crops, words
from training.services.crop_facts import answers_to, asked, readers_of, sees_opinions, still_to_read
from training.worker.explanations import Explanation, explanation_of
from training.worker.similar import Similar, Wish

# Probabilities are shown with two digits.
SAME = 0.005


def crop_context(study: Study, crop: Crop, user: Any) -> dict[str, Any]:
    """Everything on the page of a crop."""
    is_lead = access.is_lead(user, study)
    answers = answers_to(study, crop, user)
    explanation = explanation_of(study, crop, still_to_read(user, study))
    labelled = _labelled_rows(study, explanation, with_readers=is_lead)
    report = crop.image.quality_reports.last()
    return {
        "study": study,
        "crop": crop,
        "is_lead": is_lead,
        "open_classes": study.classes.filter(retired_at__isnull=True).order_by("position") if is_lead else (),
        "reasons": [reason_text(reason) for reason in report.reasons] if report else [],
        "asked": asked_words(asked(study, crop), answers, for_lead=is_lead),
        "answers": [_answer_row(row, is_lead) for row in answers],
        "comments": comments_on(study, user, crop),
        "explanation": explanation,
        "words": words(explanation),
        "near": [
            {"row": row, "crops": [labelled[near.crop_id] | {"distance": near.distance} for near in row.nearest]}
            for row in explanation.classes
        ],
        "parts": _part_groups(explanation, labelled),
        "channels": _channel_rows(explanation),
        "pictures": pictures(study, [crop.pk, *labelled]),
    }


def similar_context(study: Study, crop: Crop, user: Any, wish: Wish, found: list[Similar]) -> dict[str, Any]:
    """Everything on the page of crops like one, apart from what could not be found."""
    open_sight = sees_opinions(user, study)
    wanted = [row.crop_id for row in found]
    answered = set(_answered(study, wanted, None if open_sight else user))
    drawn = pictures(study, [crop.pk, *wanted])
    names = _experiments(wanted) if open_sight else {}
    tiles = [
        {
            "id": row.crop_id,
            "distance": row.distance,
            "answered": row.crop_id in answered,
            "experiment": names.get(row.crop_id, ""),
            "url": reverse("training:crop", args=[study.pk, row.crop_id]) if open_sight else "",
        }
        for row in found
    ]
    return {"study": study, "crop": crop, "wish": wish, "open_sight": open_sight, "tiles": tiles, "pictures": drawn}


def _labelled_rows(study: Study, explanation: Explanation, *, with_readers: bool) -> dict[int, dict[str, Any]]:
    """For each labelled crop that is shown: number, address, experiment, and for leads who labelled it."""
    wanted = shown_crops(explanation)
    names = _experiments(wanted)
    readers = readers_of(study, wanted) if with_readers else {}
    return {
        number: {
            "id": number,
            "url": reverse("training:crop", args=[study.pk, number]),
            "experiment": names.get(number, ""),
            "readers": readers.get(number, ""),
        }
        for number in wanted
    }


def _experiments(crop_ids: Iterable[int]) -> dict[int, str]:
    rows = Crop.objects.filter(pk__in=list(crop_ids))
    return dict(rows.values_list("pk", "image__sample__experiment__name"))


def _answered(study: Study, crop_ids: list[int], by: Any) -> Iterable[int]:
    standing = Annotation.objects.reads().filter(study=study, crop__in=crop_ids)
    return (standing if by is None else standing.filter(annotator=by)).values_list("crop_id", flat=True)


def _answer_row(row: Annotation, for_lead: bool) -> dict[str, Any]:
    why = row.why_asked if for_lead else told_why(row.why_asked)
    names = [label.label_class.name for label in row.labels.all()]
    return {
        "reader": row.annotator.get_username(),
        "said": ", ".join(names) or row.get_answer_display(),
        "reason": row.reason,
        "at": row.answered_at,
        "why": "decided by a lead" if row.source == Annotation.Source.DECISION else why,
        "is_simulated": row.source == Annotation.Source.SIMULATED,
        "is_excluded": getattr(row, "is_left_out", False),
    }


def _part_groups(explanation: Explanation, labelled: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """The labelled crops that speak for the likeliest class, and those that speak for the second."""
    difference = explanation.difference
    if difference is None:
        return []
    sides = ((difference.first, difference.speaks_for), (difference.second, difference.speaks_against))
    return [
        {
            "name": name,
            "crops": [labelled[part.crop_id] | {"value": part.value, "label": part.label} for part in parts],
        }
        for name, parts in sides
    ]


def _channel_rows(explanation: Explanation) -> list[dict[str, Any]]:
    """Each channel with the likeliest class's probability without it; the one that changes it most comes first."""
    whole = max((row.probability or 0.0 for row in explanation.classes), default=0.0)
    rows = [
        {
            "name": row.name,
            "color": row.color,
            "whole": whole,
            "without": row.without,
            "word": _change(whole, row.without),
        }
        for row in explanation.channels
    ]
    return sorted(rows, key=lambda row: -abs(row["without"] - whole))


def _change(before: float, after: float) -> str:
    if abs(after - before) < SAME:
        return "stays"
    return "falls" if after < before else "rises"
