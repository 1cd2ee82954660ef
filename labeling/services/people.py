"""Forgets a person who asks for it: the answers stay under a pseudonym, everything that names the person goes."""

import json
import re
from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q
from knox.models import AuthToken

from audit import services as audit
from imaging.models import Experiment
from labeling.models import (
    AgreementReport,
    Invitation,
    Lease,
    Membership,
    Preferences,
    RequestedCrop,
    Sitting,
    SkippedCrop,
)
from labeling.services.imports.people import forget_in_reports
from labeling.services.invitations import withdraw_links_of

# What a study keeps for a person while they read; nothing of it is an answer.
WORKING = (Lease, RequestedCrop, SkippedCrop, Sitting, Preferences)


class ForgetRefused(ValueError):
    """The person cannot be forgotten yet; the message says what to do first."""


def pseudonym_of(user: Any) -> str:
    """What a forgotten person is called on pages: their number tells people apart and names nobody."""
    return f"former reader {user.pk}"


def forget_person(user: Any, by: Any) -> bool:
    """Replace everything that names the person by a pseudonym and end what they could do; True unless it was done.

    Answers, comments and the audit trail stay under the same number: the trail has never held a name, only `user:ID`.
    What the person typed stays as well (notes, comments, texts of a study), because it belongs to the study.
    ForgetRefused for oneself, for the last administrator, and for the only lead of a study.
    """
    with transaction.atomic():
        user = get_user_model().objects.select_for_update().get(pk=user.pk)
        if user.username == pseudonym_of(user) and not user.is_active:
            return False
        _refuse(user, by)
        names = {user.username, user.email} - {""}
        studies = list(user.memberships.values_list("study", flat=True))
        _end_sessions(user)
        _end_work(user)
        _rename(user)
        _forget_traces(user, names)
        audit.record("person.forgotten", user, actor=audit.actor_of(by), detail={"studies": studies})
    return True


def _refuse(user: Any, by: Any) -> None:
    if by is not None and user.pk == by.pk:
        raise ForgetRefused("You cannot forget yourself: another administrator does it.")
    others = get_user_model().objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    if user.is_superuser and not others.exists():
        raise ForgetRefused("This is the last administrator: make another one first.")
    for member in user.memberships.filter(role=Membership.Role.LEAD).select_related("study"):
        if not member.study.memberships.filter(role=Membership.Role.LEAD).exclude(user=user).exists():
            raise ForgetRefused(f"Nobody else leads the study “{member.study}”: make somebody its lead first.")


def _end_sessions(user: Any) -> None:
    """End every log-in: in browsers and by tokens."""
    for session in Session.objects.iterator():
        if session.get_decoded().get("_auth_user_id") == str(user.pk):
            session.delete()
    AuthToken.objects.filter(user=user).delete()


def _end_work(user: Any) -> None:
    for model in WORKING:
        model._default_manager.filter(user=user).delete()
    for member in user.memberships.select_related("study"):
        withdraw_links_of(member.study, user)
    user.memberships.all().delete()
    Experiment.viewers.through.objects.filter(user=user).delete()
    user.groups.clear()
    user.user_permissions.clear()


def _rename(user: Any) -> None:
    user.username, user.first_name, user.last_name, user.email = pseudonym_of(user), "", "", ""
    user.is_active = user.is_staff = user.is_superuser = False
    user.last_login = None
    user.set_unusable_password()
    user.save()


def _forget_traces(user: Any, names: set[str]) -> None:
    """Names in places that only remember them: log-in attempts, Admin's own log, the word on an invitation."""
    for model in (AccessAttempt, AccessFailureLog, AccessLog):
        model.objects.filter(username__in=names).delete()
    own = LogEntry.objects.filter(content_type__app_label="auth", content_type__model="user", object_id=str(user.pk))
    own.update(object_repr=pseudonym_of(user), change_message="")
    _rename_in_log(names, pseudonym_of(user))
    forget_in_reports(names, pseudonym_of(user))
    Invitation.objects.filter(accepted_by=user).update(note="")
    # They name readers, and are computed anew from the answers.
    AgreementReport.objects.filter(study__in=user.annotations.values("study")).delete()


def _rename_in_log(names: set[str], instead: str) -> None:
    """Admin writes into its log what it adds to a study or takes out: "bob in nuclei as lead"."""
    # The log is JSON, where letters beyond ASCII are numbers.
    written = names | {json.dumps(name)[1:-1] for name in names}
    longest_first = sorted(map(re.escape, written), key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w@+-])(?<!\w\.)(?:{'|'.join(longest_first)})(?![\w@+-]|\.\w)")
    found = Q()
    for name in written:
        found |= Q(object_repr__contains=name) | Q(change_message__contains=name)
    for row in LogEntry.objects.filter(found):
        row.object_repr = pattern.sub(instead, row.object_repr)
        row.change_message = pattern.sub(instead, row.change_message)
        row.save(update_fields=["object_repr", "change_message"])
