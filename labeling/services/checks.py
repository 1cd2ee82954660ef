"""Random checks that a user has still to read: nothing may tell them of an answer to these beforehand."""

from typing import Any

from labeling.models import Annotation, Lease, QueueEntry, Study
from labeling.services.reads import STREAM

# So many are named in a query; for more, everything that the user has read is looked through.
FEW = 500


def unread_checks(study: Study, user: Any) -> frozenset[int]:
    """Crops that the random stream drew, whether they wait, are held or were read, and that the user has not read."""
    drawn: set[int] = set()
    for rows in (QueueEntry.objects.all(), Lease.objects.all(), Annotation.objects.current()):
        named: Any = rows
        drawn |= set(named.filter(study=study, **{_WHY[named.model]: STREAM}).values_list("crop_id", flat=True))
    if not drawn:
        return frozenset()
    own = Annotation.objects.current().filter(study=study, annotator=user, is_bulk=False)
    if len(drawn) <= FEW:
        own = own.filter(crop__in=drawn)
    return frozenset(drawn.difference(own.values_list("crop_id", flat=True)))


_WHY = {QueueEntry: "why", Lease: "why", Annotation: "why_asked"}
