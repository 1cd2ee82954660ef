"""The reading room and the overview of a study."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from imaging.services.access import experiment_for
from labeling.api.payloads import ranking_payload, told_problem
from labeling.models import ReaderStudy, Study
from labeling.registry import strategies
from labeling.services import access, progress
from labeling.services.counts import Counts, counts_of
from labeling.services.exclusions import excluded_readers
from labeling.services.guidelines import current_guideline
from labeling.services.guidelines_shown import newest_number, unopened_version
from labeling.services.members import lead_names
from labeling.services.preferences import preferences_of
from labeling.services.quality import called_by_image
from labeling.services.reader_study.drafting import awaits_protocol, cases_came
from labeling.services.reader_study.guard import is_done, results_are_open, with_open_results
from labeling.services.reader_study.report import report_of
from labeling.services.sitting import may_choose_by_model, resume
from labeling.views.agreement import shown_agreement, steps_for

WORST_IMAGES = 20
ROOM_URLS = ("next", "answers", "undo", "leave", "ranking", "skip", "pause", "sitting")


@require_safe
def room(request: HttpRequest, pk: int) -> HttpResponse:
    """The page where an annotator reads crops, one at a time."""
    study = access.study_for(request.user, pk)
    if study.archived_at is not None:
        context = {"study": study, "is_lead": access.is_lead(request.user, study), "is_done": is_done(study)}
        return render(request, "labeling/archived.html", context)
    # Who opens the room is back from a pause.
    resume(study, request.user)
    classes = list(
        study.classes.filter(retired_at__isnull=True).values("key", "name", "color", "position", "description")
    )
    return render(
        request,
        "labeling/room.html",
        {
            "study": study,
            "classes": classes,
            "guideline": current_guideline(study),
            "chooses_by_model": may_choose_by_model(study, request.user),
            "room_config": _room_config(request, study, classes),
        },
    )


@require_safe
def overview(request: HttpRequest, pk: int) -> HttpResponse:
    """Progress, counts and agreement of a study; what only leads may see is left out for annotators."""
    study = access.study_for(request.user, pk)
    is_lead = access.is_lead(request.user, study)
    own, counts = progress.own_progress(study, request.user), counts_of(study)
    context: dict[str, Any] = {
        "study": study,
        "is_lead": is_lead,
        "own": own,
        "ranking": (ranking := ranking_payload(study, request.user)),
        "ranking_words": strategies.describe(ranking["strategy"]) if ranking else "",
        "ranking_problem": told_problem(study, request.user),
        "unopened": unopened_version(study, request.user),
        "progress": {"answered": counts.answered, "total": progress.pool_size(study)},
    }
    is_open = results_are_open(study)
    context |= {"is_open": is_open, "has_protocol": is_lead or study.is_reader_study, "is_done": is_done(study)}
    context["awaits_protocol"] = awaits_protocol(study)
    if is_lead and is_open:
        context["progress"] |= {
            "by_class": [row for row in counts.by_class if row["is_open"] or row["count"]],
            "by_annotator": counts.by_annotator,
        }
        context |= _results(study, counts)
    return render(request, "labeling/overview.html", context)


def _results(study: Study, counts: Counts) -> dict[str, Any]:
    """What answers add up to: the protocol's figure where the study has one, else agreement and what to do next."""
    context: dict[str, Any] = {
        "left_out": excluded_readers(study),
        "called": counts.called,
        "ambiguous": counts.ambiguous,
        "comments": study.comments.count(),
        "imported": counts.imported,
    }
    if study.is_reader_study:
        protocol = ReaderStudy.objects.get(study=study)
        return context | {"protocol": protocol, "report": report_of(protocol), "case_note": cases_came(study)}
    shown = shown_agreement(study)
    return context | shown | {"steps": steps_for(study, counts, shown)}


@require_safe
def called(request: HttpRequest, pk: int) -> HttpResponse:
    """What the readers of studies that the user leads called the crops of an experiment: a part of its page."""
    experiment = experiment_for(request.user, pk)
    images = called_by_image(experiment, with_open_results(access.studies_led_by(request.user)))
    context = {
        "read": sum(row.read for row in images),
        "faulty": sum(row.faulty for row in images),
        "images": [row for row in images if row.faulty][:WORST_IMAGES],
    }
    return render(request, "labeling/_called.html", context)


def _room_urls(study: Study) -> dict[str, str]:
    api = reverse("labeling-api:study-detail", args=[study.pk])
    return {name: reverse(f"labeling-api:study-{name}", args=[study.pk]) for name in ROOM_URLS} | {
        "study": api,
        "skip": f"{api}skip/",
        "pause": f"{api}pause/",
        "guide": reverse("labeling-api:guide", args=[study.pk]),
        # The page puts the crop's number in the place of 0.
        "comments": reverse("labeling-api:comments", args=[study.pk, 0]),
        "preferences": reverse("labeling-api:preferences"),
        "login": reverse("login"),
        "overview": reverse("labeling:overview", args=[study.pk]),
    }


def _room_config(request: HttpRequest, study: Study, classes: list[dict[str, Any]]) -> dict[str, Any]:
    own = progress.own_progress(study, request.user, goal=progress.daily_goal(study, request.user))
    first = study.experiments.first()
    return {
        "study": study.pk,
        "user": request.user.pk,
        "urls": _room_urls(study),
        "classes": classes,
        "keys": preferences_of(request.user).keys,
        "guideline": newest_number(study),
        "unopened": _unopened(study, request.user),
        "cases": study.is_reader_study,
        "awaits_protocol": awaits_protocol(study),
        "idle_cap_s": study.idle_cap_s,
        "blind": study.is_blind,
        "locked": study.locks_view,
        "leads": lead_names(study),
        "channels": first.channels if first else [],
        "progress": {"answered": own.answered, "total": own.total, "today": own.today, "goal": own.goal},
    }


def _unopened(study: Study, user: Any) -> dict[str, Any] | None:
    version = unopened_version(study, user)
    if version is None:
        return None
    return {"number": version.number, "since": f"{version.created_at:%Y-%m-%d}", "change": version.change}
