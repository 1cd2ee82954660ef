"""Replies where something else was stored meanwhile."""

from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException

from labeling.models import Annotation


class Conflict(APIException):
    """Something else was stored meanwhile."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


def standing_payload(message: str, standing: Annotation) -> dict[str, Any]:
    """The body of a conflict between two answers of one person: the usual form, and the answer that stands."""
    return {
        "type": "client_error",
        "errors": [{"code": "conflict", "detail": message, "attr": None}],
        "standing": {
            "client_id": str(standing.client_id),
            "crop": standing.crop_id,
            "answer": standing.answer,
            "classes": [label.label_class.key for label in standing.labels.select_related("label_class")],
            "reason_code": standing.reason_code,
            "answered_at": standing.answered_at.isoformat(),
        },
    }
