"""Explanations of a crop, and crops like it, over HTTP."""

from dataclasses import replace
from typing import Any

from django.core.exceptions import ValidationError as BadWish
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling.services import access
from labeling.services.reads import told_why
from labeling.services.requests import MOST_REQUESTED, RequestRefused, request_crops
from training.api.payloads import asked_words, wish_of, words
from training.services.crop_facts import answers_to, asked, explained_crop_for, searched_crop_for, still_to_read
from training.services.work import Refused
from training.worker.explanations import explanation_of
from training.worker.similar import SHOWN, similar_crops


class NeighbourOut(serializers.Serializer[Any]):
    """A crop and its distance, in standard deviations of the pool per column of the embedding."""

    crop = serializers.IntegerField(source="crop_id")
    distance = serializers.FloatField()


class ClassOpinionOut(serializers.Serializer[Any]):
    """A class: its probability, how many labelled crops it has, and the nearest of them."""

    key = serializers.CharField()
    name = serializers.CharField()
    probability = serializers.FloatField(allow_null=True)
    answered = serializers.IntegerField()
    nearest = NeighbourOut(many=True)


class PartOut(serializers.Serializer[Any]):
    """What a labelled crop adds to the difference of the logits of the two likeliest classes, and its own class."""

    crop = serializers.IntegerField(source="crop_id")
    value = serializers.FloatField()
    label = serializers.CharField()


class DifferenceOut(serializers.Serializer[Any]):
    """Logit of the likeliest class less that of the second; bias, parts and rest add up to `value`."""

    first = serializers.CharField()
    second = serializers.CharField()
    value = serializers.FloatField()
    bias = serializers.FloatField()
    speaks_for = PartOut(many=True)
    speaks_against = PartOut(many=True)
    rest = serializers.FloatField()
    rest_count = serializers.IntegerField()


class ChannelPartOut(serializers.Serializer[Any]):
    """The probability of the likeliest class without a channel."""

    name = serializers.CharField()
    without = serializers.FloatField()


class AskedOut(serializers.Serializer[Any]):
    """Why a crop is asked: its place in the queue, and the share of the pool with a lower score."""

    rank = serializers.IntegerField(allow_null=True)
    queue = serializers.IntegerField()
    why = serializers.CharField(allow_blank=True)
    probability = serializers.FloatField(allow_null=True)
    above = serializers.FloatField(allow_null=True)
    pool = serializers.IntegerField()
    words = serializers.ListField(child=serializers.CharField())


class ExplanationOut(serializers.Serializer[Any]):
    """What the head says of a crop and what that rests on; `missing` says in words what is not known yet."""

    crop = serializers.IntegerField()
    missing = serializers.CharField(allow_blank=True)
    encoder = serializers.CharField(allow_blank=True)
    answered = serializers.IntegerField()
    includes_itself = serializers.BooleanField()
    classes = ClassOpinionOut(many=True)
    margin = serializers.FloatField(allow_null=True)
    sparser_than = serializers.FloatField(allow_null=True)
    sample = serializers.IntegerField()
    difference = DifferenceOut(allow_null=True)
    channels = ChannelPartOut(many=True)
    channels_missing = serializers.CharField(allow_blank=True)
    words = serializers.DictField(child=serializers.CharField(allow_blank=True))
    asked = AskedOut()


class SimilarIn(serializers.Serializer[Any]):
    """Which crops are looked for."""

    unanswered = serializers.BooleanField(default=False)
    same_experiment = serializers.BooleanField(default=False)
    count = serializers.IntegerField(min_value=1, max_value=MOST_REQUESTED, default=SHOWN)


class SimilarOut(serializers.Serializer[Any]):
    """Crops of the pool, nearest first."""

    crops = NeighbourOut(many=True)


class RequestIn(serializers.Serializer[Any]):
    """Crops to read next."""

    crops = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), min_length=1, max_length=MOST_REQUESTED
    )


class RequestOut(serializers.Serializer[Any]):
    """How many of them were put in front of the user's queue."""

    requested = serializers.IntegerField()


class ExplanationView(APIView):
    """For leads, and for annotators of studies that are not blind."""

    @extend_schema(responses=ExplanationOut, operation_id="studies_crops_explanation")
    def get(self, request: Request, pk: int, crop: int) -> Response:
        """Predicted probabilities of a crop, its nearest labelled crops, what each adds, and each channel's part."""
        study, row = explained_crop_for(request.user, pk, crop)
        found = explanation_of(study, row, still_to_read(request.user, study))
        why, is_lead = asked(study, row), access.is_lead(request.user, study)
        why = why if is_lead else replace(why, why=told_why(why.why))
        said = asked_words(why, answers_to(study, row, request.user), for_lead=is_lead)
        body = {name: getattr(found, name) for name in found.__slots__}
        body |= {"crop": row.pk, "words": words(found), "asked": _fields(why) | {"words": said}}
        return Response(ExplanationOut(body).data)


class SimilarView(APIView):
    """For leads and annotators; in a blind study for annotators who answered the crop."""

    @extend_schema(
        responses=SimilarOut,
        operation_id="studies_crops_similar",
        parameters=[
            OpenApiParameter("unanswered", bool, description="only crops without an answer; blind: without yours"),
            OpenApiParameter("same_experiment", bool, description="only crops of the same experiment"),
            OpenApiParameter("count", int, description=f"1 to {MOST_REQUESTED}, {SHOWN} where left out"),
        ],
    )
    def get(self, request: Request, pk: int, crop: int) -> Response:
        """The crops of the pool that look most like this one, nearest first."""
        study, row = searched_crop_for(request.user, pk, crop)
        given = SimilarIn(data=request.query_params)
        given.is_valid(raise_exception=True)
        wish = dict(given.validated_data)
        count = wish.pop("count")
        try:
            found = similar_crops(study, row, wish_of(request.user, study, **wish), count)
        except Refused as error:
            raise ValidationError({"crop": str(error)}) from error
        except BadWish as error:
            raise ValidationError({"same_experiment": error.messages}) from error
        return Response(SimilarOut({"crops": found}).data)

    @extend_schema(request=RequestIn, responses={201: RequestOut}, operation_id="studies_crops_similar_read")
    def post(self, request: Request, pk: int, crop: int) -> Response:
        """Put crops that look like this one in front of the user's own queue."""
        study, row = searched_crop_for(request.user, pk, crop)
        given = RequestIn(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            number = request_crops(study, request.user, row, given.validated_data["crops"])
        except RequestRefused as error:
            raise ValidationError({"crops": str(error)}) from error
        return Response({"requested": number}, status=status.HTTP_201_CREATED)


def _fields(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}
