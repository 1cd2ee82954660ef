"""Links with which people join a study: made by leads, used once, withdrawn at will, worthless after their day."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from labeling.models import Invitation, Membership, Study
from labeling.services.access import join
from labeling.services.queue import lock
from labeling.services.reader_study.guard import refuse_reader_change
from labeling.services.refusals import StudyRefused

SECRET_BYTES = 32
LONGEST_DAYS = 90
DEFAULT_DAYS = 14


class InvitationUnknown(LookupError):
    """Nobody ever made such a link, or its study is gone."""


class InvitationEnded(ValueError):
    """The link was good once; the message says why it is no more and what to do."""


def invite(study: Study, lead: Any, role: str, note: str = "", days: int = DEFAULT_DAYS) -> tuple[Invitation, str]:
    """A new invitation and its secret, which is told here once: the table keeps its digest only."""
    if role not in Membership.Role.values:
        raise StudyRefused(f"'{role}' is not a role: choose annotator or lead.")
    if not 1 <= days <= LONGEST_DAYS:
        raise StudyRefused(f"A link is good for 1 to {LONGEST_DAYS} days, not {days}.")
    secret = secrets.token_urlsafe(SECRET_BYTES)
    with transaction.atomic():
        invitation = Invitation.objects.create(
            study=study,
            secret_digest=_digest(secret),
            role=role,
            note=note.strip()[:200],
            by=lead,
            expires_at=timezone.now() + timedelta(days=days),
        )
        _write_event("invitation.made", invitation, lead, {"role": role, "days": days})
    return invitation, secret


def invitation_for(secret: str) -> Invitation:
    """The invitation of a link, whatever became of it; InvitationUnknown where there is none."""
    found = Invitation.objects.select_related("study", "by").filter(secret_digest=_digest(secret)).first()
    if found is None:
        raise InvitationUnknown("There is no such invitation: the link is incomplete or was made up.")
    return found


def check_open(invitation: Invitation, now: datetime | None = None) -> None:
    """Raise InvitationEnded unless somebody may still join with it."""
    if invitation.accepted_at is not None:
        raise InvitationEnded("This invitation was used already: each link is good for one person.")
    if invitation.revoked_at is not None:
        raise InvitationEnded("This invitation was withdrawn by a lead of the study.")
    if invitation.expires_at <= (now or timezone.now()):
        raise InvitationEnded("This invitation has expired.")


def accept(invitation: Invitation, user: Any) -> Membership:
    """Make the user a member as the invitation says; it is used up then.

    Who takes part already keeps the link unused, unless it makes an annotator a lead: nobody's role is lowered by a
    link. InvitationEnded where it is good no more, also where two people use it at the same moment.
    """
    study = invitation.study
    with transaction.atomic():
        lock(study)
        invitation.refresh_from_db()
        known = study.memberships.filter(user=user).first()
        if known is not None and invitation.accepted_by_id == user.pk:
            return known
        check_open(invitation)
        if known is not None and (known.role == Membership.Role.LEAD or known.role == invitation.role):
            return known
        refuse_reader_change(study, user, InvitationEnded)
        member = join(study, user, invitation.role)
        invitation.accepted_by, invitation.accepted_at = user, timezone.now()
        invitation.save(update_fields=["accepted_by", "accepted_at"])
        _write_event("invitation.accepted", invitation, user, {"role": invitation.role, "member": member.pk})
    return member


def revoke(invitation: Invitation, lead: Any) -> None:
    """Make the link worthless; InvitationEnded where it is so already."""
    with transaction.atomic():
        lock(invitation.study)
        invitation.refresh_from_db()
        check_open(invitation)
        invitation.revoked_at = timezone.now()
        invitation.save(update_fields=["revoked_at"])
        _write_event("invitation.revoked", invitation, lead, {})


def withdraw_links_of(study: Study, user: Any) -> int:
    """Make worthless the unused links that somebody made who leads the study no more; returns how many there were.

    They know the secrets, and could come back with one.
    """
    waiting = Invitation.objects.filter(study=study, by=user, accepted_at__isnull=True, revoked_at__isnull=True)
    return waiting.update(revoked_at=timezone.now())


def _digest(secret: str) -> str:
    # 256 random bits cannot be guessed: a slow hash would guard nothing.
    return hashlib.sha256(secret.encode()).hexdigest()


def _write_event(action: str, invitation: Invitation, by: Any, detail: dict[str, Any]) -> None:
    audit.record(action, invitation, actor=audit.actor_of(by), detail={"study": invitation.study_id} | detail)
