"""Everything that people wrote about the crops of a study; for leads."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from labeling.api.payloads import picture_payload
from labeling.services.comments import comments_of
from labeling.services.reader_study.guard import led_results_for

PAGE = 48


@require_safe
def comments(request: HttpRequest, pk: int) -> HttpResponse:
    """The comments, newest first, each with its crop, who wrote it and when."""
    study = led_results_for(request.user, pk)
    page = Paginator(comments_of(study), PAGE).get_page(request.GET.get("page"))
    rows = list(page.object_list)
    pictures = {row.crop_id: picture_payload(study, row.crop) for row in rows}
    context = {"study": study, "page": page, "comments": rows, "pictures": pictures}
    return render(request, "labeling/comments.html", context)
