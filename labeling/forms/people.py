"""Forms for who takes part in a study: members, what they do in it, and links with which others join."""

from django import forms

from labeling.models import Membership
from labeling.services.invitations import DEFAULT_DAYS, LONGEST_DAYS
from labeling.services.members import MOST_A_DAY


class MemberForm(forms.Form):
    """Who takes part, and as what."""

    username = forms.CharField(max_length=150, label="User name")
    role = forms.ChoiceField(choices=Membership.Role.choices)


class DutiesForm(forms.Form):
    """What a member is and does; no role leaves the one that they have."""

    role = forms.ChoiceField(choices=Membership.Role.choices, required=False, label="Role")
    is_senior = forms.BooleanField(required=False, label="Senior")
    daily_goal = forms.IntegerField(required=False, min_value=1, max_value=MOST_A_DAY, label="Daily goal")


class InvitationForm(forms.Form):
    """A link for somebody who is not in the study yet."""

    role = forms.ChoiceField(choices=Membership.Role.choices)
    note = forms.CharField(
        max_length=200, required=False, label="For whom", help_text="Only leads see this: a name, so that you know."
    )
    days = forms.IntegerField(
        min_value=1,
        max_value=LONGEST_DAYS,
        initial=DEFAULT_DAYS,
        label="Good for, days",
        help_text=f"1 to {LONGEST_DAYS}. One link is for one person.",
    )
