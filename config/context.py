"""What every template may use."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, str]:
    """The product's version, for the foot of each page."""
    return {"version": settings.VERSION}
