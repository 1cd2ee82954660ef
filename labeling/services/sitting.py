"""How a reader sits in a study for now: where they stay, what they are spared, a pause; and crops they put aside."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from audit import services as audit
from imaging.models import Crop
from labeling.models import Lease, RequestedCrop, Sitting, SkippedCrop, Study
from labeling.services.access import is_lead
from labeling.services.progress import pool
from labeling.services.queue import lock, release
from labeling.services.queueing.places import PATHS

WISHES = ("stay_on", "stay_for", "not_sure_ceiling", "easy_share")
LONGEST_STAY = 10_000


class SittingRefused(ValueError):
    """The reader cannot be served so; the message says why."""


def sitting_of(study: Study, user: Any) -> Sitting:
    """How the user sits in the study; the defaults, unsaved, where they never chose."""
    return Sitting.objects.filter(study=study, user=user).first() or Sitting(study=study, user=user)


def change_sitting(study: Study, user: Any, changes: Mapping[str, Any]) -> Sitting:
    """Change what the mapping names: `stay_on`, `stay_for`, `not_sure_ceiling`, `easy_share`, `paused`.

    The crop on screen stays, those leased ahead are given back: the change holds from the next crop on. Who chooses
    where or how long to stay begins at the place of the crop on screen, which counts; without one, at that of the
    next. SittingRefused where a value breaks a rule.
    """
    unknown = set(changes) - {*WISHES, "paused"}
    if unknown:
        raise SittingRefused(f"There is no '{min(unknown)}' to choose.")
    if not may_choose_by_model(study, user) and _is_by_model(changes):
        raise SittingRefused(
            "This study is blind: you may choose where to stay, but not by what the model expects of a crop."
        )
    if study.is_reader_study and _is_more_than_a_pause(changes):
        raise SittingRefused("Cases come in an order that the protocol fixes: nothing was changed. You may pause.")
    with transaction.atomic():
        lock(study)
        sitting = sitting_of(study, user)
        before = {name: getattr(sitting, name) for name in WISHES} | {"paused": sitting.paused_at is not None}
        changed = {name: value for name, value in changes.items() if value != before[name]}
        if changed:
            _store(sitting, changed)
            detail = {"study": study.pk} | {name: [before[name], value] for name, value in changed.items()}
            audit.record("sitting.changed", sitting, actor=audit.actor_of(user), detail=detail)
    return sitting


def may_choose_by_model(study: Study, user: Any) -> bool:
    """Whether the user may be served by what the model expects of a crop: what they got would tell them of it."""
    return not study.is_blind or is_lead(user, study)


def _is_more_than_a_pause(changes: Mapping[str, Any]) -> bool:
    return bool(changes.get("stay_on")) or _is_by_model(changes)


def _is_by_model(changes: Mapping[str, Any]) -> bool:
    return changes.get("not_sure_ceiling") is not None or bool(changes.get("easy_share"))


def _store(sitting: Sitting, changed: Mapping[str, Any]) -> None:
    study, user = sitting.study, sitting.user
    # Before the new place is chosen: what is given back belongs to the old one.
    on_screen = None if changed.get("paused") else _on_screen(study, user)
    release(study, user, but=on_screen)
    if sitting.pk:
        sitting.refresh_from_db()
    for name in changed.keys() & set(WISHES):
        setattr(sitting, name, changed[name])
    if "paused" in changed:
        sitting.paused_at = timezone.now() if changed["paused"] else None
    if not 1 <= sitting.stay_for <= LONGEST_STAY:
        raise SittingRefused(f"Stay for 1 to {LONGEST_STAY} crops, not for {sitting.stay_for}.")
    try:
        sitting.clean_fields()
        sitting.validate_constraints()
    except ValidationError as error:
        raise SittingRefused(" ".join(error.messages)) from error
    if {"stay_on", "stay_for"} & changed.keys():
        _begin_at(sitting, on_screen)
    sitting.save()


def _begin_at(sitting: Sitting, crop_id: int | None) -> None:
    sitting.stay_at, sitting.stay_left = None, 0
    if sitting.stay_on and crop_id is not None:
        path = PATHS[Sitting.StayOn(sitting.stay_on)]
        sitting.stay_at = Crop.objects.values_list(path, flat=True).get(pk=crop_id)
        sitting.stay_left = sitting.stay_for - 1


def _on_screen(study: Study, user: Any) -> int | None:
    held = Lease.objects.filter(study=study, user=user, expires_at__gt=timezone.now())
    return held.order_by("id").values_list("crop_id", flat=True).first()


def resume(study: Study, user: Any) -> None:
    """End the user's pause, if they pause: they are back."""
    if Sitting.objects.filter(study=study, user=user, paused_at__isnull=False).exists():
        change_sitting(study, user, {"paused": False})


def skip(study: Study, user: Any, crop_id: int) -> None:
    """Put a crop aside: it comes back to the user, and to them alone, only when nothing else is left.

    Their own wish to read it ends. SittingRefused for a crop that is not in the pool of the study.
    """
    crop = pool(study).filter(pk=crop_id).first()
    if crop is None:
        raise SittingRefused(f"Crop {crop_id} is not in the pool of this study.")
    with transaction.atomic():
        lock(study)
        row, _ = SkippedCrop.objects.update_or_create(
            study=study, crop=crop, user=user, defaults={"created_at": timezone.now()}
        )
        Lease.objects.filter(study=study, crop=crop, user=user).delete()
        RequestedCrop.objects.filter(study=study, crop=crop, user=user).delete()
        detail = {"study": study.pk, "crop": crop.key}
        audit.record("crop.skipped", row, actor=audit.actor_of(user), detail=detail)
