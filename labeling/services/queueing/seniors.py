"""Who reads what others could not tell, in words for the page of settings."""

from labeling.models import Membership, Study


def senior_note(study: Study) -> str:
    """To whom second reads of "not sure" go, as a sentence; says so where no senior is there to take them."""
    if not study.routes_not_sure_to_seniors:
        return "What one reader was not sure of goes to any other reader."
    names = list(
        study.memberships.filter(is_senior=True).order_by("user__username").values_list("user__username", flat=True)
    )
    if not names:
        return "This study has no senior reader yet: what one was not sure of goes to any other reader."
    leads = study.memberships.filter(role=Membership.Role.LEAD, is_senior=False).exists()
    return f"What one reader was not sure of goes to {', '.join(names)}{' and to leads' if leads else ''} alone."
