"""Audit events per CPU second, appended to a chain and verified, against plain hashing."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from audit.chain.events import Event, next_event
from audit.chain.verify import verify
from benchmarks.measure import cpu_seconds
from benchmarks.rows import Beside, Row

EVENTS = 20_000
STARTED = datetime(2024, 1, 1, tzinfo=UTC)


def measure() -> list[Row]:
    """Rates of appending to and of verifying the chain, against hashing the same bytes and nothing else."""
    events = chain(EVENTS)
    append, check = _rate(lambda: chain(EVENTS)), _rate(lambda: verify(events))
    if verify(events):
        raise AssertionError("the chain that was measured is not intact")
    floor = Beside("the same bytes as JSON and SHA-256 alone", _rate(lambda: plain_hashes(events)))
    return [
        Row("append", append, "events per CPU-s", ">= 20000", floor),
        Row("verify", check, "events per CPU-s", ">= 20000", floor),
    ]


def chain(count: int) -> list[Event]:
    """A chain of `count` answers."""
    events: list[Event] = []
    last = None
    for number in range(count):
        last = next_event(last, STARTED + timedelta(seconds=number), details(number))
        events.append(last)
    return events


def details(number: int) -> dict[str, object]:
    """What an answer records."""
    return {
        "actor": f"user:{number % 7}",
        "action": "answer.label",
        "object_type": "labeling.annotation",
        "object_id": str(number),
        "detail": {"study": 1, "crop": f"{number:020x}-000512-000640", "classes": ["mitosis"], "supersedes": None},
        "reason": "",
    }


def plain_hashes(events: list[Event]) -> list[str]:
    """The standard library's JSON and SHA-256 of each event, without a chain: the floor."""
    return [hashlib.sha256(json.dumps(event.details, sort_keys=True).encode()).hexdigest() for event in events]


def _rate(work: Callable[[], object]) -> float:
    return EVENTS / cpu_seconds(work, repeats=3)
