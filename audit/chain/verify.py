"""Is the audit trail as it was written? Names every kind of damage and where it begins."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from audit.chain.checkpoints import Checkpoint
from audit.chain.events import FIRST_SEQ, GENESIS_HASH, Event, event_hash


class Kind(StrEnum):
    """What is wrong with a chain."""

    MODIFIED = "MODIFIED"
    GAP = "GAP"
    BROKEN_LINK = "BROKEN_LINK"
    TRUNCATED = "TRUNCATED"
    FORKED = "FORKED"
    CLOCK_REGRESSION = "CLOCK_REGRESSION"


MEANINGS = {
    Kind.MODIFIED: "the recorded content does not give the recorded hash",
    Kind.GAP: "the numbers do not go on by one (an event is missing, repeated or out of place)",
    Kind.BROKEN_LINK: "the previous hash is not the hash of the event before",
    Kind.TRUNCATED: "a signed checkpoint has seen this event, and the chain ends before it",
    Kind.FORKED: "a signed checkpoint saw another event here, so the chain was rewritten",
    Kind.CLOCK_REGRESSION: "the time is earlier than that of the event before",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One kind of damage: the first event it shows at and how many events show it."""

    kind: Kind
    seq: int
    count: int = 1

    @property
    def message(self) -> str:
        """One sentence for people."""
        more = f" ({self.count} events)" if self.count > 1 else ""
        return f"{self.kind} at event {self.seq}: {MEANINGS[self.kind]}{more}"


@dataclass(frozen=True, slots=True)
class Start:
    """Where verification begins: the last event already trusted (by default none)."""

    seq: int = FIRST_SEQ - 1
    hash: str = GENESIS_HASH
    at: str = ""


@dataclass(slots=True)
class _Findings:
    problems: dict[Kind, Problem] = field(default_factory=dict)

    def add(self, kind: Kind, seq: int) -> None:
        known = self.problems.get(kind)
        self.problems[kind] = replace(known, count=known.count + 1) if known else Problem(kind, seq)


def verify(
    events: Iterable[Event], checkpoints: Sequence[Checkpoint] = (), start: Start | None = None
) -> list[Problem]:
    """What is wrong with the chain, one entry per kind in the order met; empty = intact.

    `events` come in the order in which they are stored and are read once, in constant memory.
    Checkpoints must have had their signatures verified. Without one, the loss of the last events or
    a rewrite of the whole chain cannot be seen. Checkpoints at or before `start` are not looked at.
    """
    findings = _Findings()
    last = start = start or Start()
    seen = {mark.seq: mark for mark in checkpoints if mark.seq > start.seq}
    for event in events:
        _check_event(findings, event, last)
        if event.seq in seen and seen[event.seq].head_hash != event.hash:
            findings.add(Kind.FORKED, event.seq)
        last = Start(event.seq, event.hash, event.at)
    missing = max(seen, default=last.seq) - last.seq
    if missing > 0:
        findings.problems[Kind.TRUNCATED] = Problem(Kind.TRUNCATED, last.seq + 1, missing)
    return list(findings.problems.values())


def _check_event(findings: _Findings, event: Event, last: Start) -> None:
    if event.seq != last.seq + 1:
        findings.add(Kind.GAP, event.seq)
    if event.previous_hash != last.hash:
        findings.add(Kind.BROKEN_LINK, event.seq)
    if not _is_as_written(event):
        findings.add(Kind.MODIFIED, event.seq)
    if event.at < last.at:
        findings.add(Kind.CLOCK_REGRESSION, event.seq)


def _is_as_written(event: Event) -> bool:
    try:
        return event_hash(event.previous_hash, event.fields) == event.hash
    except ValueError:
        # Nothing that was written lacks a canonical form, so this was put there afterwards.
        return False
