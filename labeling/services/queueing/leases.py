"""Leases: crops that somebody is looking at now, for minutes; and the gate that lets one writer in at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from threading import RLock
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from audit.statements import Bound, Rows, Statement, ask_all, columns, records
from labeling.models import Annotation, Lease, Sitting, Study
from labeling.services.queueing.candidates import Candidate
from labeling.services.reads import RE_READ

LEASE = timedelta(minutes=5)
# The crop on screen and the two after it are leased: the next one is painted before the server has answered.
LEASED_AHEAD = 3


# Leases are prolonged on each request, but written only once this much of their time is gone.
RENEW_AFTER = timedelta(minutes=1)
LEASES = Statement(
    lambda study, user: Lease.objects.filter(study=study, user=user).order_by("id").values_list(*columns(Lease)),
    study=int,
    user=int,
)


_TURN = RLock()


@contextmanager
def in_turn() -> Iterator[None]:
    """One answer after the other within this process.

    SQLite lets waiting writers try again and again, in no order: with many at once one of them may wait for longer
    than the busy timeout. And threads that work on answers at the same time finish none of them sooner, since one at
    a time runs Python, but take the core from each other at each query: half as much again for each answer.
    """
    with _TURN:
        yield


@contextmanager
def one_at_a_time(study: Study, *first: Bound, lasts: bool = True) -> Iterator[list[Rows]]:
    """A transaction in which no other writes leases or answers of the study; see `lock`.

    `first`: what is asked as soon as no other writes; yields its rows. Where nothing `lasts`, as with leases, which a
    crash of the database may cost, others do not wait until it is on the disk.
    """
    queues_up = connection.vendor == "sqlite" and not connection.in_atomic_block
    with in_turn() if queues_up else nullcontext(), transaction.atomic():
        gate = [*_gate(study), *([] if lasts else _without_waiting())]
        yield ask_all(*gate, *first)[len(gate) :]


def lock(study: Study) -> None:
    """Let one writer of leases and answers of the study in at a time, until the caller's transaction ends.

    Two annotators who ask at the same moment must not be handed the same crop, and answers must be committed in
    the order of their numbers, or the ranking worker would pass one over. SQLite's immediate transactions do that
    already; on PostgreSQL the study's row is the gate. `no_key` lets others insert rows that point to the study.

    The study comes before the chain: whoever needs both calls this before the first audit event of the transaction.
    Answers take the two in this order, and two transactions that took them in different ones would wait for each
    other.
    """
    ask_all(*_gate(study))


def _gate(study: Study) -> list[Bound]:
    if not connection.features.has_select_for_update:
        return []
    return [Bound(f"SELECT 1 FROM {Study._meta.db_table} WHERE id = %s FOR NO KEY UPDATE", [study.pk])]


def _without_waiting() -> list[Bound]:
    """What tells PostgreSQL to commit before the disk has it; SQLite in WAL mode does so anyway."""
    return (
        [Bound("SELECT set_config('synchronous_commit', 'off', true)")] if connection.vendor == "postgresql" else []
    )


# An expired lease of the same user may still stand: it is written anew.
LEASE_ONE = f"""
INSERT INTO {Lease._meta.db_table} (study_id, crop_id, user_id, why, probability, ranking, expires_at)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (study_id, crop_id, user_id) DO UPDATE SET
  why = excluded.why, probability = excluded.probability, ranking = excluded.ranking, expires_at = excluded.expires_at
"""


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


def renew(rows: Sequence[Lease], now: datetime) -> None:
    """Prolong those of the leases that still run."""
    if any(now < row.expires_at < now + LEASE - RENEW_AFTER for row in rows):
        running = [row.pk for row in rows if row.expires_at > now]
        Lease.objects.filter(pk__in=running).update(expires_at=now + LEASE)


def leases_of(study: Study, user: Any) -> list[Lease]:
    """The user's leases in the order of handing out, ended ones among them."""
    return records(Lease, LEASES.ask(study=study.pk, user=user.pk))


def lease(study: Study, user: Any, entries: Sequence[Candidate], now: datetime) -> None:
    """Lease the crops to the user for some minutes."""
    until = connection.ops.adapt_datetimefield_value(now + LEASE)
    told = [(entry.crop_id, user.pk, entry.why, entry.probability, entry.ranking, until) for entry in entries]
    ask_all(*(Bound(LEASE_ONE, (study.pk, *row)) for row in told))
