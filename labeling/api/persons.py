"""Who gave what waited in a browser."""

from typing import Any

from rest_framework.exceptions import PermissionDenied


def of_this_person(user: Any, given: dict[str, Any]) -> dict[str, Any]:
    """What was given without the annotator; PermissionDenied where somebody else gave it.

    People share computers: what waits in a browser must not go out under the next person's name.
    """
    fields = dict(given)
    if fields.pop("annotator") not in (None, user.pk):
        raise PermissionDenied("Somebody else gave these answers: log in as that person to send them.")
    return fields
