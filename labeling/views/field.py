"""The whole field or slide around a crop, as a page of its own."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from labeling.api.frames import field_payload
from labeling.api.pictures import crop_for
from labeling.services import access


@require_safe
def field(request: HttpRequest, pk: int, crop_pk: int) -> HttpResponse:
    """The field with the crop's object marked; for leads, because it names the image."""
    study = access.led_study_for(request.user, pk)
    crop = crop_for(study, crop_pk)
    field_url = field_payload(study, crop)["tiles"]
    return render(request, "labeling/field.html", {"study": study, "crop": crop, "field_url": field_url})
