"""Writes audit events in the transaction of the change they tell of, and signs the head of the chain."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from audit.chain import checkpoints, events
from audit.models import AuditEvent, Checkpoint
from audit.statements import Bound, Insertion, Rows, Statement, ask_all

ORIGIN = "parfocal"
_HEAD = Statement(lambda: AuditEvent.objects.order_by("-sequence").values_list("sequence", "at", "hash")[:1])
_EVENTS = Insertion(AuditEvent)
# Any number serves, as long as nothing else in this database locks it.
CHAIN_LOCK = 0x70617266


def actor_of(user: Any) -> str:
    """Pseudonym of a user for the chain; names live in the user table alone."""
    return f"user:{user.pk}" if user is not None and user.pk else "anonymous"


def record(action: str, target: Model, *, actor: str, detail: dict[str, Any] | None = None, reason: str = "") -> None:
    """Append one event; must be called inside the transaction that makes the change.

    Raises TransactionManagementError outside of one: a change without its event must be impossible.
    """
    told = {"actor": actor, "detail": detail or {}, "reason": reason}
    ask_all(event(action, target, ask_all(*head())[-1], **told))


def head() -> tuple[Bound, ...]:
    """What must be asked, last of it the newest event, before the next one is made; see `event`."""
    _require_transaction()
    # SQLite's immediate transactions already let one writer in at a time.
    is_locked = connection.vendor == "postgresql"
    lock = [Bound("SELECT pg_advisory_xact_lock(%s)", [CHAIN_LOCK])] if is_locked else []
    return (*lock, _HEAD.of())


def event(action: str, target: Model, newest: Rows, *, actor: str, detail: dict[str, Any], reason: str = "") -> Bound:
    """The next event, to be stored in the same transaction; `newest`: the rows of the last part of `head`.

    For what happens with every answer, where it is asked together with other things; `record` does both elsewhere.
    """
    sequence, at, previous = newest[0] if newest else (events.FIRST_SEQ - 1, None, events.GENESIS_HASH)
    now = timezone.now()
    row = AuditEvent(
        sequence=sequence + 1,
        # Clocks of several machines differ, and are set back: the chain's time never is.
        at=max(now, at) if at else now,
        actor=actor,
        action=action,
        object_type=target._meta.label_lower,
        object_id=str(target.pk),
        detail=detail,
        reason=reason,
        previous_hash=previous,
    )
    row.hash = events.event_hash(row.previous_hash, _as_event(row).fields)
    return _EVENTS.of(row)


def chain() -> Iterator[events.Event]:
    """Every event in order, as the pure chain knows it."""
    for row in AuditEvent.objects.order_by("sequence").iterator(chunk_size=2000):
        yield _as_event(row)


def signed_checkpoints() -> list[checkpoints.SignedCheckpoint]:
    """Every signed head, from the table and from its copy outside the database, in order of the sequence it covers.

    ValueError where the copy holds a line that is no checkpoint.
    """
    rows = {
        checkpoints.SignedCheckpoint(
            checkpoints.Checkpoint(ORIGIN, row.sequence, row.head_hash, events.timestamp(row.at)),
            row.signature,
            row.public_key,
        )
        for row in Checkpoint.objects.all()
    }
    path = _checkpoint_file()
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return sorted(rows | {checkpoints.parse_checkpoint(line) for line in lines}, key=lambda mark: mark.checkpoint.seq)


def write_checkpoint() -> Checkpoint | None:
    """The signed head of the chain; None when nothing was added since the last one. May run twice."""
    last = AuditEvent.objects.order_by("-sequence").first()
    if last is None or Checkpoint.objects.filter(sequence=last.sequence).exists():
        return None
    now = timezone.now()
    signed = checkpoints.sign_checkpoint(
        checkpoints.Checkpoint(ORIGIN, last.sequence, last.hash, events.timestamp(now)), signing_key()
    )
    row, _ = Checkpoint.objects.get_or_create(
        sequence=last.sequence,
        defaults={
            "head_hash": last.hash,
            "at": now,
            "signature": signed.signature,
            "public_key": signed.public_key,
        },
    )
    with _checkpoint_file().open("a", encoding="utf-8") as file:
        # A copy outside the database: who rewrites the tables does not reach it.
        file.write(checkpoints.checkpoint_line(signed) + "\n")
    return row


def signing_key() -> bytes:
    """The private key that signs checkpoints, 32 bytes.

    Production takes it from the environment, the same on every machine; a one-machine site makes it at first use in
    the data folder, mode 0600.
    """
    if settings.AUDIT_SECRET:
        return hashlib.sha256(settings.AUDIT_SECRET.encode()).digest()
    path = Path(settings.DATA_FOLDER) / "audit_key"
    if not path.exists():
        handle, fresh = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(checkpoints.KEY_BYTES))
        with suppress(FileExistsError):
            # A link appears with its content: nobody ever reads a half-written key, and the first one stands.
            os.link(fresh, path)
        Path(fresh).unlink()
    return path.read_bytes()


def _checkpoint_file() -> Path:
    return Path(settings.DATA_FOLDER) / "audit_checkpoints.jsonl"


def _as_event(row: AuditEvent) -> events.Event:
    details = {
        "actor": row.actor,
        "action": row.action,
        "object_type": row.object_type,
        "object_id": row.object_id,
        "detail": row.detail,
        "reason": row.reason,
    }
    return events.Event(row.sequence, events.timestamp(row.at), details, row.previous_hash, row.hash)


def _require_transaction() -> None:
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("audit.record needs the transaction of the change.")
