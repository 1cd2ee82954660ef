"""What the labeling API takes and gives."""

from labeling.api.serializers.answers import (
    AnnotationSerializer,
    AnswerIn,
    BlindAnnotationSerializer,
    DigestField,
    LeadAnnotationSerializer,
    UndoIn,
)
from labeling.api.serializers.crops import (
    EXAMPLES_OUT,
    CommentSerializer,
    ContextOut,
    CropOut,
    ExampleOut,
    FieldOut,
    GuidelineOut,
    GuideOut,
    SuggestionOut,
)
from labeling.api.serializers.room import AnswerOut, PreferencesSerializer, ProgressOut, RoomOut, SittingOut, UndoOut
from labeling.api.serializers.studies import LabelClassSerializer, NewestRankingOut, RankingOut, StudySerializer

__all__ = [
    "EXAMPLES_OUT",
    "AnnotationSerializer",
    "AnswerIn",
    "AnswerOut",
    "BlindAnnotationSerializer",
    "CommentSerializer",
    "ContextOut",
    "CropOut",
    "DigestField",
    "ExampleOut",
    "FieldOut",
    "GuideOut",
    "GuidelineOut",
    "LabelClassSerializer",
    "LeadAnnotationSerializer",
    "NewestRankingOut",
    "PreferencesSerializer",
    "ProgressOut",
    "RankingOut",
    "RoomOut",
    "SittingOut",
    "StudySerializer",
    "SuggestionOut",
    "UndoIn",
    "UndoOut",
]
