"""How many cases and readers a study of readers needs; for whoever is logged in, about no study in particular."""

from functools import lru_cache
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from labeling.agreement.planner import GRID, MOST_CLASSES, Assumed, Kind, Plan, plans

READERS = (2, 3, 4, 5)
FIGURES = (("alpha", "Krippendorff\u2019s α"), ("kappa", "Fleiss\u2019 κ"), ("percent", "Per cent agreement"))


class PlannerForm(forms.Form):
    """What is assumed before the first case is read, and how narrow the interval shall be."""

    shares = forms.CharField(
        label="How often each class occurs, in per cent", max_length=100, initial="70, 20, 10",
        help_text=f"Two to {MOST_CLASSES} numbers that sum to 100; rare classes decide how many cases it takes.",
    )  # fmt: skip
    agreement = forms.FloatField(
        label="How often two readers will agree, in per cent", min_value=1, max_value=99.9, initial=85,
        help_text="From a pilot, or from what others report. Try a lower one too.",
    )  # fmt: skip
    figure = forms.ChoiceField(label="Figure to report", choices=FIGURES, initial="alpha")
    half_width = forms.FloatField(
        label="Half-width of its 95 % interval", min_value=0.01, max_value=0.5, initial=0.1,
        help_text="0.1 means: 0.75 give or take 0.1. For per cent agreement 0.05 are five points.",
    )  # fmt: skip

    def clean_shares(self) -> tuple[float, ...]:
        """The shares as parts of one."""
        try:
            given = [float(part) for part in self.cleaned_data["shares"].replace(";", ",").split(",")]
        except ValueError:
            raise forms.ValidationError("Write numbers with commas between them, such as 70, 20, 10.") from None
        if not abs(sum(given) - 100) < 0.5:
            raise forms.ValidationError(f"These sum to {sum(given):g}: they must sum to 100.")
        return tuple(share / sum(given) for share in given)

    def clean(self) -> dict[str, Any]:
        """Together they must be possible."""
        data = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                data["assumed"] = Assumed(data["shares"], data["agreement"] / 100)
            except ValueError as error:
                raise forms.ValidationError(f"This cannot be: {error}.") from error
        return data


@require_safe
def planner(request: HttpRequest) -> HttpResponse:
    """The form, and for what it says the cases that two to five readers need."""
    form = PlannerForm(request.GET or None)
    context: dict[str, Any] = {"form": form, "grid": GRID}
    if form.is_bound and form.is_valid():
        data = form.cleaned_data
        found = _plans(data["assumed"], data["figure"], data["half_width"])
        context |= {
            "plans": found,
            "assumed": data["assumed"],
            "figure": dict(FIGURES)[data["figure"]],
            "half_width": data["half_width"],
            "widths": list(zip(GRID, *(row.widths for row in found), strict=True)),
        }
    return render(request, "labeling/planner.html", context)


@lru_cache(maxsize=64)
def _plans(assumed: Assumed, kind: Kind, half_width: float) -> list[Plan]:
    return plans(assumed, kind, half_width, READERS)
