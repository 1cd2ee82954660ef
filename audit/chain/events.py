"""Events of the audit trail and the hash that ties each one to all before it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from audit.chain.canonical import VERSION_BYTE, canonical_json

GENESIS_HASH = "0" * 64
FIRST_SEQ = 1


@dataclass(frozen=True, slots=True)
class Event:
    """One link: its number from 1 without gaps, UTC time, everything recorded, and two hashes.

    `details` holds whatever the writer records (actor, action, object, old, new, reason ...) and must
    have a canonical JSON form; `previous_hash` of the first event is GENESIS_HASH.
    """

    seq: int
    at: str
    details: Mapping[str, object]
    previous_hash: str
    hash: str

    @property
    def fields(self) -> dict[str, object]:
        """All that the hash covers besides the previous hash."""
        return event_fields(self.seq, self.at, self.details)


def timestamp(moment: datetime) -> str:
    """ISO 8601 text of `moment` in UTC with microseconds; text order equals time order.

    A moment without a time zone raises ValueError.
    """
    if moment.tzinfo is None:
        raise ValueError("the time of an event has no time zone; pass an aware datetime in UTC")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def event_fields(seq: int, at: str, details: Mapping[str, object]) -> dict[str, object]:
    """The mapping that is hashed; details are nested so that no key of theirs can hide `seq` or `at`."""
    return {"seq": seq, "at": at, "details": details}


def event_hash(previous_hash: str, fields: Mapping[str, object]) -> str:
    """SHA-256 (hex) of the version byte, the 32 bytes of `previous_hash` and the canonical JSON of `fields`.

    A previous hash that is not 64 hexadecimal digits raises ValueError, a value without a canonical
    form CanonicalError.
    """
    return hashlib.sha256(VERSION_BYTE + _hash_bytes(previous_hash) + canonical_json(fields)).hexdigest()


def next_event(previous: Event | None, moment: datetime, details: Mapping[str, object]) -> Event:
    """The event that follows `previous` (None starts a chain)."""
    seq = FIRST_SEQ if previous is None else previous.seq + 1
    previous_hash = GENESIS_HASH if previous is None else previous.hash
    at = timestamp(moment)
    return Event(seq, at, details, previous_hash, event_hash(previous_hash, event_fields(seq, at, details)))


def _hash_bytes(text: str) -> bytes:
    # fromhex skips spaces, so the length is checked on both sides.
    raw = bytes.fromhex(text) if len(text) == 64 else b""
    if len(raw) != 32:
        raise ValueError("a previous hash must be 64 hexadecimal digits")
    return raw
