"""The grid over HTTP: pages of crops, the pixels of many crops at once, and the map of the pool."""

from typing import Any

import numpy as np
from django.core.exceptions import PermissionDenied as Forbidden
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling.api.closed import refuse_results
from labeling.services import access
from training.api.binary import packed
from training.api.grid_payloads import map_blocks, map_state, page_payload
from training.services.crop_facts import BLIND, sees_opinions
from training.services.embedding_maps import LAYOUTS
from training.services.work import Refused
from training.worker.grid.maps import map_points
from training.worker.grid.pixels import pixels_of
from training.worker.grid.query import SORTS, STATES, GridPage, GridQuery, grid_page

MOST_CROPS, MOST_PIXELS, MOST_CORNERS = 1000, 128, 200
MOST_NUMBER = 2**63 - 1


class GridIn(serializers.Serializer[Any]):
    """Which crops, in which order; every part may be left out. `lasso` is "x,y x,y ..." on the map `layout`."""

    sort = serializers.ChoiceField(choices=[(name, name) for name in SORTS], default="", allow_blank=True)
    label = serializers.CharField(max_length=100, default="", allow_blank=True)
    reverse = serializers.BooleanField(default=False)
    pin = serializers.IntegerField(min_value=1, max_value=MOST_NUMBER, allow_null=True, default=None)
    state = serializers.ChoiceField(choices=[(name, name) for name in STATES if name], default="", allow_blank=True)
    reader = serializers.IntegerField(min_value=1, max_value=MOST_NUMBER, allow_null=True, default=None)
    predicted = serializers.CharField(max_length=100, default="", allow_blank=True)
    given = serializers.CharField(max_length=100, default="", allow_blank=True)
    experiment = serializers.IntegerField(min_value=1, max_value=MOST_NUMBER, allow_null=True, default=None)
    lasso = serializers.CharField(max_length=6000, default="", allow_blank=True)
    layout = serializers.ChoiceField(choices=list(LAYOUTS.items()), default="", allow_blank=True)
    ranking = serializers.CharField(max_length=64, default="", allow_blank=True)
    start = serializers.IntegerField(min_value=0, max_value=100_000_000, default=0)
    count = serializers.IntegerField(min_value=1, max_value=MOST_CROPS, default=200)

    def validate_lasso(self, text: str) -> tuple[tuple[float, float], ...]:
        """Corners of the polygon."""
        try:
            corners = tuple((float(x), float(y)) for x, y in (part.split(",") for part in text.split()))
        except ValueError as error:
            raise serializers.ValidationError("Corners are written as 'x,y x,y x,y'.") from error
        if len(corners) > MOST_CORNERS or not np.isfinite(np.array(corners)).all():
            raise serializers.ValidationError(f"A lasso has at most {MOST_CORNERS} corners, all of them finite.")
        return corners


class GridAnswerOut(serializers.Serializer[Any]):
    """The user's own answer to a crop; `number` goes back as `standing` where a bulk answer replaces it."""

    kind = serializers.CharField()
    label = serializers.CharField(allow_null=True)
    number = serializers.IntegerField()
    is_bulk = serializers.BooleanField()


class GridCropOut(serializers.Serializer[Any]):
    """A crop of a page: which of `displays` draws it, the own answer, the value that sorted it, the prediction."""

    id = serializers.IntegerField()
    display = serializers.IntegerField()
    answer = GridAnswerOut(allow_null=True)
    value = serializers.FloatField(allow_null=True)
    predicted = serializers.CharField(allow_null=True)
    probability = serializers.FloatField(allow_null=True)


class GridDisplayOut(serializers.Serializer[Any]):
    """How crops of an image are drawn: channels with their windows, side in pixels, µm across (null: not known)."""

    channels = serializers.ListField(child=serializers.DictField())
    is_rgb = serializers.BooleanField()
    um_across = serializers.FloatField(allow_null=True)
    side = serializers.IntegerField()


class GridOut(serializers.Serializer[Any]):
    """A page; `ranking` names the ranking that it was cut from, to be sent back for the next one."""

    ranking = serializers.CharField()
    is_newest = serializers.BooleanField()
    total = serializers.IntegerField()
    start = serializers.IntegerField()
    sort = serializers.CharField()
    unit = serializers.CharField(allow_blank=True)
    hidden = serializers.IntegerField(help_text="random checks that are kept from the user until they have read them")
    displays = GridDisplayOut(many=True)
    crops = GridCropOut(many=True)


class PixelsIn(serializers.Serializer[Any]):
    """Numbers of crops, "1,2,3", and the smallest side at which they are wanted, in pixels."""

    crops = serializers.CharField(max_length=4000)
    side = serializers.IntegerField(min_value=16, max_value=1024, default=128)

    def validate_crops(self, text: str) -> list[int]:
        """The numbers."""
        parts = text.split(",")
        if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
            raise serializers.ValidationError("Crops are written as whole numbers with commas between them.")
        if len(parts) > MOST_PIXELS:
            raise serializers.ValidationError(f"At most {MOST_PIXELS} crops at once.")
        return [int(part) for part in parts]


class MapIn(serializers.Serializer[Any]):
    """Which layout of the map."""

    layout = serializers.ChoiceField(choices=list(LAYOUTS.items()))


class MapStateOut(serializers.Serializer[Any]):
    """How far the map is; `work` is null where nobody has asked for one."""

    work = serializers.DictField(allow_null=True)
    layouts = serializers.ListField(child=serializers.CharField())
    crops = serializers.IntegerField()


class GridView(APIView):
    """For those who take part in the study; annotators of a blind one sort by size and likeness alone."""

    @extend_schema(parameters=[GridIn], responses=GridOut, operation_id="studies_grid")
    def get(self, request: Request, pk: int) -> Response:
        """A page of the ranked pool, sorted and filtered."""
        study = access.study_for(request.user, pk)
        refuse_results(study)
        query = _query(request)
        page = _page(study, request.user, query)
        return Response(page_payload(study, request.user, page, query.start))


class GridPixelsView(APIView):
    """For those who take part in the study."""

    @extend_schema(
        parameters=[PixelsIn],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
        operation_id="studies_grid_pixels",
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """Raw pixels of up to 128 crops in one reply: a header in JSON names them, then one array each."""
        study = access.study_for(request.user, pk)
        refuse_results(study)
        given = PixelsIn(data=request.query_params)
        given.is_valid(raise_exception=True)
        found = pixels_of(study, given.validated_data["crops"], given.validated_data["side"])
        return packed({"crops": list(found)}, list(found.values()))


class GridMapView(APIView):
    """For leads, and for annotators of studies that are not blind."""

    @extend_schema(
        parameters=[MapIn],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
        operation_id="studies_grid_map",
    )
    def get(self, request: Request, pk: int) -> HttpResponse:
        """Every crop of the pool on the map: number, place, predicted class, what was answered and which class."""
        study = access.study_for(request.user, pk)
        refuse_results(study)
        _refuse_blind(request, study)
        given = MapIn(data=request.query_params)
        given.is_valid(raise_exception=True)
        page = _page(study, request.user, GridQuery(sort="mixed", count=MOST_NUMBER))
        allowed = np.zeros(len(page.table.crop_ids), dtype=bool)
        allowed[page.rows] = True
        try:
            shown = map_points(study, page.table, given.validated_data["layout"])
        except Refused as error:
            raise ValidationError({"layout": str(error)}) from error
        meta = {"classes": list(page.table.classes), "ranking": page.table.digest, "layout": shown.layout}
        return packed(meta, map_blocks(page, shown, allowed))


class GridMapStateView(APIView):
    """For leads, and for annotators of studies that are not blind."""

    @extend_schema(responses=MapStateOut, operation_id="studies_grid_map_state")
    def get(self, request: Request, pk: int) -> Response:
        """How far the map of the study is."""
        study = access.study_for(request.user, pk)
        refuse_results(study)
        _refuse_blind(request, study)
        return Response(map_state(study))


def _query(request: Request) -> GridQuery:
    given = GridIn(data=request.query_params)
    given.is_valid(raise_exception=True)
    return GridQuery(**given.validated_data)


def _page(study: Any, user: Any, query: GridQuery) -> GridPage:
    try:
        return grid_page(study, user, query)
    except Refused as error:
        raise ValidationError({"grid": str(error)}) from error
    except Forbidden as error:
        # Django's own would lose its words on the way.
        raise PermissionDenied(str(error)) from error


def _refuse_blind(request: Request, study: Any) -> None:
    if not sees_opinions(request.user, study):
        raise PermissionDenied(BLIND)
