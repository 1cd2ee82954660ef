"""What members of a study do in it besides their role, and what each of them sees."""

from typing import Any

from django.db import transaction

from audit import services as audit
from labeling.models import Membership, Study
from labeling.services.queue import lock
from labeling.services.refusals import StudyRefused

MOST_A_DAY = 100_000

LEAD_SEES = "Sees everything: experiments, everybody's answers by name, models and reports. Reads crops too."
BLIND_SEES = (
    "Sees crops and their own answers. Sees no experiment or image names, nobody else's answers, no reason why a "
    "crop is asked, and no model."
)
OPEN_SEES = (
    "Sees crops, their experiments, why each is asked, labelled crops like it, and models. Of the answers to a crop "
    "sees only their own."
)
SIMULATED_SEES = "A program that answers like a reader; its answers are marked as simulated everywhere."


def set_duties(member: Membership, lead: Any, *, is_senior: bool, daily_goal: int | None) -> bool:
    """Whether "not sure" of others comes to the member, and how many answers a day they aim at (None: no goal).

    Returns whether anything changed; StudyRefused for a goal that nobody could count.
    """
    if daily_goal is not None and not 1 <= daily_goal <= MOST_A_DAY:
        raise StudyRefused(f"A daily goal lies between 1 and {MOST_A_DAY:,} answers; leave it empty for none.")
    with transaction.atomic():
        lock(member.study)
        member.refresh_from_db()
        before, after = (member.is_senior, member.daily_goal), (is_senior, daily_goal)
        if before == after:
            return False
        member.is_senior, member.daily_goal = after
        member.save(update_fields=["is_senior", "daily_goal"])
        detail = {"is_senior": [before[0], is_senior], "daily_goal": [before[1], daily_goal]}
        about = {"study": member.study_id} | detail
        audit.record("member.duties", member, actor=audit.actor_of(lead), detail=about)
    return True


def lead_names(study: Study) -> list[str]:
    """The account names of those who lead the study, in order: whom its readers may ask."""
    leads = study.memberships.filter(role=Membership.Role.LEAD, user__is_active=True, is_simulated=False)
    return list(leads.order_by("user__username").values_list("user__username", flat=True))


def has_senior(study: Study) -> bool:
    """Whether anybody in the study reads what others could not tell."""
    return study.memberships.filter(is_senior=True).exists()


def sees(study: Study, role: str, *, is_simulated: bool = False) -> str:
    """What a member with this role sees of the study, in plain words."""
    if is_simulated:
        return SIMULATED_SEES
    if role == Membership.Role.LEAD:
        return LEAD_SEES
    return BLIND_SEES if study.is_blind else OPEN_SEES
