"""Pixels of crops, of their planes and surroundings, and of the whole field around them, over HTTP.

Everything is addressed through a crop of a study: who may read the crop may look around it, and no address tells
which images there are.
"""

from typing import Any

import numpy as np
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from numpy.typing import NDArray
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from imaging.models import Crop
from imaging.pixels.errors import ImageError
from imaging.services.fields import tile
from imaging.services.pixels import (
    CONTEXT_PX,
    LARGEST_SCALE,
    LARGEST_SIDE_PX,
    context_pixels,
    crop_pixels,
    crop_plane,
)
from labeling.api.frames import field_payload
from labeling.api.serializers.crops import FieldOut
from labeling.models import Study
from labeling.services import access

ORIGINAL_GONE = (
    "The original image is not where it was taken in from, or no longer the same file; the crop itself is kept."
)
RAW = {(200, "application/octet-stream"): OpenApiTypes.BINARY}


class PictureActions:
    """What a study's routes give to look at."""

    @extend_schema(
        responses=RAW,
        parameters=[OpenApiParameter("z", int, description="this plane of the original, from 0; else the maximum")],
        filters=False,
    )
    @action(detail=True, url_path="crops/<int:crop>/pixels", url_name="crop-pixels", pagination_class=None)
    def crop_pixels(self, request: Request, pk: int, crop: int) -> HttpResponse:
        """Raw little-endian pixels of a crop, channel by channel; X-Shape and X-Dtype tell their layout."""
        row = crop_for(access.study_for(request.user, pk), crop)
        if "z" not in request.query_params:
            return _raw(crop_pixels(row))
        z = whole_number(request, "z", 0)
        if z >= row.image.shape[0]:
            raise NotFound(f"There is no plane {z}: this image has {row.image.shape[0]}, counted from 0.")
        try:
            return _raw(crop_plane(row, z))
        except (ImageError, OSError) as error:
            raise NotFound(ORIGINAL_GONE) from error

    @extend_schema(
        responses=RAW,
        parameters=[
            OpenApiParameter("scale", int, description="1 to 16 times as wide as the crop"),
            OpenApiParameter("side", int, description="width and height of the picture, 16 to 512 pixels"),
        ],
        filters=False,
    )
    @action(detail=True, url_path="crops/<int:crop>/context", url_name="crop-context", pagination_class=None)
    def crop_context(self, request: Request, pk: int, crop: int) -> HttpResponse:
        """Raw pixels of the surroundings of a crop, in the same form."""
        row = crop_for(access.study_for(request.user, pk), crop)
        scale = min(LARGEST_SCALE, max(1, whole_number(request, "scale", 4)))
        side = min(LARGEST_SIDE_PX, max(16, whole_number(request, "side", CONTEXT_PX)))
        try:
            return _raw(context_pixels(row, scale, side))
        except (ImageError, OSError) as error:
            raise NotFound(ORIGINAL_GONE) from error

    @extend_schema(responses=FieldOut, filters=False)
    @action(detail=True, url_path="crops/<int:crop>/field", url_name="crop-field", pagination_class=None)
    def crop_field(self, request: Request, pk: int, crop: int) -> Response:
        """The whole field or slide around a crop: its size, its tiles, and where the crop's object lies."""
        study = access.study_for(request.user, pk)
        return Response(field_payload(study, crop_for(study, crop)))

    @extend_schema(operation_id="studies_crops_tile_retrieve", responses=RAW, filters=False)
    @action(
        detail=True,
        url_path="crops/<int:crop>/field/<int:level>/<int:column>/<int:row>",
        url_name="crop-tile",
        pagination_class=None,
    )
    def crop_tile(self, request: Request, pk: int, crop: int, level: int, column: int, row: int) -> HttpResponse:
        """Raw pixels of one tile of the field, at most 256 a side; level 0 is full size, each next one half of it."""
        image = crop_for(access.study_for(request.user, pk), crop).image
        try:
            pixels = tile(image, level, column, row)
        except (ImageError, OSError) as error:
            raise NotFound(ORIGINAL_GONE) from error
        if pixels is None:
            raise NotFound("The field has no such tile.")
        return _raw(pixels)


def crop_for(study: Study, pk: int) -> Crop:
    """The crop when it is in the study's pool; Http404 for any other."""
    pool = Crop.objects.filter(image__sample__experiment__studies=study)
    if pk > 2**63 - 1:
        raise Http404("No such crop.")
    return get_object_or_404(pool.select_related("image__sample__experiment"), pk=pk)


def whole_number(request: Request, name: str, default: int) -> int:
    """The number in the query; ValidationError for what is not a whole number of at most six digits."""
    text = request.query_params.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise ValidationError({name: f"'{text}' is not a whole number."})
    return int(text)


def _raw(pixels: NDArray[Any]) -> HttpResponse:
    little = pixels.astype(pixels.dtype.newbyteorder("<"), copy=False)
    response = HttpResponse(np.ascontiguousarray(little).tobytes(), content_type="application/octet-stream")
    response["X-Shape"] = ",".join(map(str, pixels.shape))
    response["X-Dtype"] = str(pixels.dtype)
    # A crop's pixels never change under its number; other people's browsers must not share them.
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response
