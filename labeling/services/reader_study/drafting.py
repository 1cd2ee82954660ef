"""A protocol before it is locked: its settings, and its cases, drawn by a seed or named one by one."""

import hashlib
import heapq
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import zip_longest
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from audit import services as audit
from audit.models import AuditEvent
from imaging.models import Crop
from labeling.models import LONGEST_WASHOUT_DAYS, Annotation, ReaderCase, ReaderStudy, Study
from labeling.services.progress import pool
from labeling.services.queue import lock
from labeling.services.reader_study.guard import refuse_locked
from labeling.services.refusals import StudyRefused

# A reader answers some 1,000 crops a day; what nobody finishes is no protocol.
MOST_CASES = 5_000
LONGEST_TEXT = 4_000
# A study's strategy that no model steers.
RANDOM = "random"
SEEDS = 2**31
CASES = "protocol.cases"
EDITABLE = (
    "question", "primary_measure", "margin_kind", "margin", "stopping", "stops_on", "stopping_rule", "washout_days",
    "reread_share", "seed",
)  # fmt: skip


def protocol_of(study: Study) -> ReaderStudy | None:
    """The study's protocol, draft or locked; None where nobody began one."""
    return ReaderStudy.objects.select_related("study", "locked_by", "closed_by").filter(study=study).first()


def awaits_protocol(study: Study) -> bool:
    """Whether a protocol is meant to come and can still be locked: one is drafted, or the study asks as one would
    (blind, the same picture, random order, several reads and nobody who decides), and nobody has answered yet."""
    if study.is_reader_study:
        return False
    asks_so = study.is_blind and study.locks_view and study.strategy == RANDOM and not study.adjudicates
    is_meant = (asks_so and study.reads_per_crop > 1) or ReaderStudy.objects.filter(study=study).exists()
    return is_meant and not Annotation.objects.filter(study=study).exists()


def change_draft(study: Study, lead: Any, changes: Mapping[str, Any]) -> ReaderStudy:
    """Begin the draft, or change what the mapping names (any of EDITABLE); returns it with a seed of its own.

    StudyRefused where a value breaks a rule, and once the protocol is locked.
    """
    if unknown := set(changes) - set(EDITABLE):
        raise StudyRefused(f"A protocol has no setting '{min(unknown)}'.")
    with transaction.atomic():
        lock(study)
        refuse_locked(study, "its settings")
        draft = protocol_of(study) or ReaderStudy(study=study, seed=secrets.randbelow(SEEDS))
        before = {name: getattr(draft, name) for name in changes}
        for name, value in changes.items():
            setattr(draft, name, value)
        _check(draft)
        is_new = draft.pk is None
        draft.save()
        changed = {
            name: [_told(before[name]), _told(value)] for name, value in changes.items() if value != before[name]
        }
        if is_new or changed:
            action = "protocol.drafted" if is_new else "protocol.changed"
            audit.record(action, draft, actor=audit.actor_of(lead), detail={"study": study.pk} | changed)
    return draft


def draw_cases(study: Study, lead: Any, count: int) -> list[int]:
    """Draw that many crops by the draft's seed, evenly by experiment, as the cases; returns their numbers.

    The same seed and pool draw the same. An experiment with fewer crops than its part leaves the rest to the others.
    StudyRefused where the pool is smaller.
    """
    _check_count(count)
    with transaction.atomic():
        draft = _draft(study)
        groups = [_drawn(draft, rows, count) for rows in _by_experiment(study)]
        crops = [crop for together in zip_longest(*groups) for crop in together if crop is not None][:count]
        if len(crops) < count:
            raise StudyRefused(f"The pool of this study has {len(crops):,} crops: draw at most so many.")
        _replace(study, lead, crops, "drawn")
    return crops


def choose_cases(study: Study, lead: Any, numbers: Sequence[int]) -> list[int]:
    """Make these crops the cases, in this order, each once; StudyRefused where one is not in the pool."""
    crops = list(dict.fromkeys(numbers))
    _check_count(len(crops))
    with transaction.atomic():
        _draft(study)
        inside = set(pool(study).filter(pk__in=crops).values_list("pk", flat=True))
        if outside := [crop for crop in crops if crop not in inside]:
            raise StudyRefused(f"Crop {outside[0]} is not in the pool of this study: the cases are as before.")
        _replace(study, lead, crops, "named")
    return crops


def cases_came(study: Study) -> str:
    """How the cases of the study came about, in a sentence for its figures."""
    changes = AuditEvent.objects.filter(action=CASES, object_type=study._meta.label_lower, object_id=str(study.pk))
    newest = changes.order_by("sequence").last()
    if newest is not None and newest.detail.get("how") == "drawn":
        return "The cases were drawn at random by the protocol's seed, evenly by experiment."
    return "The cases were named by a lead, so the figure stands for these cases and not for all crops of the study."


def _draft(study: Study) -> ReaderStudy:
    """The draft, which nobody else changes until the transaction ends."""
    lock(study)
    refuse_locked(study, "the cases")
    draft = protocol_of(study)
    if draft is None:
        raise StudyRefused("Save the protocol's draft first: its seed draws the cases.")
    return draft


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST_CASES:
        raise StudyRefused(f"A protocol has 1 to {MOST_CASES:,} cases, not {count:,}.")


def _by_experiment(study: Study) -> list[Iterable[tuple[int, str]]]:
    """Number and key of the pool's crops, experiment by experiment in order of name."""
    crops = pool(study).order_by()
    experiments = study.experiments.order_by("name")
    return [
        crops.filter(image__sample__experiment=row).values_list("pk", "key").iterator(chunk_size=5_000)
        for row in experiments
    ]


def _drawn(draft: ReaderStudy, rows: Iterable[tuple[int, str]], count: int) -> list[int]:
    def place(row: tuple[int, str]) -> bytes:
        return hashlib.sha256(f"case:{draft.seed}:{row[1]}".encode()).digest()

    return [crop for crop, _ in heapq.nsmallest(count, rows, key=place)]


def _replace(study: Study, lead: Any, crops: Sequence[int], how: str) -> None:
    before = list(ReaderCase.objects.filter(study=study).order_by("position").values_list("crop_id", flat=True))
    if before == list(crops):
        return
    ReaderCase.objects.filter(study=study).delete()
    ReaderCase.objects.bulk_create(
        ReaderCase(study=study, crop_id=crop, position=place) for place, crop in enumerate(crops, 1)
    )
    keys = dict(Crop.objects.filter(pk__in=crops).values_list("pk", "key"))
    detail = {"how": how, "before": len(before), "crops": [keys[crop] for crop in crops]}
    audit.record(CASES, study, actor=audit.actor_of(lead), detail=detail)


def _check(draft: ReaderStudy) -> None:
    if not 0 < draft.margin < 1:
        raise StudyRefused(f"The margin is {draft.margin:g}: it lies between 0 and 1.")
    if not 0 <= draft.reread_share <= 1:
        raise StudyRefused(f"The share that is read again is {draft.reread_share:g}: it lies between 0 and 1.")
    if not 0 <= draft.washout_days <= LONGEST_WASHOUT_DAYS:
        raise StudyRefused(f"The wash-out is {draft.washout_days} days: at most {LONGEST_WASHOUT_DAYS:,}.")
    if not 0 <= draft.seed < SEEDS:
        raise StudyRefused(f"The seed is {draft.seed}: it lies between 0 and {SEEDS - 1:,}.")
    if draft.stopping == ReaderStudy.Stopping.DATE and draft.stops_on is None:
        raise StudyRefused("The study stops on a date: say which.")
    if max(len(draft.question), len(draft.stopping_rule)) > LONGEST_TEXT:
        raise StudyRefused(f"A text of the protocol has at most {LONGEST_TEXT:,} characters.")
    try:
        draft.clean_fields(exclude=["study"])
    except ValidationError as error:
        raise StudyRefused(" ".join(error.messages)) from error


def _told(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
