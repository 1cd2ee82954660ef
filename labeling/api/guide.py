"""How crops are to be decided: the guidelines that stand and example crops, for the page that answers."""

from typing import Any

from imaging.models import Crop
from labeling.api.payloads import crop_payload
from labeling.models import Study
from labeling.services.examples import examples_of
from labeling.services.guidelines import current_guideline


def guide_payload(study: Study) -> dict[str, Any]:
    """The guidelines that stand, None before the first version, and the examples of the open classes."""
    return {"guideline": _guideline(study), "examples": _examples(study)}


def _guideline(study: Study) -> dict[str, Any] | None:
    """The guidelines that stand, with their number and what is new; None where a study has no version yet."""
    newest = current_guideline(study)
    if newest is None:
        return None
    return {
        "number": newest.number,
        "text": newest.text,
        "change": newest.change,
        "created_at": newest.created_at.isoformat(),
    }


def _examples(study: Study) -> list[dict[str, Any]]:
    """Example crops of the open classes with a word on why, in the order of the classes, ready to be drawn."""
    found = [(row.label_class, row.crop, row.note) for rows in examples_of(study).values() for row in rows]
    listed = {(label.pk, crop.pk) for label, crop, _ in found}
    # An experiment that left the study took its crops along.
    inside = Crop.objects.filter(image__sample__experiment__studies=study)
    single = study.classes.filter(retired_at__isnull=True, example__in=inside)
    for label in single.select_related("example__image__sample__experiment"):
        if label.example is not None and (label.pk, label.example.pk) not in listed:
            found.append((label, label.example, ""))
    found.sort(key=lambda row: row[0].position)
    return [{"class": label.key, "note": note, "crop": crop_payload(study, crop)} for label, crop, note in found]
