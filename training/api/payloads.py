"""One crop and its explanation as a page and a program want them: figures, what they mean in words, and pictures."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError

from imaging.models import Crop
from labeling.api.payloads import crop_payload
from labeling.models import Annotation, Study
from labeling.services.reads import told_why
from training.services.crop_facts import Asked, sees_opinions
from training.worker.explanations import Explanation
from training.worker.similar import Wish

# What a page needs to draw a crop, and no more.
PICTURE = (
    "id",
    "pixels",
    "context",
    "box_in_context",
    "dtype",
    "shape",
    "channels",
    "um_per_px",
    "is_rgb",
    "contour",
)
CLEAR_MARGIN, SOME_MARGIN = 0.6, 0.2
SPARSE, MIDDLING = 0.8, 0.5


def pictures(study: Study, crop_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Where the pixels of each crop are and how to show them; they tell a blind reader nothing else."""
    rows = Crop.objects.select_related("image__sample__experiment").defer("image__files").in_bulk(set(crop_ids))
    payloads = (crop_payload(study, row) for row in rows.values())
    return {payload["id"]: {name: payload[name] for name in PICTURE} for payload in payloads}


def shown_crops(explanation: Explanation) -> list[int]:
    """Every labelled crop that the explanation names."""
    near = [crop.crop_id for row in explanation.classes for crop in row.nearest]
    difference = explanation.difference
    parts = (*difference.speaks_for, *difference.speaks_against) if difference else ()
    return list(dict.fromkeys([*near, *(part.crop_id for part in parts)]))


def words(explanation: Explanation) -> dict[str, str]:
    """The figures of an explanation in plain words; empty where there are none."""
    if explanation.margin is None or explanation.sparser_than is None:
        return {"margin": "", "variance": ""}
    first, second = sorted(explanation.classes, key=lambda row: -(row.probability or 0.0))[:2]
    if explanation.margin >= CLEAR_MARGIN:
        margin = f"The head is fairly sure of “{first.name}”."
    elif explanation.margin >= SOME_MARGIN:
        margin = f"The head leans to “{first.name}” rather than “{second.name}”."
    else:
        margin = f"The head is undecided between “{first.name}” and “{second.name}”."
    if explanation.sparser_than >= SPARSE:
        amount = "Little is labelled near here"
    elif explanation.sparser_than >= MIDDLING:
        amount = "Some crops are labelled near here"
    else:
        amount = "Much is labelled near here"
    less, more = explanation.sparser_than, 1 - explanation.sparser_than
    share = f"less than near {percent(less)}" if less >= MIDDLING else f"more than near {percent(more)}"
    return {"margin": margin, "variance": f"{amount}, {share} of {explanation.sample:,} crops of the pool."}


def percent(share: float) -> str:
    """A share in [0, 1] as text: "72 %"."""
    return f"{100 * share:.0f} %"


def asked_words(asked: Asked, answers: list[Annotation], *, for_lead: bool = True) -> list[str]:
    """Why the crop is, was or would be asked, one sentence each; readers do not hear that it was routed to them."""
    told = (lambda why: why) if for_lead else told_why
    said = [_in_queue(replace(asked, why=told(asked.why)))]
    if asked.above is not None:
        said.append(
            f"Its score is higher than that of {percent(asked.above)} of the {asked.pool:,} crops of the pool."
        )
    reasons = dict.fromkeys(told(row.why_asked) for row in answers if row.why_asked)
    if reasons:
        said.append(f"It was asked as: {', '.join(reasons)}.")
    return said


def _in_queue(asked: Asked) -> str:
    if not asked.pool:
        return "The pool has not been ranked yet."
    if asked.rank is None:
        return f"It is not among the {asked.queue:,} crops that wait in the queue."
    drawn = "" if asked.probability is None else f", drawn with probability {asked.probability:.4g}"
    return f"Number {asked.rank:,} of {asked.queue:,} in the queue: {asked.why}{drawn}."


def wish_of(user: Any, study: Study, *, unanswered: bool, same_experiment: bool) -> Wish:
    """What the user looks for; a blind reader learns neither what others answered nor where a crop is from.

    ValidationError where a blind reader asks for crops of the same experiment.
    """
    if sees_opinions(user, study):
        return Wish(unanswered, same_experiment)
    if same_experiment:
        raise ValidationError("In a blind study experiments stay hidden: look in the whole pool.")
    return Wish(unanswered, by=user)
