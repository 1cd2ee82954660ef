"""What every request meets before its view."""

from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase


class LoginRequired(LoginRequiredMiddleware):
    """Default deny: a view that wants no log-in has to say so."""

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponseBase:
        """To the log-in page; 401 where htmx asks, which would follow and put the form into the page."""
        if getattr(request, "htmx", False):
            return HttpResponse(status=401)
        return super().handle_no_permission(request, view_func)
