"""Crops that a reader asked for because they look like one they saw: "find more like this"."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from audit import services as audit
from imaging.models import Crop
from labeling.models import Annotation, RequestedCrop, Study
from labeling.services.progress import pool
from labeling.services.queue import lock
from labeling.services.reader_study.guard import refuse_locked
from labeling.services.reads import awaiting_reads

# Enough for one sitting; a longer list would push aside what the ranking asks for.
MOST_REQUESTED = 200


class RequestRefused(ValueError):
    """The crops cannot be asked for; the message says why."""


def _still_waiting(study: Study, user: Any) -> QuerySet[RequestedCrop]:
    """The user's wishes, without those that others have read often enough: they would never be served, nor go."""
    waiting = RequestedCrop.objects.filter(study=study, user=user)
    keys = dict(waiting.values_list("crop_id", "crop__key"))
    waiting.filter(crop__in=set(keys) - awaiting_reads(study, keys)).delete()
    return waiting.all()


def request_crops(study: Study, user: Any, like: Crop, crop_ids: Iterable[int]) -> int:
    """Put crops that look like `like` in front of the user's queue, in this order; returns how many are new.

    Crops that the user has answered or asked for already are passed over. RequestRefused for crops that are not in
    the pool of the study, and beyond 200 waiting crops.
    """
    wanted = list(dict.fromkeys(crop_ids))
    inside = set(pool(study).filter(pk__in=[*wanted, like.pk]).values_list("pk", flat=True))
    outside = {*wanted, like.pk} - inside
    if outside:
        raise RequestRefused(f"Crop {min(outside)} is not in the pool of this study.")
    with transaction.atomic():
        lock(study)
        refuse_locked(study, "the cases and everybody's order of them", RequestRefused)
        answered = Annotation.objects.counted(with_excluded=True).filter(study=study, annotator=user, crop__in=wanted)
        waiting = _still_waiting(study, user)
        passed = {*answered.values_list("crop_id", flat=True), *waiting.values_list("crop_id", flat=True)}
        fresh = [crop for crop in wanted if crop not in passed]
        if waiting.count() + len(fresh) > MOST_REQUESTED:
            raise RequestRefused(f"At most {MOST_REQUESTED} crops may wait: answer some first, or choose fewer.")
        rows = [RequestedCrop(study=study, user=user, like=like, crop_id=crop) for crop in fresh]
        RequestedCrop.objects.bulk_create(rows, ignore_conflicts=True)
        if fresh:
            detail = {"like": like.key, "crops": len(fresh)}
            audit.record("crops.requested", study, actor=audit.actor_of(user), detail=detail)
    return len(fresh)
