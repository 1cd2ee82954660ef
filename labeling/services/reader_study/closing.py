"""Ends a study of readers, by its rule or before it, and tells where it left its protocol."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from labeling.models import Annotation, Lease, Membership, ReaderStudy, Study
from labeling.services.queue import lock
from labeling.services.queueing.cases import case_keys
from labeling.services.reader_study.drafting import LONGEST_TEXT, protocol_of
from labeling.services.reader_study.progress import is_met, progress_of
from labeling.services.reader_study.protocol import content_of, digest_of
from labeling.services.refusals import StudyRefused

# What may follow the lock: who takes part is told apart, reader by reader.
APART = ("readers",)
ADDED = "{} became an annotator after the lock and got no cases."
REMOVED = "{} takes part no more; their answers are kept and counted."


@dataclass(frozen=True, slots=True)
class Deviation:
    """Where the study left its protocol: what kind of departure, and what happened in a sentence."""

    kind: str
    text: str


def close_protocol(study: Study, lead: Any, reason: str = "") -> ReaderStudy:
    """End the reading and open the results; returns the protocol, also where it was closed before.

    StudyRefused where it is not locked, and where its stopping rule is not met and no reason is given: an early end
    stands in the report with its reason.
    """
    reason = reason.strip()[:LONGEST_TEXT]
    with transaction.atomic():
        lock(study)
        protocol = protocol_of(study)
        if protocol is None or protocol.locked_at is None:
            raise StudyRefused("The protocol is not locked, so there is nothing to close.")
        if protocol.closed_at is not None:
            return protocol
        is_early = not is_met(protocol)
        if is_early and not reason:
            raise StudyRefused(
                "The stopping rule is not met: reading goes on. To close early, write why; the report will say so."
            )
        protocol.closed_at, protocol.closed_by = timezone.now(), lead
        protocol.close_reason, protocol.is_closed_early = reason, is_early
        protocol.save(update_fields=["closed_at", "closed_by", "close_reason", "is_closed_early"])
        Lease.objects.filter(study=study).delete()
        detail = {"study": study.pk, "digest": protocol.digest, "early": is_early}
        audit.record("protocol.closed", protocol, actor=audit.actor_of(lead), detail=detail, reason=reason)
    return protocol


def deviations(protocol: ReaderStudy) -> list[Deviation]:
    """Everything in which the study departed from its locked protocol, so far or for good; none is a good study."""
    return [
        *([Deviation("closed early", protocol.close_reason)] if protocol.is_closed_early else []),
        *_unfinished(protocol),
        *_dropped(protocol),
        *_people(protocol),
        *_left_out(protocol),
        *_strays(protocol),
        *_altered(protocol),
    ]


def _unfinished(protocol: ReaderStudy) -> list[Deviation]:
    found = []
    for row in progress_of(protocol):
        if row.is_done:
            continue
        again = f", and {row.again} of {row.again_planned} again" if row.again_planned else ""
        found.append(Deviation("unfinished reader", f"{row.name} read {row.read} of {row.cases} cases{again}."))
    return found


def _dropped(protocol: ReaderStudy) -> list[Deviation]:
    every, alive = case_keys(protocol.study, with_dropped=True), case_keys(protocol.study)
    gone = [key for crop, key in every.items() if crop not in alive]
    if not gone:
        return []
    named = ", ".join(key[:24] for key in gone[:5]) + (" and others" if len(gone) > 5 else "")
    text = (
        f"{len(gone)} of {len(every)} cases left the pool (object gone or image rejected) and count no more: {named}."
    )
    return [Deviation("dropped case", text)]


def _people(protocol: ReaderStudy) -> list[Deviation]:
    annotators = protocol.study.memberships.filter(role=Membership.Role.ANNOTATOR).select_related("user")
    added = [row.user.username for row in annotators if row.user_id not in protocol.readers]
    gone = [row.name for row in progress_of(protocol) if not row.is_member]
    return [
        *(Deviation("member added", ADDED.format(name)) for name in added),
        *(Deviation("member removed", REMOVED.format(name)) for name in gone),
    ]


def _left_out(protocol: ReaderStudy) -> list[Deviation]:
    """Readers who were left out once results were open: the protocol names them, so that its report counts them."""
    rows = protocol.study.exclusions.filter(lifted_at__isnull=True, user__in=protocol.readers).select_related("user")
    text = "{} was left out of the study after its end ({}); the protocol names them, and their answers count here."
    return [
        Deviation("reader left out", text.format(row.user.username, row.reason))
        for row in rows.order_by("user__username")
    ]


def _strays(protocol: ReaderStudy) -> list[Deviation]:
    """Answers that the lock should have refused: there are none unless somebody wrote past Parfocal."""
    cases = case_keys(protocol.study, with_dropped=True)
    standing = Annotation.objects.current().filter(study=protocol.study)
    stray = standing.exclude(annotator__in=protocol.readers, crop__in=cases).count()
    return [Deviation("answer outside the protocol", f"{stray} answers are left out.")] if stray else []


def _altered(protocol: ReaderStudy) -> list[Deviation]:
    """Whether the text still has its digest, and what is stored still says what the text says."""
    if digest_of(protocol.protocol) != protocol.digest:
        return [Deviation("altered protocol", "Its text no longer has the digest that was recorded at the lock.")]
    fixed, now = protocol.fixed, content_of(protocol)
    changed = sorted(name for name in fixed if name not in APART and fixed[name] != now.get(name))
    text = f"What is stored differs from the locked text in: {', '.join(changed)}."
    return [Deviation("altered protocol", text)] if changed else []
