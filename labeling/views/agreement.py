"""The page of agreement: what a lead needs to trust the labels, and where to go on."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from labeling.models import Study
from labeling.services.agreement import Shown, report_of
from labeling.services.agreement_shown import disputed_of, matrix_of, steps_of, time_plot, word_of
from labeling.services.counts import Counts, counts_of
from labeling.services.next_steps import DISPUTED, Labels, Step, next_steps
from labeling.services.reader_study.drafting import awaits_protocol, cases_came
from labeling.services.reader_study.guard import led_results_for
from labeling.tasks import ring_for_agreement


@require_safe
def agreement(request: HttpRequest, pk: int) -> HttpResponse:
    """Every figure of agreement with its interval and its table; for leads. Nothing is computed here."""
    study = led_results_for(request.user, pk)
    context = shown_agreement(study)
    data = context["agreement"]
    context |= {
        "study": study,
        "steps": steps_for(study, counts_of(study), context),
        "plot": time_plot(data["over_time"]) if data else None,
        "without_reads": [row["name"].lower() for row in data["rows"] if not row["reads"]] if data else [],
        "disputed": disputed_of(data) if data else [],
        "has_uplot": any("uplot" in str(folder) for folder in settings.STATICFILES_DIRS),
    }
    return render(request, "labeling/agreement.html", context)


def shown_agreement(study: Study) -> dict[str, Any]:
    """The newest report for a page, with its matrix and what it asks for; rings for the first one."""
    shown = report_of(study)
    if shown.is_wanted:
        ring_for_agreement(study.pk)
    matrix = matrix_of(shown.data) if shown.data else None
    return {
        "agreement": shown.data,
        "freshness": shown,
        "waiting": waiting_words(shown),
        "matrix": matrix,
        "word": word_of(shown.data) if shown.data else "",
        "case_note": cases_came(study) if study.is_reader_study else "",
        "steps": steps_of(shown.data, matrix) if shown.data else [],
    }


def steps_for(study: Study, counts: Counts, shown: dict[str, Any]) -> list[dict[str, str]]:
    """What is missing, then what the figures of agreement ask for; nothing in a study of readers, which is done.

    `shown`: as `shown_agreement` gives it.
    """
    if study.is_reader_study:
        return []
    labels = Labels(
        has_guidelines=bool(study.guidelines.strip()),
        answered=counts.answered,
        annotators=len([row for row in counts.by_annotator if row["n"] and not row["excluded"]]),
        word=shown["word"],
        # Where two classes are named to be discussed, their crops are among those of the page.
        disputed=0 if any(step.route == DISPUTED for step in shown["steps"]) else counts.disputed,
        by_class=[(row["name"], row["count"]) for row in counts.by_class if row["is_open"]],
        awaits_protocol=awaits_protocol(study),
    )
    return with_addresses(study, [*next_steps(labels), *shown["steps"]])


def with_addresses(study: Study, steps: Iterable[Step]) -> list[dict[str, str]]:
    """The steps with the address of each."""
    return [
        {
            "text": step.text,
            "why": step.why,
            "url": reverse(step.route, args=[study.pk, *([step.reader] if step.reader else [])]) + step.query,
        }
        for step in steps
    ]


def waiting_words(shown: Shown) -> str:
    """Why there is no figure yet, and what comes next."""
    if shown.is_empty:
        return "Nobody has answered yet. Agreement needs crops that two readers answer without sight of each other."
    if shown.problem:
        return f"{shown.problem} It is tried again in the background."
    return "They are computed in the background after the first answers; load this page again in a minute."
