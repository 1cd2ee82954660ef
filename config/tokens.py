"""Tokens for programs: made for a user who proves their password, stored hashed, shown once."""

from typing import Any

from drf_spectacular.utils import extend_schema
from knox.views import LoginView, LogoutView
from rest_framework import serializers
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.request import Request
from rest_framework.response import Response


class TokenOut(serializers.Serializer[Any]):
    """A new token; it is shown this once."""

    token = serializers.CharField()
    expiry = serializers.DateTimeField(allow_null=True)


class CreateTokenView(LoginView):
    """Make a token: log in with name and password (HTTP Basic) or call it from a logged-in session."""

    authentication_classes = [BasicAuthentication, SessionAuthentication]

    @extend_schema(request=None, responses=TokenOut)
    def post(self, request: Request, format: str | None = None) -> Response:
        """A new token of the user; send it as `Authorization: Token ...`."""
        return super().post(request, format)


class RevokeTokenView(LogoutView):
    """Make the token of this request useless."""

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, format: str | None = None) -> Response:
        """Revoke the token that the request came with."""
        return super().post(request, format)
