"""The page behind an invitation: who has an account joins, who has none makes one."""

from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.contrib import messages
from django.contrib.auth import get_user_model, login
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import UserCreationForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from audit import services as audit
from labeling.models import Invitation
from labeling.services.invitations import (
    InvitationEnded,
    InvitationUnknown,
    accept,
    check_open,
    invitation_for,
)
from labeling.services.members import sees
from labeling.services.queue import lock

# Wrong links are counted like wrong passwords, under a name that nobody can have.
GUESSES = {"username": "(invitation)"}
TOO_MANY = "Too many links that lead nowhere were opened from your address. Wait a quarter of an hour and try again."
BACKEND = "django.contrib.auth.backends.ModelBackend"


class JoinForm(UserCreationForm):
    """A new account: a user name and a password that the site's rules accept."""

    class Meta(UserCreationForm.Meta):
        model = get_user_model()
        labels = {"username": "User name"}

    def validate_password_for_user(self, user: Any, password_field_name: str = "password1") -> None:
        """What is wrong with the password stands at the password, not at its repetition."""
        super().validate_password_for_user(user, password_field_name)


@login_not_required
@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, secret: str) -> HttpResponse:
    """What the invitation is for; POST joins, for those without an account after making one."""
    if not AxesProxyHandler.is_allowed(request, GUESSES):
        return _refusal(request, TOO_MANY, 429)
    try:
        invitation = invitation_for(secret)
    except InvitationUnknown as error:
        _count_guess(request)
        return _refusal(request, str(error), 404)
    try:
        if not request.user.is_authenticated:
            return _newcomer(request, invitation)
        return _member(request, invitation)
    except InvitationEnded as error:
        return _refusal(request, f"{error} Ask the lead who sent it for a new one.", 410)


def _member(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    """For somebody who is logged in: one button."""
    if request.method == "POST" or invitation.accepted_by_id == request.user.pk:
        accept(invitation, request.user)
        messages.success(request, f"You take part in “{invitation.study.name}”.")
        return redirect("labeling:overview", invitation.study_id)
    check_open(invitation)
    return render(request, "labeling/join.html", _context(invitation))


def _newcomer(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    """For somebody who is not logged in: a form for a new account, and the way to the log-in."""
    check_open(invitation)
    form = JoinForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        context = _context(invitation) | {"form": form}
        return render(request, "labeling/join.html", context, status=400 if form.errors else 200)
    with transaction.atomic():
        user = form.save()
        # Before the first event, as everywhere.
        lock(invitation.study)
        audit.record("account.made", user, actor=audit.actor_of(user), detail={"invitation": invitation.pk})
        accept(invitation, user)
    login(request, user, backend=BACKEND)
    messages.success(request, f"Your account is made, and you take part in “{invitation.study.name}”.")
    return redirect("labeling:overview", invitation.study_id)


def _context(invitation: Invitation) -> dict[str, Any]:
    study = invitation.study
    return {
        "invitation": invitation,
        "study": study,
        "sees": sees(study, invitation.role),
        "password_help": "At least eight characters, not only digits, no common password, nothing like your name.",
    }


def _refusal(request: HttpRequest, problem: str, status: int) -> HttpResponse:
    return render(request, "labeling/join.html", {"problem": problem}, status=status)


def _count_guess(request: HttpRequest) -> None:
    AxesProxyHandler.user_login_failed(sender=join, credentials=GUESSES, request=request)
    # Axes would answer about a locked account; this page has its own words.
    request.axes_locked_out = False  # type: ignore[attr-defined]
