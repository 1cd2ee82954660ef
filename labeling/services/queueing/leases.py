"""Leases: crops that somebody is looking at now, for minutes; and the gate that lets one writer in at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from labeling.models import Annotation, Lease, Sitting, Study
from labeling.services.queueing.candidates import Candidate
from labeling.services.reads import RE_READ

LEASE = timedelta(minutes=5)
# The crop on screen and the two after it are leased: the next one is painted before the server has answered.
LEASED_AHEAD = 3


# SQLite lets waiting writers try again and again, in no order: with many at once one of them may wait for longer than
# the busy timeout. Those of one process queue up here instead.
_TURN = Lock()


@contextmanager
def one_at_a_time(study: Study) -> Iterator[None]:
    """A transaction in which no other writes leases or answers of the study; see `lock`."""
    queues_up = connection.vendor == "sqlite" and not connection.in_atomic_block
    with _TURN if queues_up else nullcontext(), transaction.atomic():
        lock(study)
        yield


def lock(study: Study) -> None:
    """Let one writer of leases and answers of the study in at a time, until the caller's transaction ends.

    Two annotators who ask at the same moment must not be handed the same crop, and answers must be committed in
    the order of their numbers, or the ranking worker would pass one over. SQLite's immediate transactions do that
    already; on PostgreSQL the study's row is the gate. `no_key` lets others insert rows that point to the study.
    """
    if connection.features.has_select_for_update:
        Study.objects.select_for_update(no_key=True).get(pk=study.pk)


def release(study: Study, user: Any, *, but: int | None = None) -> None:
    """Give back everything that the user holds, all `but` one crop: they left, or want other crops.

    What they were reading again stays known for a while: their answer may still be on its way.
    """
    with transaction.atomic():
        held = Lease.objects.filter(study=study, user=user).exclude(crop=but)
        running = held.filter(expires_at__gt=timezone.now()).count()
        held.filter(why=RE_READ).update(expires_at=timezone.now())
        held.exclude(why=RE_READ).delete()
        if running:
            _still_to_come(study, user, running)


def _still_to_come(study: Study, user: Any, count: int) -> None:
    """Crops that are given back unread still count for the place where their reader stays."""
    for sitting in Sitting.objects.filter(study=study, user=user, stay_at__isnull=False).exclude(stay_on=""):
        sitting.stay_left = min(sitting.stay_for, sitting.stay_left + count)
        sitting.save(update_fields=["stay_left"])


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


def renew(study: Study, user: Any, now: datetime) -> None:
    """Prolong the user's leases that still run."""
    Lease.objects.filter(study=study, user=user, expires_at__gt=now).update(expires_at=now + LEASE)


def leases_of(study: Study, user: Any) -> list[Lease]:
    """The user's leases in the order of handing out, ended ones among them."""
    return list(Lease.objects.filter(study=study, user=user).order_by("id"))


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
