"""How far a study is, how fast it goes, what is left and what it costs; for leads."""

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from labeling.models import Study
from labeling.services.export.files import csv_lines
from labeling.services.progress import pool_size
from labeling.services.reader_study.guard import led_results_for
from labeling.services.workload import DAY_HEADER, day_rows, workload
from labeling.views.bars import bars_of

HIGHEST_RATE = 100_000


class PlanForm(forms.Form):
    """What the forecast is for: a number of crops, and what an hour costs; neither is stored."""

    target = forms.IntegerField(
        label="Crops to have read", required=False, min_value=1, help_text="Empty: all of them."
    )
    rate = forms.FloatField(
        label="Cost of an hour of reading", required=False, min_value=0, max_value=HIGHEST_RATE,
        help_text="In any currency; kept nowhere but in this page\u2019s address.",
    )  # fmt: skip

    def __init__(self, total: int, **given: Any) -> None:
        super().__init__(**given)
        self.fields["target"].max_value = total
        self.fields["target"].validators.append(MaxValueValidator(total))


@require_safe
def progress(request: HttpRequest, pk: int) -> HttpResponse:
    """Answers by day and reader, pace, forecast and cost; `?target=` crops, `?rate=` an hour."""
    study = led_results_for(request.user, pk)
    total = pool_size(study)
    form = PlanForm(total, data=request.GET or None)
    wanted = form.cleaned_data if form.is_bound and form.is_valid() else {}
    work = workload(study, wanted.get("target"), wanted.get("rate"))
    context = {"study": study, "form": form, "total": total, "work": work, "bars": bars_of(work.days)}
    return render(request, "labeling/progress.html", context | _by_day(work.days, work.readers))


def _by_day(days: list[Any], readers: list[Any]) -> dict[str, Any]:
    """Rows of the table of days, newest first, and its columns: those who answered in these days."""
    shown = [row for row in readers if any(day.answers for day in row.days)]
    rows = [(day, [row.days[place] for row in shown]) for place, day in enumerate(days)]
    return {"columns": shown, "by_day": rows[::-1]}


@require_safe
def progress_csv(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """Answers by day and reader since the beginning, as a file."""
    study: Study = led_results_for(request.user, pk)
    response = StreamingHttpResponse(csv_lines(DAY_HEADER, day_rows(study)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="study-{study.pk}-days.csv"'
    return response
