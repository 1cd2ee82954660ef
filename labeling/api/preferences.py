"""One's own keys and view of the reading room."""

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from labeling.api.serializers.room import PreferencesSerializer
from labeling.services.preferences import PreferencesRefused, change_preferences, preferences_of


class PreferencesView(APIView):
    """The user's own preferences; nobody else's can be read or changed."""

    @extend_schema(responses=PreferencesSerializer)
    def get(self, request: Request) -> Response:
        """What the user has set."""
        return Response(PreferencesSerializer(preferences_of(request.user)).data)

    @extend_schema(request=PreferencesSerializer, responses=PreferencesSerializer)
    def patch(self, request: Request) -> Response:
        """Put `keys` in place of the user's own, and `view` over what was kept; what is left out stays."""
        given = PreferencesSerializer(data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        keys, view = (given.validated_data.get(name) for name in ("keys", "view"))
        try:
            return Response(PreferencesSerializer(change_preferences(request.user, keys, view)).data)
        except PreferencesRefused as error:
            raise ValidationError({"keys": str(error)}) from error
