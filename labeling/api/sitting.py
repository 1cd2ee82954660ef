"""How a reader wants to be served, over HTTP: sittings, pauses, crops put aside."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from labeling.api.payloads import PREFETCH, room_state, sitting_payload
from labeling.api.persons import of_this_person
from labeling.api.serializers.room import RoomOut, SittingOut
from labeling.models import Sitting, Study
from labeling.services import access
from labeling.services.queue import sitting_state
from labeling.services.sitting import LONGEST_STAY, SittingRefused, change_sitting, skip


class SittingIn(serializers.Serializer[Any]):
    """What to change of a sitting; what is left out stays as it is."""

    stay_on = serializers.ChoiceField(choices=Sitting.StayOn.choices, required=False, allow_blank=True)
    stay_for = serializers.IntegerField(min_value=1, max_value=LONGEST_STAY, required=False)
    not_sure_ceiling = serializers.FloatField(min_value=0.0, max_value=1.0, required=False, allow_null=True)
    easy_share = serializers.FloatField(min_value=0.0, max_value=1.0, required=False)
    paused = serializers.BooleanField(required=False)


class PauseIn(serializers.Serializer[Any]):
    """Whether to pause or to go on."""

    paused = serializers.BooleanField(default=True)


class SkipIn(serializers.Serializer[Any]):
    """The crop to put aside. `annotator` names who did, so that another log-in in the same browser cannot send it."""

    crop = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    annotator = serializers.IntegerField(allow_null=True, default=None)


class SittingActions(GenericViewSet[Study]):
    """Actions of a study that concern nobody but the reader who asks."""

    @extend_schema(methods=["GET"], responses=SittingOut, filters=False)
    @extend_schema(methods=["PATCH"], request=SittingIn, responses=SittingOut)
    @action(detail=True, methods=["get", "patch"], pagination_class=None)
    def sitting(self, request: Request, pk: int) -> Response:
        """How the user is served: where they stay and for how many crops, their ceiling, easy crops, a pause.

        A change holds from the next crop on: ask for `next` again and drop what was prefetched.
        """
        study = access.study_for(request.user, pk)
        if request.method == "PATCH":
            _change(study, request.user, _given(SittingIn, request))
        return Response(sitting_payload(sitting_state(study, request.user)))

    @extend_schema(request=PauseIn, responses=SittingOut)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: int) -> Response:
        """Give back the crops that the user holds and hand out none until they go on (`paused` false)."""
        study = access.study_for(request.user, pk)
        _change(study, request.user, _given(PauseIn, request))
        return Response(sitting_payload(sitting_state(study, request.user)))

    @extend_schema(request=SkipIn, responses=RoomOut)
    @action(detail=True, methods=["post"])
    def skip(self, request: Request, pk: int) -> Response:
        """Put a crop aside, to be served again only when nothing else is left; returns the next crops."""
        study = access.study_for(request.user, pk)
        try:
            skip(study, request.user, of_this_person(request.user, _given(SkipIn, request))["crop"])
        except SittingRefused as error:
            raise ValidationError({"crop": str(error)}) from error
        return Response(room_state(study, request.user, PREFETCH))


def _change(study: Study, user: Any, changes: dict[str, Any]) -> None:
    try:
        change_sitting(study, user, changes)
    except SittingRefused as error:
        raise ValidationError({"sitting": str(error)}) from error


def _given(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    given = kind(data=request.data)
    given.is_valid(raise_exception=True)
    found: dict[str, Any] = given.validated_data
    return found
