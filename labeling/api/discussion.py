"""The discussion of disputed crops over HTTP, for leads: what is mixed up, and decisions."""

from dataclasses import asdict
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from imaging.models import Crop
from labeling.api.closed import led_results_for
from labeling.api.conflicts import Conflict
from labeling.models import Annotation, Study
from labeling.services import decisions, discussion
from labeling.services.answers import ANY, AnswerConflict, AnswerRefused, Submission

MOST_NUMBER = 2**63 - 1


class CellOut(serializers.Serializer[Any]):
    """Two labels: on how many crops one reader said the first and another the second, and by how many pairs."""

    a = serializers.CharField()
    b = serializers.CharField()
    items = serializers.IntegerField()
    pairs = serializers.IntegerField()


class DisputedOut(serializers.Serializer[Any]):
    """Numbers of crops, in order."""

    crops = serializers.ListField(child=serializers.IntegerField())


class DecisionIn(serializers.Serializer[Any]):
    """A class, or not_sure for a crop that cannot be decided; `replaces` is the client id of the decision you know.

    With `replaces` null nothing may stand yet; without it the decision holds whatever stands.
    """

    client_id = serializers.UUIDField()
    answer = serializers.ChoiceField(choices=[("label", "label"), ("not_sure", "not_sure")])
    classes = serializers.ListField(child=serializers.CharField(max_length=100), default=list, max_length=20)
    reason = serializers.CharField(max_length=200, allow_blank=True, default="")
    replaces = serializers.UUIDField(allow_null=True, default=ANY)


class DecisionUndoIn(serializers.Serializer[Any]):
    """A new id, and the client id of the decision that is taken back."""

    client_id = serializers.UUIDField()
    decision = serializers.UUIDField()


class DecisionOut(serializers.Serializer[Any]):
    """What stands now: the number and client id of the row that was written, and what it says."""

    id = serializers.IntegerField()
    client_id = serializers.UUIDField()
    answer = serializers.CharField()
    classes = serializers.ListField(child=serializers.CharField())


class ConfusionView(APIView):
    """For leads of the study."""

    @extend_schema(responses=CellOut(many=True), operation_id="studies_confusion")
    def get(self, request: Request, pk: int) -> Response:
        """How many crops were called one class by one independent reader and another by another, cell by cell."""
        study = led_results_for(request.user, pk)
        return Response([asdict(cell) for cell in discussion.confusion(study)])


class DisputedView(APIView):
    """For leads of the study."""

    @extend_schema(
        responses=DisputedOut,
        operation_id="studies_disputed",
        parameters=[
            OpenApiParameter("a", str, required=True, description="a label of the confusion"),
            OpenApiParameter("b", str, required=True, description="another one"),
            OpenApiParameter("show", str, enum=[one.value for one in discussion.Settled]),
        ],
    )
    def get(self, request: Request, pk: int) -> Response:
        """The crops behind a cell."""
        study = led_results_for(request.user, pk)
        asked = request.query_params.get("show", discussion.Settled.ALL.value)
        if asked not in set(discussion.Settled):
            raise ValidationError({"show": f"'{asked}' is none of undecided, decided and all."})
        a, b = request.query_params.get("a", ""), request.query_params.get("b", "")
        return Response({"crops": discussion.disputed_crops(study, a, b, settled=discussion.Settled(asked))})


class DecisionView(APIView):
    """For leads of the study."""

    @extend_schema(request=DecisionIn, responses={201: DecisionOut, 200: DecisionOut}, operation_id="studies_decide")
    def post(self, request: Request, pk: int, crop: int) -> Response:
        """Settle a crop in sight of all answers; sending it twice stores it once."""
        study, row = _study_and_crop(request.user, pk, crop)
        given = DecisionIn(data=request.data)
        given.is_valid(raise_exception=True)
        fields = given.validated_data | {"classes": tuple(given.validated_data["classes"])}
        try:
            made, is_new = decisions.decide(
                study, request.user, Submission(crop_id=row.pk, answered_at=timezone.now(), **fields)
            )
        except AnswerConflict as error:
            raise Conflict(str(error)) from error
        except AnswerRefused as error:
            raise ValidationError({"answer": str(error)}) from error
        return Response(_told(made), status=status.HTTP_201_CREATED if is_new else status.HTTP_200_OK)


class DecisionUndoView(APIView):
    """For leads of the study."""

    @extend_schema(request=DecisionUndoIn, responses=DecisionOut, operation_id="studies_decide_undo")
    def post(self, request: Request, pk: int, crop: int) -> Response:
        """Take a decision back; the readers' answers count again."""
        study, row = _study_and_crop(request.user, pk, crop)
        given = DecisionUndoIn(data=request.data)
        given.is_valid(raise_exception=True)
        ids = given.validated_data["client_id"], given.validated_data["decision"]
        try:
            return Response(_told(decisions.undo_decision(study, request.user, row, *ids)))
        except AnswerConflict as error:
            raise Conflict(str(error)) from error


def _study_and_crop(user: Any, pk: int, crop: int) -> tuple[Study, Crop]:
    study = led_results_for(user, pk)
    if crop > MOST_NUMBER:
        raise Http404("No such crop.")
    return study, get_object_or_404(Crop, pk=crop, image__sample__experiment__studies=study)


def _told(row: Annotation) -> dict[str, Any]:
    classes = list(row.labels.values_list("label_class__key", flat=True))
    return DecisionOut({"id": row.pk, "client_id": row.client_id, "answer": row.answer, "classes": classes}).data
