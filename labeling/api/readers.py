"""A study's readers over HTTP, for leads: their figures, whether they count, how far the work is."""

from dataclasses import asdict
from typing import Any

from django.contrib.auth import get_user_model
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling.api.closed import led_results_for
from labeling.api.conflicts import Conflict
from labeling.models import Study
from labeling.services import exclusions
from labeling.services.readers import figures_of, person_in
from labeling.services.refusals import StudyRefused
from labeling.services.workload import workload

MOST_CROPS, MOST_RATE = 10_000_000, 100_000.0


class ReaderOut(serializers.Serializer[Any]):
    """A reader. `left_out`: since when and why their answers count for nothing, null where they count.

    `figures`: each share with its value, low, high, n and the reason for a figure that is missing.
    """

    id = serializers.IntegerField()
    name = serializers.CharField()
    left_out = serializers.DictField(allow_null=True)
    figures = serializers.DictField(required=False)


class ReasonIn(serializers.Serializer[Any]):
    """Why; it is kept with the reader and shown to leads."""

    reason = serializers.CharField(max_length=exclusions.LONGEST_REASON)


class ProgressIn(serializers.Serializer[Any]):
    """`target` crops to be read (all of them without one), `rate` in money an hour (no cost without one)."""

    target = serializers.IntegerField(required=False, min_value=1, max_value=MOST_CROPS)
    rate = serializers.FloatField(required=False, min_value=0, max_value=MOST_RATE)


class ReadersView(APIView):
    """For leads of the study."""

    @extend_schema(responses=ReaderOut(many=True), operation_id="studies_readers")
    def get(self, request: Request, pk: int) -> Response:
        """Everybody who has answered, by name, left out or not."""
        study = led_results_for(request.user, pk)
        people = get_user_model().objects.filter(pk__in=study.annotations.order_by().values("annotator"))
        return Response([_payload(study, person) for person in people.order_by("username")])


class ReaderView(APIView):
    """For leads of the study."""

    @extend_schema(responses=ReaderOut, operation_id="studies_reader")
    def get(self, request: Request, pk: int, reader: int) -> Response:
        """What a reader did, and how far they agree with the others and with themselves."""
        study = led_results_for(request.user, pk)
        person = _person(study, reader)
        return Response(_payload(study, person) | {"figures": asdict(figures_of(study, person))})


class LeaveOutView(APIView):
    """For leads of the study."""

    @extend_schema(request=ReasonIn, responses=ReaderOut, operation_id="studies_reader_leave_out")
    def post(self, request: Request, pk: int, reader: int) -> Response:
        """Leave the reader's answers out of everything that answers add up to; they stay stored. Twice is once."""
        return _changed(request, pk, reader, exclusions.exclude)


class PutBackView(APIView):
    """For leads of the study."""

    @extend_schema(request=ReasonIn, responses=ReaderOut, operation_id="studies_reader_put_back")
    def post(self, request: Request, pk: int, reader: int) -> Response:
        """Let the reader's answers count again, as they were given. Twice is once."""
        return _changed(request, pk, reader, exclusions.put_back)


class ProgressView(APIView):
    """For leads of the study."""

    @extend_schema(
        responses=OpenApiTypes.OBJECT,
        operation_id="studies_progress",
        parameters=[OpenApiParameter("target", int), OpenApiParameter("rate", float)],
    )
    def get(self, request: Request, pk: int) -> Response:
        """Answers by day and reader, pace, time for each class, what is left, the forecast, the cost at a rate."""
        study = led_results_for(request.user, pk)
        asked = ProgressIn(data=request.query_params)
        asked.is_valid(raise_exception=True)
        return Response(asdict(workload(study, **asked.validated_data)))


def _person(study: Study, number: int) -> Any:
    person = person_in(study, number)
    if person is None:
        raise Http404("Nobody of this number reads in this study.")
    return person


def _changed(request: Request, pk: int, reader: int, change: Any) -> Response:
    study = led_results_for(request.user, pk)
    person = _person(study, reader)
    given = ReasonIn(data=request.data)
    given.is_valid(raise_exception=True)
    try:
        change(study, person, request.user, given.validated_data["reason"])
    except StudyRefused as error:
        raise Conflict(str(error)) from error
    return Response(_payload(study, person))


def _payload(study: Study, person: Any) -> dict[str, Any]:
    row = exclusions.exclusion_of(study, person)
    by = row.by.username if row is not None and row.by else None
    left_out = None if row is None else {"since": row.at.isoformat(), "reason": row.reason, "by": by}
    return {"id": person.pk, "name": person.get_username(), "left_out": left_out}
