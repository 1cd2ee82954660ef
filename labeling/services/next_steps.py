"""What a lead should do next for the labels of a study, in order; nothing that is done already.

Models are not in charge here: what is to be done about them is said by a part of the page that training serves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count
from django.db.models.functions import Coalesce

from labeling.models import Annotation, AnnotationLabel, Study
from labeling.services.reads import ADJUDICATION

# Fewer answers than this teach a model hardly anything of a class.
FEW_ANSWERS = 10
# Where crops that readers name differently are looked at together.
DISPUTED = "labeling:discuss"

TOO_FEW_RARE = "too few rarer answers"
TOO_FEW_SHARED = {
    TOO_FEW_RARE: "Too few of the crops that two read have an answer other than the most common one.",
    "tentative": "Agreement is tentative: more shared crops make it certain.",
    "too few": "Too few crops were read by two to tell how far readers agree.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do: what, why, and where. `route` names an address of the study, or of the user with the number
    `reader` in it; `query` goes behind it."""

    text: str
    why: str
    route: str
    query: str = ""
    reader: int | None = None


@dataclass(frozen=True, slots=True)
class Labels:
    """How far the labels of a study are.

    `answered` crops, `annotators` whose answers count for agreement, its `word` (empty: not computable), `disputed`
    crops, and the number of answers of each open class by its name, in order. `awaits_protocol`: a protocol is to be
    locked before anybody answers.
    """

    has_guidelines: bool
    answered: int
    annotators: int
    word: str
    disputed: int
    by_class: Sequence[tuple[str, int]]
    awaits_protocol: bool = False


def next_steps(labels: Labels) -> tuple[Step, ...]:
    """What is to be done, the most urgent first; empty where the labels lack nothing."""
    steps = [_guidelines(labels), _first_answers(labels), *_readers(labels), _weak_classes(labels)]
    return tuple(step for step in steps if step is not None)


def disputed_crops(study: Study) -> int:
    """Number of crops for which readers named different classes one by one, and nobody has decided yet.

    Who decides is an adjudicator, or a lead in sight of all answers.
    """
    independent = Annotation.objects.counted().independent().filter(study=study)
    decided = Annotation.objects.counted(with_decisions=True).filter(study=study, why_asked=ADJUDICATION)
    named = AnnotationLabel.objects.filter(annotation__in=independent)
    counted = Coalesce("label_class__merged_into", "label_class")
    by_crop = named.exclude(annotation__crop__in=decided.values("crop")).order_by().values("annotation__crop")
    return by_crop.annotate(classes=Count(counted, distinct=True)).filter(classes__gt=1).count()


def _guidelines(labels: Labels) -> Step | None:
    if labels.has_guidelines:
        return None
    return Step("Write guidelines", "What to look at, and what to do in hard cases.", "labeling:guidelines")


def _first_answers(labels: Labels) -> Step | None:
    if labels.awaits_protocol:
        why = "Before anybody answers: any answer makes the lock impossible."
        return Step("Draw the cases and lock the protocol", why, "labeling:protocol")
    if labels.answered:
        return None
    return Step("Read the first crops yourself", "Fifty answers show whether the classes fit.", "labeling:room")


def _readers(labels: Labels) -> list[Step | None]:
    if labels.annotators < 2:
        why = "Invite one, or ask one who is here: alone, nobody knows how far the answers can be trusted."
        return [Step("Let a second annotator read", why, "labeling:members")]
    return [_disputes(labels), _agreement(labels)]


def _disputes(labels: Labels) -> Step | None:
    if not labels.disputed:
        return None
    crops = "1 crop that readers name" if labels.disputed == 1 else f"{labels.disputed:,} crops that readers name"
    why = "Side by side, with who said what; a decision settles a crop."
    return Step(f"Discuss {crops} differently", why, DISPUTED)


def _agreement(labels: Labels) -> Step | None:
    if labels.word == "low":
        why = "Agreement is low: a model would learn what readers do not agree on."
        return Step("Sharpen the guidelines", why, "labeling:guidelines")
    why = TOO_FEW_SHARED.get(labels.word)
    return Step("Let more crops be read twice", why, "labeling:settings") if why else None


def _weak_classes(labels: Labels) -> Step | None:
    weak = [(name, count) for name, count in labels.by_class if count < FEW_ANSWERS]
    if not labels.answered or not weak:
        return None
    named = ", ".join(f"“{name}” ({count or 'none'})" for name, count in weak)
    why = f"A class with fewer than {FEW_ANSWERS} is hardly learnt. The grid brings crops together that look alike."
    return Step(f"Get more answers for {named}", why, "training:grid", "?state=unlabelled")
