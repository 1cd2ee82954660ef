"""Replies where results are closed: over HTTP too they say why."""

from typing import Any

from django.core.exceptions import PermissionDenied
from rest_framework import exceptions

from labeling.models import Study
from labeling.services import access
from labeling.services.reader_study import guard


def refuse_results(study: Study) -> None:
    """Raise a 403 that says why while the results of a study of readers are closed."""
    try:
        guard.refuse_results(study)
    except PermissionDenied as error:
        # What Django raises would lose its words on the way.
        raise exceptions.PermissionDenied(str(error)) from error


def led_results_for(user: Any, pk: int) -> Study:
    """The study when the user leads it and its results are open; else 403 or 404."""
    study = access.led_study_for(user, pk)
    refuse_results(study)
    return study
