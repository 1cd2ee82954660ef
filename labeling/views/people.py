"""Who takes part in a study, and links with which others join; for leads."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from labeling.forms.people import DutiesForm, InvitationForm, MemberForm
from labeling.models import Annotation, Invitation, Membership, Study
from labeling.services import access, invitations, members, settings
from labeling.services.exclusions import excluded_readers
from labeling.services.refusals import StudyRefused
from labeling.views.acting import act, confirm_first, first_error, line

FORM_PAGE = ["GET", "HEAD", "POST"]
MOST_ENDED = 20


@require_http_methods(FORM_PAGE)
def member_list(request: HttpRequest, pk: int) -> HttpResponse:
    """Members with their role and what they see, and invitations; POST adds a member or changes a role."""
    study = access.led_study_for(request.user, pk)
    if request.method != "POST":
        return render(request, "labeling/people.html", _page(study))
    name, role = line(request, "username")[:150], line(request, "role")
    said = f"{name} is {role} of this study."
    return act(request, study, said, lambda: settings.set_member(study, request.user, name, role), "labeling:members")


def _page(study: Study) -> dict[str, Any]:
    rows = study.memberships.select_related("user").order_by("user__username")
    now = timezone.now()
    links = study.invitations.select_related("by", "accepted_by")
    out = {row.user for row in excluded_readers(study)}
    waiting = links.filter(accepted_at__isnull=True, revoked_at__isnull=True, expires_at__gt=now)
    return {
        "study": study,
        "members": [
            {
                "row": row,
                "sees": members.sees(study, row.role, is_simulated=row.is_simulated),
                "is_excluded": row.user_id in out,
            }
            for row in rows
        ],
        "lacks_senior": study.routes_not_sure_to_seniors and not members.has_senior(study),
        "roles": Membership.Role.choices,
        "what_roles_see": [(name, members.sees(study, value)) for value, name in Membership.Role.choices],
        "member_form": MemberForm(),
        "invitation_form": InvitationForm(auto_id="id_invitation_%s"),
        "waiting": waiting,
        "ended": links.exclude(pk__in=waiting.values("pk"))[:MOST_ENDED],
        "most_a_day": members.MOST_A_DAY,
    }


@require_POST
def set_duties(request: HttpRequest, pk: int, member_pk: int) -> HttpResponseRedirect:
    """What a member is and does: their role where it is named, whether they are senior, and their daily goal."""
    study = access.led_study_for(request.user, pk)
    member = get_object_or_404(Membership.objects.select_related("user", "study"), pk=member_pk, study=study)
    return act(request, study, f"Saved for {member.user}.", lambda: _set_duties(member, request), "labeling:members")


def _set_duties(member: Membership, request: HttpRequest) -> None:
    form = DutiesForm(request.POST)
    if not form.is_valid():
        raise StudyRefused(first_error(form))
    role = form.cleaned_data.pop("role")
    # All of it or nothing: one button saves all three.
    with transaction.atomic():
        if role and role != member.role:
            settings.set_member(member.study, request.user, member.user.username, role)
        members.set_duties(member, request.user, **form.cleaned_data)


@require_http_methods(FORM_PAGE)
def remove_member(request: HttpRequest, pk: int, member_pk: int) -> HttpResponse:
    """Ask, and on POST end a membership."""
    study = access.led_study_for(request.user, pk)
    member = get_object_or_404(Membership.objects.select_related("user"), pk=member_pk, study=study)
    if request.method != "POST":
        return _ask_to_remove(request, study, member)
    said = f"{member.user} no longer takes part; their answers stay."
    return act(request, study, said, lambda: settings.remove_member(member, request.user), "labeling:members")


def _ask_to_remove(request: HttpRequest, study: Study, member: Membership) -> HttpResponse:
    name = member.user.get_username()
    answers = Annotation.objects.current().filter(study=study, annotator=member.user).count()
    return confirm_first(
        request,
        study,
        title=f"Remove {name} from this study?",
        said=f"{name} no longer sees this study or anything that it shows, and cannot answer in it.",
        kept=(
            f"All their answers ({answers:,} count now) stay with {name} as their author, and count as before.",
            "Comments stay, and so does all that the audit trail tells.",
            "Crops that they hold go back to the queue; crops that they asked for are asked for no more.",
            "Their account stays, and so do their other studies. They can be added again at any time.",
        ),
        act=f"Remove {name}",
        back=("labeling:members", "People"),
    )


@require_POST
@never_cache
def invite(request: HttpRequest, pk: int) -> HttpResponse:
    """A new link, shown on the page that answers and never again."""
    study = access.led_study_for(request.user, pk)
    form = InvitationForm(request.POST, auto_id="id_invitation_%s")
    if not form.is_valid():
        return render(request, "labeling/people.html", _page(study) | {"invitation_form": form}, status=400)
    invitation, secret = invitations.invite(study, request.user, **form.cleaned_data)
    link = request.build_absolute_uri(reverse("labeling:join", args=[secret]))
    context = _page(study) | {"fresh": invitation, "fresh_link": link}
    return render(request, "labeling/people.html", context, status=201)


@require_POST
def revoke(request: HttpRequest, pk: int, invitation_pk: int) -> HttpResponseRedirect:
    """Make a link worthless."""
    study = access.led_study_for(request.user, pk)
    invitation = get_object_or_404(Invitation.objects.select_related("study"), pk=invitation_pk, study=study)
    try:
        invitations.revoke(invitation, request.user)
        messages.success(request, "The link is withdrawn: nobody can join with it.")
    except invitations.InvitationEnded as error:
        messages.error(request, str(error))
    return redirect("labeling:members", pk)
