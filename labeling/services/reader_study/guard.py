"""What a locked protocol forbids; the only place that knows, so that every part of a study can ask."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet

from labeling.models import Annotation, ReaderCase, ReaderStudy, Study
from labeling.services import access
from labeling.services.refusals import StudyRefused

CLOSED_RESULTS = (
    "The results of this study are closed until the protocol is done, also to leads: nobody who reads is steered by "
    "what others have read. How far everybody is stands on the page of the protocol."
)
DONE = "The protocol of this study is closed: it takes no more answers, and those that were given stay as they are."
NO_READER = "The protocol of this study names its readers, and you are none of them: your answer was not taken."
NO_CASE = "Crop {} is no case of this study's protocol: nothing was stored. Load the page to go on with the cases."
NOT_YOUR_OWN = (
    "In a study of readers every answer is a reader's own, given to one case: suggestions and files are refused."
)


def refuse_locked(study: Study, what: str, refusal: type[ValueError] = StudyRefused) -> None:
    """Raise `refusal` where the protocol of the study is locked; `what` stays as it is, in the plural.

    Asks the database: what was loaded before the lock would not know of it. Call it after `lock(study)`.
    """
    row = ReaderStudy.objects.filter(study=study, locked_at__isnull=False).first()
    if row is not None:
        raise refusal(
            f"The protocol of this study is locked (digest {row.digest[:12]}): {what} stay as they are, and nothing "
            "was changed. Make a new study with its own protocol to change them."
        )


def refuse_reader_change(study: Study, user: Any, refusal: type[ValueError] = StudyRefused) -> None:
    """Raise `refusal` where the user is a reader of a locked protocol that is not closed yet: they stay one."""
    row = ReaderStudy.objects.filter(study=study, locked_at__isnull=False, closed_at__isnull=True).first()
    if row is not None and user.pk in row.readers:
        raise refusal(
            f"The protocol of this study is locked (digest {row.digest[:12]}) and names {user} as a reader: they "
            "stay one. If they cannot go on, close the protocol early and say why; their answers are kept."
        )


def results_are_open(study: Study) -> bool:
    """Whether anybody may see results: in a study of readers once the protocol is closed."""
    return not study.is_reader_study or ReaderStudy.objects.filter(study=study, closed_at__isnull=False).exists()


def refuse_results(study: Study) -> None:
    """Raise PermissionDenied while the results of a study of readers are closed."""
    if not results_are_open(study):
        raise PermissionDenied(CLOSED_RESULTS)


def led_results_for(user: Any, pk: int) -> Study:
    """The study when the user leads it and its results are open; Http404 or PermissionDenied else."""
    study = access.led_study_for(user, pk)
    refuse_results(study)
    return study


def with_open_results(studies: QuerySet[Study]) -> QuerySet[Study]:
    """Those of the studies whose results may be seen."""
    return studies.exclude(is_reader_study=True, reader_study__closed_at__isnull=True)


def why_not_taken(study: Study, user: Any, crop_id: int, *, suggested_by: str, source: str) -> str:
    """Why a locked protocol takes no such answer, in a sentence; "" where it takes it."""
    protocol = ReaderStudy.objects.get(study=study)
    if protocol.closed_at is not None:
        return DONE
    if user.pk not in protocol.readers:
        return NO_READER
    if suggested_by or source == Annotation.Source.IMPORT:
        return NOT_YOUR_OWN
    return "" if ReaderCase.objects.filter(study=study, crop=crop_id).exists() else NO_CASE.format(crop_id)


def is_done(study: Study) -> bool:
    """Whether the study is one of readers whose protocol is closed."""
    return study.is_reader_study and results_are_open(study)
