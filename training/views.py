"""Models of a study: runs, reports, embeddings, what its random stream says, and what a model says of one crop."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from imaging.models import Crop
from labeling.models import Ranked, Study
from labeling.services import access
from labeling.services.history import hides_old_answers
from labeling.services.reader_study.guard import led_results_for, refuse_results
from labeling.services.requests import RequestRefused, request_crops
from labeling.services.stream import stream_counts, stream_crops
from training.api.crop_page import crop_context, similar_context
from training.api.grid_payloads import grid_config
from training.api.payloads import wish_of
from training.models import ModelVersion, Status, TrainingRun
from training.services.crop_facts import explained_crop_for, model_study_for, searched_crop_for
from training.services.embedding_jobs import embed_again, stop_embedding
from training.services.embedding_maps import latest_map, request_map
from training.services.embedding_progress import embedding_state
from training.services.models import in_production, left_out_shown, promote, readers_shown, request_training
from training.services.readiness import readiness_of
from training.services.stream import DUE_AFTER, latest_try, newer_reads, newest_report, request_report
from training.services.stream_words import shown_of
from training.services.work import Refused, as_progress, request_cancel
from training.tasks import ring, ring_for_embedding, ring_for_map, ring_for_stream
from training.worker.similar import Wish, similar_crops

PAGE_SIZES = (50, 100, 200, 500, 1000)


@require_safe
def runs(request: HttpRequest, pk: int) -> HttpResponse:
    """Training runs and models of a study; for leads, and for annotators of studies that are not blind."""
    study = model_study_for(request.user, pk)
    live, is_lead = in_production(study), access.is_lead(request.user, study)
    context = {
        "study": study,
        "is_lead": is_lead,
        "readiness": readiness_of(study) if is_lead else None,
        "runs": [_run_row(run, live) for run in TrainingRun.objects.filter(study=study).select_related("model")],
    }
    return render(request, "training/runs.html", context)


@require_safe
def advice(request: HttpRequest, pk: int) -> HttpResponse:
    """What to do next about models, for leads: one item of the overview's list, nothing where a model is live."""
    study = led_results_for(request.user, pk)
    if in_production(study) is not None:
        return HttpResponse()
    runs = TrainingRun.objects.filter(study=study)
    context = {
        "study": study,
        "running": runs.filter(status__in=(Status.QUEUED, Status.RUNNING)).first(),
        "newest": ModelVersion.objects.filter(study=study).order_by("-id").first(),
        "readiness": readiness_of(study),
    }
    return render(request, "training/_advice.html", context)


@require_safe
def report(request: HttpRequest, pk: int) -> HttpResponse:
    """The held-out report of a model, in the order in which a sceptic asks; for those who may see the runs."""
    model = get_object_or_404(ModelVersion.objects.select_related("study"), pk=pk)
    is_lead = access.is_lead(request.user, model_study_for(request.user, model.study_id))
    context = {
        "model": model,
        # What it says of single readers is for leads.
        "report": model.report | {"gate": model.gate, "readers": readers_shown(model) if is_lead else {}},
        "left_out": left_out_shown(model),
        "in_production": in_production(model.study) == model,
        "promotions": model.promotions.all(),
        "is_lead": is_lead,
        "has_uplot": any("uplot" in str(folder) for folder in settings.STATICFILES_DIRS),
    }
    return render(request, "training/report.html", context)


@require_safe
def model_reader(request: HttpRequest, pk: int) -> HttpResponse:
    """The model in production, else the newest one, beside the readers: a fact for the figures of agreement."""
    study = led_results_for(request.user, pk)
    model = in_production(study) or ModelVersion.objects.filter(study=study).first()
    context = {"model": model, "readers": model.report.get("readers", {}) if model else {}}
    return render(request, "training/_model_reader.html", context)


@require_POST
def start(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """Ask for a training run; for leads."""
    study = led_results_for(request.user, pk)
    recipe = {"model": "handcrafted"} if request.POST.get("model") == "handcrafted" else {}
    run = request_training(study, request.user, recipe)
    ring(run.pk)
    messages.success(request, f"Training run {run.pk} waits for a worker.")
    return redirect("training:runs", pk)


@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """End a training run; for leads."""
    run = get_object_or_404(TrainingRun, pk=pk)
    access.led_study_for(request.user, run.study_id)
    request_cancel(run, request.user)
    messages.info(request, f"Training run {run.pk} ends at its next step; nothing is registered.")
    return redirect("training:runs", run.study_id)


@require_POST
def go_live(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """Put a model into production; for leads. A closed gate asks for a reason."""
    model = get_object_or_404(ModelVersion, pk=pk)
    access.led_study_for(request.user, model.study_id)
    try:
        promote(model, request.user, request.POST.get("reason", "")[:1000])
        messages.success(request, "The model is in production. Its history stands below.")
    except Refused as error:
        messages.error(request, str(error))
    return redirect("training:report", pk)


@require_safe
def stream(request: HttpRequest, pk: int) -> HttpResponse:
    """What the random stream says of a study, for leads: a card for the overview where htmx asks, else the page."""
    study = led_results_for(request.user, pk)
    report, last = newest_report(study), latest_try(study)
    context = {
        "study": study,
        "counts": stream_counts(stream_crops(study)),
        "stream_report": report,
        "newer": newer_reads(study, report) if report else 0,
        "last": last if last != report else None,
        "due_after": DUE_AFTER,
        **(shown_of(report.content) if report else {}),
    }
    is_card = bool(getattr(request, "htmx", False))
    return render(request, "training/_stream.html" if is_card else "training/stream.html", context)


@require_POST
def stream_compute(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """Ask for the report of the random stream now; for leads."""
    study = led_results_for(request.user, pk)
    ring_for_stream(request_report(study, request.user).pk)
    messages.success(request, "The report waits for a worker; load this page again in a minute.")
    return redirect("training:stream", pk)


@require_safe
def embedding(request: HttpRequest, pk: int) -> HttpResponse:
    """How far a study's embeddings are, for leads: a card for the overview where htmx asks, else the page.

    The card is empty where the study's own encoder ranks and nothing is computed.
    """
    study = access.led_study_for(request.user, pk)
    context = {"study": study, "embedding": embedding_state(study)}
    if not getattr(request, "htmx", False):
        return render(request, "training/embedding.html", context)
    return render(request, "training/_embedding.html", context) if context["embedding"] else HttpResponse()


@require_POST
def embed_once_more(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """Try again at once what was refused, failed or stopped; for leads."""
    study = access.led_study_for(request.user, pk)
    embed_again(study, request.user)
    ring_for_embedding(study.pk)
    messages.success(request, "It is tried again: a worker takes it up as soon as one is free.")
    return redirect("labeling:overview", pk)


@require_POST
def embed_stop(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """End the computing of a study's embeddings; for leads."""
    study = access.led_study_for(request.user, pk)
    stop_embedding(study, request.user)
    messages.info(request, "Computing the embeddings ends at its next step; what is computed stays.")
    return redirect("labeling:overview", pk)


@require_safe
def crop_page(request: HttpRequest, pk: int, crop: int) -> HttpResponse:
    """One crop: what is known of it, why it is asked, what was answered, and what the head's opinion rests on."""
    study, row = explained_crop_for(request.user, pk, crop)
    return render(request, "training/crop.html", crop_context(study, row, request.user))


@require_http_methods(["GET", "HEAD", "POST"])
def similar(request: HttpRequest, pk: int, crop: int) -> HttpResponse:
    """Crops of the pool that look like one; POST puts the chosen ones in front of the user's own queue."""
    study, row = searched_crop_for(request.user, pk, crop)
    if request.method == "POST":
        return _read_next(request, study, row)
    given = {name: request.GET.get(name) == "1" for name in ("unanswered", "same_experiment")}
    wish, found, problem = Wish(), [], ""
    try:
        wish = wish_of(request.user, study, **given)
        found = similar_crops(study, row, wish)
    except (Refused, ValidationError) as error:
        problem = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
    context = similar_context(study, row, request.user, wish, found)
    return render(request, "training/similar.html", context | {"problem": problem})


@require_safe
def grid(request: HttpRequest, pk: int) -> HttpResponse:
    """Many crops at once: sorted, filtered, chosen and answered together; for those who take part in the study."""
    study = access.study_for(request.user, pk)
    if study.archived_at is not None:
        # The room says so; whoever leads the study restores it there.
        return redirect("labeling:room", pk)
    refuse_results(study)
    classes = list(study.classes.filter(retired_at__isnull=True).values("key", "name", "color"))
    context = {"study": study, "classes": classes, "is_ranked": Ranked.objects.filter(study=study).exists()}
    context |= {"page_sizes": PAGE_SIZES, "hides_old": hides_old_answers(study, request.user)}
    context["grid_config"] = grid_config(study, request.user, classes)
    return render(request, "training/grid.html", context)


@require_POST
def grid_map(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """Ask for a map of the pool; for those who see what models say."""
    study = model_study_for(request.user, pk)
    ring_for_map(request_map(study, request.user).pk)
    messages.success(request, "The map waits for a worker; the first layout is there in a moment.")
    return redirect("training:grid", pk)


@require_POST
def grid_map_stop(request: HttpRequest, pk: int) -> HttpResponseRedirect:
    """End the making of a map; for leads."""
    study = access.led_study_for(request.user, pk)
    if (work := latest_map(study)) is not None:
        request_cancel(work, request.user)
    messages.info(request, "The map ends at its next step; a layout that is finished stays.")
    return redirect("training:grid", pk)


def _read_next(request: HttpRequest, study: Study, like: Crop) -> HttpResponse:
    chosen = [
        int(text) for text in request.POST.getlist("crops") if text.isascii() and text.isdigit() and len(text) < 19
    ]
    try:
        if not chosen:
            raise RequestRefused("No crop was chosen: mark one or more.")
        request_crops(study, request.user, like, chosen)
    except RequestRefused as error:
        messages.error(request, str(error))
        return redirect("training:similar", study.pk, like.pk)
    return redirect("labeling:room", study.pk)


def _run_row(run: TrainingRun, live: ModelVersion | None) -> dict[str, Any]:
    model = getattr(run, "model", None)
    row = as_progress(run) | {"created_at": run.created_at, "model": model, "in_production": False}
    if model is None:
        return row
    return row | {
        "kind": model.kind,
        "balanced_accuracy": model.report["balanced_accuracy"],
        "gate": model.gate,
        "reason": model.gate["text"],
        "in_production": model == live,
    }
