"""What people say about crops, and which crop they see next."""

from labeling.models.annotation import (
    DETERMINISTIC,
    Annotation,
    AnnotationLabel,
    AnnotationQuerySet,
    Consensus,
    Reopening,
)
from labeling.models.queue import Lease, QueueEntry, Ranked, RequestedCrop, Suggestion
from labeling.models.study import MORE_THAN_ALL, MOST_TEMPERATURE, STREAM_IS_FIXED, LabelClass, Membership, Study

__all__ = [
    "DETERMINISTIC",
    "MORE_THAN_ALL",
    "MOST_TEMPERATURE",
    "STREAM_IS_FIXED",
    "Annotation",
    "AnnotationLabel",
    "AnnotationQuerySet",
    "Consensus",
    "LabelClass",
    "Lease",
    "Membership",
    "QueueEntry",
    "Ranked",
    "Reopening",
    "RequestedCrop",
    "Study",
    "Suggestion",
]
