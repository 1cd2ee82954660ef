"""What the labeling API takes and gives."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from labeling.api.payloads import ranking_payload
from labeling.models import Annotation, LabelClass, Study


class LabelClassSerializer(serializers.ModelSerializer[LabelClass]):
    """A class of a study."""

    class Meta:
        model = LabelClass
        fields = ["key", "name", "color", "description", "position"]


class RankingOut(serializers.Serializer[Any]):
    """Which state ranked, when, over how many crops, and how many answers are newer.

    `note` says why another encoder ranked than the study's, `problem` why there is no newer ranking.
    `expected_not_sure` is the share of the queue that will probably be "not sure"; annotators of a blind study are
    not told it.
    """

    digest = serializers.CharField()
    ranked_at = serializers.DateTimeField()
    age_s = serializers.FloatField()
    seconds = serializers.FloatField(allow_null=True)
    pool = serializers.IntegerField()
    strategy = serializers.CharField()
    encoder = serializers.CharField()
    answers = serializers.IntegerField()
    newer_answers = serializers.IntegerField()
    expected_not_sure = serializers.FloatField(allow_null=True)
    note = serializers.CharField(allow_blank=True)
    problem = serializers.CharField(allow_blank=True)


class NewestRankingOut(serializers.Serializer[Any]):
    """The newest ranking of a study; null before the first."""

    ranking = RankingOut(allow_null=True)


class StudySerializer(serializers.ModelSerializer[Study]):
    """A study with its open classes and its newest ranking."""

    classes = serializers.SerializerMethodField()
    ranking = serializers.SerializerMethodField()
    experiments = serializers.SlugRelatedField[Any](slug_field="name", many=True, read_only=True)

    class Meta:
        model = Study
        fields = [
            "id", "name", "question", "guidelines", "classes", "experiments", "strategy", "encoder", "reads_per_crop",
            "overlap_share", "random_share", "coverage_share", "sampling_temperature", "is_blind",
            "stream_in_training", "not_sure_as_soft_labels", "is_simulated", "created_at", "ranking",
        ]  # fmt: skip

    @extend_schema_field(LabelClassSerializer(many=True))
    def get_classes(self, row: Study) -> Any:
        """Classes that take answers, in the order of the keyboard."""
        open_classes = [found for found in row.classes.all() if found.retired_at is None]
        return LabelClassSerializer(open_classes, many=True).data

    @extend_schema_field(RankingOut(allow_null=True))
    def get_ranking(self, row: Study) -> Any:
        """Which state ranked, when, and how many answers are newer; null before the first ranking."""
        return ranking_payload(row, self.context["request"].user)


class AnswerIn(serializers.Serializer[Any]):
    """An answer as a browser or a program sends it; `client_id` makes sending it twice harmless."""

    client_id = serializers.UUIDField()
    crop = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    answer = serializers.ChoiceField(choices=[c for c in Annotation.Answer.choices if c[0] != "withdrawn"])
    classes = serializers.ListField(child=serializers.CharField(max_length=100), default=list, max_length=20)
    reason = serializers.CharField(max_length=200, allow_blank=True, default="")
    shown_at = serializers.DateTimeField(allow_null=True, default=None)
    answered_at = serializers.DateTimeField()
    window = serializers.ListField(child=serializers.DictField(), default=list, max_length=64)
    ranking = serializers.CharField(max_length=64, allow_blank=True, default="")
    source = serializers.ChoiceField(choices=["room", "api"], default="room")


class UndoIn(serializers.Serializer[Any]):
    """A wish to take back the newest answer, or the one that came with the client id `answer`."""

    client_id = serializers.UUIDField()
    answer = serializers.UUIDField(allow_null=True, default=None)


class AnnotationSerializer(serializers.ModelSerializer[Annotation]):
    """An answer as it stands in the table; annotators by their pseudonym."""

    annotator = serializers.SerializerMethodField()
    probability_asked = serializers.SerializerMethodField()
    crop_key = serializers.CharField(source="crop.key", read_only=True)
    classes = serializers.SerializerMethodField()

    class Meta:
        model = Annotation
        fields = [
            "id", "crop", "crop_key", "annotator", "answer", "classes", "reason", "source", "why_asked",
            "probability_asked", "ranking", "shown_at", "answered_at", "received_at", "supersedes",
        ]  # fmt: skip

    def get_annotator(self, row: Annotation) -> str:
        """Pseudonym that is the same in every export."""
        return f"user:{row.annotator_id}"

    @extend_schema_field({"oneOf": [{"type": "number"}, {"type": "string"}], "nullable": True})
    def get_probability_asked(self, row: Annotation) -> float | str | None:
        """Probability with which the crop was drawn, or "deterministic"; null where nobody asked."""
        return row.asked_with

    def get_classes(self, row: Annotation) -> list[str]:
        """Keys of the classes that the answer names."""
        return [label.label_class.key for label in row.labels.all()]


class BlindAnnotationSerializer(AnnotationSerializer):
    """An answer as an annotator of a blind study may see it: neither the place of the crop nor why it was asked."""

    class Meta(AnnotationSerializer.Meta):
        fields = [
            "id", "crop", "annotator", "answer", "classes", "reason", "source", "shown_at", "answered_at",
            "received_at", "supersedes",
        ]  # fmt: skip


class CropOut(serializers.Serializer[Any]):
    """A crop with all that a page needs to draw it."""

    id = serializers.IntegerField()
    key = serializers.CharField(allow_null=True)
    pixels = serializers.CharField()
    context = serializers.CharField(allow_null=True)
    box_in_context = serializers.ListField(child=serializers.FloatField())
    dtype = serializers.CharField()
    shape = serializers.ListField(child=serializers.IntegerField())
    channels = serializers.ListField(child=serializers.DictField())
    um_per_px = serializers.FloatField(allow_null=True)
    is_rgb = serializers.BooleanField()
    why = serializers.CharField(allow_null=True)
    experiment = serializers.CharField(allow_null=True)
    contour = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()), allow_null=True)


# Key of each class -> its example crops (as in CropOut), each with a word on why: a form that no serializer has.
EXAMPLES_OUT = {
    "type": "object",
    "additionalProperties": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"crop": {"type": "object"}, "note": {"type": "string"}},
            "required": ["crop", "note"],
        },
    },
}


class ProgressOut(serializers.Serializer[Any]):
    """The user's own progress."""

    answered = serializers.IntegerField()
    total = serializers.IntegerField()
    today = serializers.IntegerField()


class RoomOut(serializers.Serializer[Any]):
    """The next crops for the user, best first."""

    crops = CropOut(many=True)
    ranking = RankingOut(allow_null=True)
    progress = ProgressOut()


class AnswerOut(serializers.Serializer[Any]):
    """What was stored, and what comes next."""

    annotation = serializers.IntegerField()
    saved_at = serializers.DateTimeField()
    next = RoomOut()
    ranking = RankingOut(allow_null=True)
    progress = ProgressOut()


class UndoOut(serializers.Serializer[Any]):
    """The crop whose answer was taken back."""

    crop = CropOut()
    withdrawn = serializers.IntegerField()
    progress = ProgressOut()
