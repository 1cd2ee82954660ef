"""Experiments and the verdicts of quality control."""

from io import BytesIO
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe
from PIL import Image as Picture

from imaging.models import CropMove, Image, Verdict
from imaging.pixels import display
from imaging.pixels.errors import ImageError
from imaging.pixels.geometry import Box
from imaging.services import access
from imaging.services.fields import field_reader
from imaging.services.pixels import shown_channels
from imaging.services.quality import reason_text

PAGE = 60
MOVES = 200
THUMBNAIL_PX = 240


@require_safe
def experiments(request: HttpRequest) -> HttpResponse:
    """Every experiment that the user may see."""
    rows = access.experiments_of(request.user).with_counts()
    return render(request, "imaging/experiments.html", {"experiments": rows})


@require_safe
def experiment(request: HttpRequest, pk: int) -> HttpResponse:
    """One experiment: its images with verdicts and reasons; `?verdict=reject` is the re-acquisition list."""
    row = access.experiment_for(request.user, pk)
    images = Image.objects.filter(sample__experiment=row)
    counts = dict(images.values_list("verdict").annotate(number=Count("id")))
    wanted = request.GET.get("verdict", "")
    if wanted in Verdict.values:
        images = images.filter(verdict=wanted)
    page = Paginator(images.order_by("name"), PAGE).get_page(request.GET.get("page"))
    context = {
        "experiment": row,
        "counts": {verdict: counts.get(verdict, 0) for verdict in Verdict.values},
        "verdict": wanted,
        "page": page,
        "images": _image_rows(list(page.object_list)),
        "revisions": row.revisions.all(),
    }
    return render(request, "imaging/experiment.html", context)


@require_safe
def revision(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """What one change of an experiment's objects or images did to its crops; `?kind=gone` lists one kind of move."""
    row = access.experiment_for(request.user, pk)
    change = get_object_or_404(row.revisions, number=number)
    moves = change.moves.select_related("crop__image", "other").order_by("id")
    counts = dict(change.moves.order_by().values_list("kind").annotate(number=Count("id")))
    wanted = request.GET.get("kind", "")
    if wanted in CropMove.Kind.values:
        moves = moves.filter(kind=wanted)
    context = {
        "experiment": row,
        "revision": change,
        "report": change.report,
        "kinds": [(kind, CropMove.Kind(kind).label, counts[kind]) for kind in CropMove.Kind.values if kind in counts],
        "kind": wanted,
        "page": Paginator(moves, MOVES).get_page(request.GET.get("page")),
    }
    return render(request, "imaging/revision.html", context)


@require_safe
def thumbnail(request: HttpRequest, pk: int) -> HttpResponse:
    """A small picture of an image in the experiment's colours and window."""
    image = get_object_or_404(Image.objects.select_related("sample__experiment"), pk=pk)
    access.experiment_for(request.user, image.sample.experiment_id)
    try:
        picture = _png(image)
    except (ImageError, OSError):
        text = f"The original of {image.name} is not at its place: it was moved, or its disk is not mounted."
        return HttpResponseNotFound(text, content_type="text/plain; charset=utf-8")
    response = HttpResponse(picture, content_type="image/png")
    response["Cache-Control"] = "private, max-age=86400"
    return response


def _image_rows(images: list[Image]) -> list[dict[str, Any]]:
    rows = Image.objects.filter(pk__in=[image.pk for image in images]).annotate(
        number=Count("crops", filter=Q(crops__gone_at__isnull=True))
    )
    crops = dict(rows.values_list("pk", "number"))
    return [
        {
            "id": image.pk,
            "name": image.name,
            "well": image.sample.name,
            "site": image.site,
            "verdict": image.verdict,
            "reasons": _reasons(image),
            "thumbnail_url": reverse("imaging:thumbnail", args=[image.pk]),
            "crops": crops[image.pk],
        }
        for image in images
    ]


def _reasons(image: Image) -> list[dict[str, Any]]:
    report = image.quality_reports.last()
    return [reason | {"text": reason_text(reason)} for reason in report.reasons] if report else []


def _png(image: Image) -> bytes:
    channels = shown_channels(image)
    height, width = image.shape[2:]
    whole = Box(0, 0, width, height)
    pixels = field_reader(image).region(whole, downsample=max(1.0, max(width, height) / THUMBNAIL_PX))
    # All switched off would be a black picture: then all are shown.
    on = [index for index, row in enumerate(channels) if row["on"]] or list(range(len(channels)))
    windows = [(channels[index]["low"], channels[index]["high"]) for index in on]
    colors = [channels[index]["color"] for index in on]
    stream = BytesIO()
    Picture.fromarray(display.thumbnail(pixels[on], windows, colors, THUMBNAIL_PX)).save(stream, "PNG")
    return stream.getvalue()
