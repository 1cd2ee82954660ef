"""Answers as the API takes and gives them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from labeling.api.plain import plain_json
from labeling.models import Annotation
from labeling.services.answers import ANY
from labeling.services.reads import told_why


class DigestField(serializers.RegexField):
    """The digest of a ranking or a model, empty where there is none."""

    def __init__(self, **more: Any) -> None:
        """Hexadecimal digits: such text leaves in tables, where anything else might run as a formula."""
        super().__init__(r"^[0-9a-f]*\Z", max_length=64, allow_blank=True, default="", **more)


class AnswerIn(serializers.Serializer[Any]):
    """An answer as a browser or a program sends it; `client_id` makes sending it twice harmless.

    `replaces` is the client id of one's own answer that this one supersedes, null where there is none; left out,
    any is superseded. `annotator` names who gave it, so that another log-in in the same browser cannot send it.
    `sent_at` is the sender's clock when it leaves, by which a wrong clock is corrected.
    """

    client_id = serializers.UUIDField()
    crop = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    answer = serializers.ChoiceField(choices=[c for c in Annotation.Answer.choices if c[0] != "withdrawn"])
    classes = serializers.ListField(child=serializers.CharField(max_length=100), default=list, max_length=20)
    reason = serializers.CharField(max_length=200, allow_blank=True, default="")
    shown_at = serializers.DateTimeField(allow_null=True, default=None)
    answered_at = serializers.DateTimeField()
    window = serializers.ListField(
        child=serializers.DictField(), default=list, max_length=64, validators=[plain_json]
    )
    ranking = DigestField()
    source = serializers.ChoiceField(choices=["room", "api"], default="room")
    reason_code = serializers.ChoiceField(choices=Annotation.Reason.choices, allow_blank=True, default="")
    first_key_at = serializers.DateTimeField(allow_null=True, default=None)
    active_ms = serializers.IntegerField(allow_null=True, default=None, min_value=0, max_value=2**53)
    sent_at = serializers.DateTimeField(allow_null=True, default=None)
    suggested_by = DigestField()
    guideline = serializers.IntegerField(allow_null=True, default=None, min_value=0, max_value=2**31 - 1)
    replaces = serializers.UUIDField(allow_null=True, default=ANY)
    annotator = serializers.IntegerField(allow_null=True, default=None)


class UndoIn(serializers.Serializer[Any]):
    """A wish to take back the newest answer, or the one that came with the client id `answer`."""

    client_id = serializers.UUIDField()
    answer = serializers.UUIDField(allow_null=True, default=None)
    annotator = serializers.IntegerField(allow_null=True, default=None)


class AnnotationSerializer(serializers.ModelSerializer[Annotation]):
    """An answer as it stands in the table; annotators by their pseudonym, the reason as readers hear it."""

    annotator = serializers.SerializerMethodField()
    why_asked = serializers.SerializerMethodField()
    probability_asked = serializers.SerializerMethodField()
    crop_key = serializers.CharField(source="crop.key", read_only=True)
    classes = serializers.SerializerMethodField()
    guideline = serializers.IntegerField(source="guideline.number", default=None, read_only=True)

    class Meta:
        model = Annotation
        fields = [
            "id", "client_id", "crop", "crop_key", "annotator", "answer", "classes", "reason", "reason_code",
            "source", "why_asked", "probability_asked", "ranking", "suggested_by", "guideline", "shown_at",
            "first_key_at", "answered_at", "active_ms", "received_at", "supersedes",
        ]  # fmt: skip

    def get_annotator(self, row: Annotation) -> str:
        """Pseudonym that is the same in every export."""
        return f"user:{row.annotator_id}"

    def get_why_asked(self, row: Annotation) -> str:
        """Why the crop was asked; tells of no earlier read."""
        return told_why(row.why_asked)

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
            "id", "client_id", "crop", "annotator", "answer", "classes", "reason", "reason_code", "source",
            "guideline", "shown_at", "first_key_at", "answered_at", "active_ms", "received_at", "supersedes",
        ]  # fmt: skip


class LeadAnnotationSerializer(AnnotationSerializer):
    """An answer as leads see it; `excluded`: its reader is left out now, so that it counts for nothing."""

    why_asked = serializers.CharField(read_only=True)
    excluded = serializers.BooleanField(source="is_left_out", read_only=True)

    class Meta(AnnotationSerializer.Meta):
        fields = [*AnnotationSerializer.Meta.fields, "is_reread", "is_bulk", "excluded"]
