"""The life of long work: claimed once, alive while it beats, finished in one short transaction.

Not in charge of what the work is: training runs and inference runs both live by these rules.
"""

from datetime import timedelta
from typing import Any, TypeVar
from uuid import uuid4

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from audit import services as audit
from training.models import FINAL, LongWork, Status

Work = TypeVar("Work", bound=LongWork)
# A worker beats every few seconds; one that has been silent this long is dead.
SILENT = timedelta(minutes=5)
# Work that takes its worker down with it, for lack of memory say, would do so for ever.
MOST_RETURNS = 3


class Cancelled(Exception):
    """Somebody asked for the end of this work."""


class Refused(ValueError):
    """The work cannot be done; the message says why and what to do."""


def claim(kind: type[Work], pk: int) -> Work | None:
    """The work, now running and ours by its token; None when another worker has it or it is finished."""
    now, token = timezone.now(), uuid4().hex
    kind._default_manager.filter(pk=pk, status=Status.QUEUED).update(
        status=Status.RUNNING,
        started_at=now,
        heartbeat_at=now,
        progress=0.0,
        claim_token=token,
        attempts=models.F("attempts") + 1,
    )
    return kind._default_manager.filter(pk=pk, claim_token=token).first()


def beat(work: LongWork, progress: float, stage: str) -> None:
    """Tell that the work lives and how far it is; raises Cancelled when it shall end or is another worker's now."""
    rows = _ours(work)
    alive = rows.update(heartbeat_at=timezone.now(), progress=min(max(progress, 0.0), 1.0), stage=stage[:100])
    if not alive or rows.filter(cancel_requested=True).exists():
        raise Cancelled(f"{work} was ended.")


def finish(work: LongWork, status: str, problem: str = "", detail: dict[str, Any] | None = None) -> bool:
    """Close the work and write its event with `detail`; False when it was closed already or is another worker's now.

    Part of the caller's transaction.
    """
    with transaction.atomic():
        closed = _ours(work).update(
            status=status,
            problem=problem,
            finished_at=timezone.now(),
            progress=1.0 if status == Status.DONE else models.F("progress"),
        )
        if closed:
            audit.record(
                f"{work._meta.model_name}.{status}",
                work,
                actor=audit.actor_of(work.requested_by),
                detail=detail,
                reason=problem,
            )
    return bool(closed)


def _ours(work: Work) -> models.QuerySet[Work]:
    """The row of the work while it runs under the token that it was claimed with."""
    rows: models.QuerySet[Work] = type(work)._default_manager.all()
    return rows.filter(pk=work.pk, status=Status.RUNNING, claim_token=work.claim_token)


def request_cancel(work: LongWork, user: Any) -> None:
    """Ask for the end: work that waits ends at once, work that runs ends at its next beat."""
    rows = type(work)._default_manager.filter(pk=work.pk)
    with transaction.atomic():
        if not rows.exclude(status__in=FINAL).update(cancel_requested=True):
            return
        rows.filter(status=Status.QUEUED).update(status=Status.CANCELLED, finished_at=timezone.now())
        audit.record(f"{work._meta.model_name}.cancel_requested", work, actor=audit.actor_of(user))


def failure_text(error: Exception) -> str:
    """What failed, as pages show it: never where files are stored. The worker's log has all of it."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{type(error).__name__}: {said}".replace(str(settings.DATA_FOLDER), "the data folder")


def bury_the_silent(kind: type[LongWork]) -> list[int]:
    """Put work whose worker went silent back into the queue; returns the numbers of what waits now.

    At most three times: what went silent once more has failed.
    """
    silent = kind._default_manager.filter(status=Status.RUNNING, heartbeat_at__lt=timezone.now() - SILENT)
    silent.filter(attempts__lte=MOST_RETURNS).update(
        status=Status.QUEUED, stage="waiting again: its worker went silent"
    )
    for work in silent.filter(attempts__gt=MOST_RETURNS):
        problem = f"Its worker went silent {work.attempts} times, perhaps for lack of memory: see the worker's log."
        finish(work, Status.FAILED, problem)
    return list(kind._default_manager.filter(status=Status.QUEUED).values_list("pk", flat=True))


def as_progress(work: LongWork) -> dict[str, Any]:
    """What pages show of work under way."""
    return {
        "id": work.pk,
        "status": work.status,
        "progress": work.progress,
        "stage": work.stage,
        "problem": work.problem,
        "is_final": work.is_final,
    }
