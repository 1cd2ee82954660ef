"""Crops that two readers could not tell, for leads: they are kept apart until one of them is reopened."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from imaging.models import Crop
from labeling.models import Annotation, Study
from labeling.services import access
from labeling.services import ambiguous as service
from labeling.services.reader_study.guard import refuse_results

PAGE = 50


@require_safe
def ambiguous(request: HttpRequest, pk: int) -> HttpResponse:
    """Every ambiguous crop with what its readers noted."""
    study = access.led_study_for(request.user, pk)
    refuse_results(study)
    page = Paginator(service.ambiguous_crops(study), PAGE).get_page(request.GET.get("page"))
    context = {"study": study, "page": page, "crops": _rows(study, list(page.object_list))}
    return render(request, "labeling/ambiguous.html", context)


@require_POST
def reopen(request: HttpRequest, pk: int, crop_pk: int) -> HttpResponseRedirect:
    """Ask for one more read of an ambiguous crop."""
    study = access.led_study_for(request.user, pk)
    refuse_results(study)
    crop = get_object_or_404(Crop, pk=crop_pk, image__sample__experiment__studies=study)
    try:
        service.reopen(study, request.user, crop)
        messages.success(request, "The crop is reopened: the next reader who has not read it gets it first.")
    except service.ReopenRefused as error:
        messages.error(request, str(error))
    return redirect("labeling:ambiguous", pk)


def _rows(study: Study, crops: list[int]) -> list[dict[str, Any]]:
    waiting = service.waiting_again(study)
    notes: dict[int, list[str]] = {}
    standing = Annotation.objects.reads().included().filter(study=study, crop__in=crops).exclude(reason="")
    for crop, reason in standing.order_by("id").values_list("crop_id", "reason"):
        notes.setdefault(crop, []).append(reason)
    found = Crop.objects.filter(pk__in=crops).order_by("pk")
    return [
        {
            "id": crop,
            "experiment": experiment,
            "sample": sample,
            "notes": notes.get(crop, []),
            "waits": crop in waiting,
            "reopen_url": reverse("labeling:reopen", args=[study.pk, crop]),
        }
        for crop, experiment, sample in found.values_list(
            "pk", "image__sample__experiment__name", "image__sample__name"
        )
    ]
