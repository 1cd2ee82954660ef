"""What belongs to the crops of a study besides answers: comments, and examples of its classes."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from imaging.models import Crop
from labeling.api.guide import guide_payload
from labeling.api.serializers.crops import CommentSerializer, GuideOut
from labeling.models import Study
from labeling.services import access
from labeling.services.comments import CommentRefused, add_comment, comments_on
from labeling.services.guidelines_shown import note_opened


class CommentsView(APIView):
    """Comments on a crop, oldest first; annotators read those of others once they have answered, if not blind."""

    @extend_schema(responses=CommentSerializer(many=True))
    def get(self, request: Request, pk: int, crop: int) -> Response:
        """The comments that the user may read."""
        study, row = _study_and_crop(request.user, pk, crop)
        rows = comments_on(study, request.user, row)
        return Response(CommentSerializer(rows, many=True).data)

    @extend_schema(request=CommentSerializer, responses={201: CommentSerializer})
    def post(self, request: Request, pk: int, crop: int) -> Response:
        """Keep a comment; returns it."""
        study, row = _study_and_crop(request.user, pk, crop)
        given = CommentSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            comment = add_comment(study, request.user, row, given.validated_data["text"])
        except CommentRefused as error:
            raise ValidationError({"text": str(error)}) from error
        return Response(CommentSerializer(comment).data, status=status.HTTP_201_CREATED)


class GuideView(APIView):
    """How the crops of a study are to be decided."""

    @extend_schema(responses=GuideOut)
    def get(self, request: Request, pk: int) -> Response:
        """The guidelines that stand, and example crops in the order of the classes, ready to be drawn."""
        study = access.study_for(request.user, pk)
        guide = guide_payload(study)
        if guide["guideline"]:
            note_opened(study, request.user, guide["guideline"]["number"])
        return Response(guide)


def _study_and_crop(user: Any, pk: int, crop: int) -> tuple[Study, Crop]:
    study = access.study_for(user, pk)
    return study, get_object_or_404(Crop.objects.filter(image__sample__experiment__studies=study), pk=crop)
