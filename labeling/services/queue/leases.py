"""Leases: crops that somebody is looking at now, for minutes; and the gate that lets one writer in at a time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from labeling.models import Annotation, Lease, Study
from labeling.services.queue.candidates import Candidate

LEASE = timedelta(minutes=5)
# The crop on screen and the two after it are leased: the next one is painted before the server has answered.
LEASED_AHEAD = 3


def lock(study: Study) -> None:
    """Let one writer of leases and answers of the study in at a time, until the caller's transaction ends.

    Two annotators who ask at the same moment must not be handed the same crop, and answers must be committed in
    the order of their numbers, or the ranking worker would pass one over. SQLite's immediate transactions do that
    already; on PostgreSQL the study's row is the gate. `no_key` lets others insert rows that point to the study.
    """
    if connection.features.has_select_for_update:
        Study.objects.select_for_update(no_key=True).get(pk=study.pk)


def release(study: Study, user: Any) -> None:
    """Give back everything that the user holds: they left."""
    Lease.objects.filter(study=study, user=user).delete()


def hold_again(annotation: Annotation) -> None:
    """Lease the crop of an answer that is taken back to the one who gave it: they look at it now."""
    Lease.objects.update_or_create(
        study=annotation.study,
        crop=annotation.crop,
        user=annotation.annotator,
        defaults={
            "why": annotation.why_asked,
            "probability": annotation.probability_asked,
            "ranking": annotation.ranking,
            "expires_at": timezone.now() + LEASE,
        },
    )


def leased_crops(study: Study) -> list[int]:
    """Crops that somebody is looking at now: their neighbourhood counts as covered."""
    now = timezone.now()
    return list(Lease.objects.filter(study=study, expires_at__gt=now).values_list("crop_id", flat=True))


def renewed_leases(study: Study, user: Any, now: datetime) -> list[Lease]:
    """The user's leases that still run, prolonged, in the order of handing out."""
    mine = Lease.objects.filter(study=study, user=user, expires_at__gt=now)
    mine.update(expires_at=now + LEASE)
    return list(mine.order_by("id"))


def lease(study: Study, user: Any, entries: Sequence[Candidate], now: datetime) -> None:
    """Lease the crops to the user for some minutes."""
    # An expired lease of the same user may still stand: it is written anew.
    Lease.objects.bulk_create(
        [
            Lease(
                study=study,
                crop_id=entry.crop_id,
                user=user,
                why=entry.why,
                probability=entry.probability,
                ranking=entry.ranking,
                expires_at=now + LEASE,
            )
            for entry in entries
        ],
        update_conflicts=True,
        unique_fields=["study", "crop", "user"],
        update_fields=["why", "probability", "ranking", "expires_at"],
    )
