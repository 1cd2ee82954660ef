"""The forms of a study of readers: its draft, its cases, and the end."""

from typing import Any

from django import forms

from labeling.forms.fields import LinesField, PercentField
from labeling.models import LONGEST_WASHOUT_DAYS, ReaderStudy
from labeling.services.reader_study.drafting import EDITABLE, LONGEST_TEXT, MOST_CASES, SEEDS


class DraftForm(forms.Form):
    """The settings of a protocol, which the lock fixes."""

    question = LinesField(
        2, label="What the study is to find out", max_length=LONGEST_TEXT, required=True,
        help_text="One sentence that a reviewer understands.",
    )  # fmt: skip
    primary_measure = forms.ChoiceField(
        label="Primary measure", choices=ReaderStudy.Measure.choices,
        help_text="The figure that answers the question. “Not sure” is a class in it, in the ordinal α missing.",
    )  # fmt: skip
    margin_kind = forms.ChoiceField(label="What the margin is", choices=ReaderStudy.MarginKind.choices)
    margin = forms.FloatField(label="Margin", help_text="Between 0 and 1, on the scale of the measure.")
    stopping = forms.ChoiceField(label="Reading ends", choices=ReaderStudy.Stopping.choices)
    stops_on = forms.DateField(
        label="Date of the end", required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="Only where reading ends on a date.",
    )  # fmt: skip
    stopping_rule = LinesField(
        2,
        label="The rule in words",
        max_length=LONGEST_TEXT,
        help_text="What a date or a count does not say.",
    )
    reread_share = PercentField(
        label="Read again, per cent of the cases", help_text="Blind, in another order; 0 for no second reading."
    )
    washout_days = forms.IntegerField(
        label="Wash-out, days", min_value=0, max_value=LONGEST_WASHOUT_DAYS,
        help_text="From a reader's last first answer to their second reading.",
    )  # fmt: skip
    seed = forms.IntegerField(
        label="Seed", min_value=0, max_value=SEEDS - 1, help_text="Draws cases and everybody's order of them."
    )

    @staticmethod
    def of(draft: ReaderStudy) -> dict[str, Any]:
        """What the form shows of a draft."""
        return {name: getattr(draft, name) for name in EDITABLE}


class CasesForm(forms.Form):
    """How many cases to draw, or which crops are the cases."""

    count = forms.IntegerField(label="Draw at random", min_value=1, max_value=MOST_CASES, required=False)
    crops = LinesField(
        3,
        label="Or name them",
        help_text="Numbers of crops, apart by spaces, commas or lines, in the order of the list.",
    )

    def clean_crops(self) -> list[int]:
        """The numbers, in order."""
        words = self.cleaned_data["crops"].replace(",", " ").split()
        for word in words:
            if not (word.isascii() and word.isdigit() and len(word) < 19):
                raise forms.ValidationError(f"“{word[:40]}” is no number of a crop: the cases are as before.")
        return [int(word) for word in words]

    def clean(self) -> dict[str, Any]:
        """One of the two ways."""
        data = super().clean() or {}
        if not self.errors and bool(data.get("count")) == bool(data.get("crops")):
            raise forms.ValidationError("Say how many to draw, or name the crops: one of the two.")
        return data
