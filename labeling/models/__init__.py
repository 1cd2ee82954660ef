"""What people say about crops, and which crop they see next."""

from labeling.models.agreement import AgreementReport
from labeling.models.annotation import (
    DETERMINISTIC,
    Annotation,
    AnnotationLabel,
    AnnotationQuerySet,
    Comment,
    Consensus,
    Reopening,
)
from labeling.models.discussion import DisagreementSession
from labeling.models.guidelines import ClassExample, GuidelineVersion
from labeling.models.imports import LabelImport
from labeling.models.people import Invitation, Preferences, ReaderExclusion, Sitting, SkippedCrop
from labeling.models.queue import Lease, QueueEntry, Ranked, RequestedCrop, Suggestion
from labeling.models.reader_study import LONGEST_WASHOUT_DAYS, ReaderCase, ReaderStudy
from labeling.models.study import (
    MORE_THAN_ALL,
    MOST_TEMPERATURE,
    NO_SUGGESTIONS_WHERE_BLIND,
    STREAM_IS_FIXED,
    LabelClass,
    Membership,
    Study,
)

__all__ = [
    "DETERMINISTIC",
    "LONGEST_WASHOUT_DAYS",
    "MORE_THAN_ALL",
    "MOST_TEMPERATURE",
    "NO_SUGGESTIONS_WHERE_BLIND",
    "STREAM_IS_FIXED",
    "AgreementReport",
    "Annotation",
    "AnnotationLabel",
    "AnnotationQuerySet",
    "ClassExample",
    "Comment",
    "Consensus",
    "DisagreementSession",
    "GuidelineVersion",
    "Invitation",
    "LabelClass",
    "LabelImport",
    "Lease",
    "Membership",
    "Preferences",
    "QueueEntry",
    "Ranked",
    "ReaderCase",
    "ReaderExclusion",
    "ReaderStudy",
    "Reopening",
    "RequestedCrop",
    "Sitting",
    "SkippedCrop",
    "Study",
    "Suggestion",
]
