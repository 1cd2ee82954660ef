"""What the labeling API takes and gives."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from labeling.api.payloads import ranking_payload
from labeling.api.plain import plain_json
from labeling.models import Annotation, Comment, LabelClass, Preferences, Study
from labeling.services.access import reads_blind
from labeling.services.answers import ANY


class LabelClassSerializer(serializers.ModelSerializer[LabelClass]):
    """A class of a study."""

    class Meta:
        model = LabelClass
        fields = ["key", "name", "color", "description", "position"]


class RankingOut(serializers.Serializer[Any]):
    """Which state ranked, when, over how many crops, and how many answers are newer.

    `note` says why another encoder ranked than the study's, `problem` why there is no newer ranking.
    `expected_not_sure` is the share of the queue that will probably be "not sure"; annotators of a blind study are
    not told it, and hear `note` and `problem` in words that name nothing.
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
    """A study with its open classes and its newest ranking; `experiments` is null for annotators of a blind one."""

    classes = serializers.SerializerMethodField()
    ranking = serializers.SerializerMethodField()
    experiments = serializers.SerializerMethodField()

    class Meta:
        model = Study
        fields = [
            "id", "name", "question", "guidelines", "classes", "experiments", "strategy", "encoder", "reads_per_crop",
            "overlap_share", "random_share", "coverage_share", "sampling_temperature", "is_blind",
            "stream_in_training", "not_sure_as_soft_labels", "is_simulated", "created_at", "archived_at",
            "ranking",
        ]  # fmt: skip

    @extend_schema_field(LabelClassSerializer(many=True))
    def get_classes(self, row: Study) -> Any:
        """Classes that take answers, in the order of the keyboard."""
        open_classes = [found for found in row.classes.all() if found.retired_at is None]
        return LabelClassSerializer(open_classes, many=True).data

    @extend_schema_field(serializers.ListField(child=serializers.CharField(), allow_null=True))
    def get_experiments(self, row: Study) -> list[str] | None:
        """Names of the experiments whose crops are read; null for annotators of a blind study."""
        is_blind = reads_blind(self.context["request"].user, row)
        return None if is_blind else [experiment.name for experiment in row.experiments.all()]

    @extend_schema_field(RankingOut(allow_null=True))
    def get_ranking(self, row: Study) -> Any:
        """Which state ranked, when, and how many answers are newer; null before the first ranking."""
        return ranking_payload(row, self.context["request"].user)


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
    """An answer as it stands in the table; annotators by their pseudonym."""

    annotator = serializers.SerializerMethodField()
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


class SuggestionOut(serializers.Serializer[Any]):
    """What the model behind the ranking would answer."""

    model = serializers.CharField()
    probability = serializers.FloatField()

    def get_fields(self) -> dict[str, Any]:
        # A field cannot be named like a keyword of Python in a class body.
        return super().get_fields() | {"class": serializers.CharField()}


class ContextOut(serializers.Serializer[Any]):
    """The surroundings of a crop at one scale: corners of the crop and the object's place in this picture's pixels.

    `inside` are the corners of what is image, where some of the picture lies beyond the border.
    """

    scale = serializers.IntegerField()
    url = serializers.CharField()
    box = serializers.ListField(child=serializers.FloatField())
    dot = serializers.ListField(child=serializers.FloatField())
    inside = serializers.ListField(child=serializers.FloatField(), allow_null=True)


class FieldOut(serializers.Serializer[Any]):
    """The whole field or slide around a crop, without a name; all places are in full-resolution pixels.

    A tile lies at `tiles` + "level/column/row/"; level 0 is full size, each of the `levels` half the one before.
    """

    width = serializers.IntegerField()
    height = serializers.IntegerField()
    tile_px = serializers.IntegerField()
    levels = serializers.IntegerField()
    tiles = serializers.CharField()
    version = serializers.CharField()
    channels = serializers.ListField(child=serializers.DictField())
    dtype = serializers.CharField()
    um_per_px = serializers.FloatField(allow_null=True)
    is_rgb = serializers.BooleanField()
    dot = serializers.ListField(child=serializers.FloatField())
    box = serializers.ListField(child=serializers.FloatField())
    contour = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()), allow_null=True)


class CropOut(serializers.Serializer[Any]):
    """A crop with all that a page needs to draw it.

    `dot` is the object's place and `inside` the part that is image, both in the crop's pixels; `detail` is the same
    crop in more pixels, where the original has them; `depth` counts the planes that `pixels` is the maximum of.
    `suggestion` is there only where readers may see one.
    """

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
    suggestion = SuggestionOut(allow_null=True)
    dot = serializers.ListField(child=serializers.FloatField())
    inside = serializers.ListField(child=serializers.FloatField(), allow_null=True)
    contexts = ContextOut(many=True)
    depth = serializers.IntegerField()
    field = serializers.CharField()
    detail = serializers.CharField(allow_null=True)


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
    """The user's own progress; `goal`: crops a day, null where none is set."""

    answered = serializers.IntegerField()
    total = serializers.IntegerField()
    today = serializers.IntegerField()
    goal = serializers.IntegerField(allow_null=True)


class SittingOut(serializers.Serializer[Any]):
    """How the user is served for now.

    `stay_on`: "" or the kind of place that is kept; which one it is, is not told. `left`: crops still to come there,
    the one on screen included; null where they stay nowhere. `held_back`: nothing is served, though crops wait that
    are above `not_sure_ceiling`. `archived`: nothing is served to anybody, as the study is archived. `note`: why a
    study of readers serves nothing, else "".
    """

    stay_on = serializers.CharField(allow_blank=True)
    stay_for = serializers.IntegerField()
    left = serializers.IntegerField(allow_null=True)
    not_sure_ceiling = serializers.FloatField(allow_null=True)
    easy_share = serializers.FloatField()
    paused = serializers.BooleanField()
    held_back = serializers.BooleanField()
    archived = serializers.BooleanField()
    note = serializers.CharField(allow_blank=True)


class RoomOut(serializers.Serializer[Any]):
    """The next crops for the user, best first; `guideline` is the number of the version that stands."""

    crops = CropOut(many=True)
    ranking = RankingOut(allow_null=True)
    progress = ProgressOut()
    sitting = SittingOut()
    guideline = serializers.IntegerField(allow_null=True)


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


class ExampleOut(serializers.Serializer[Any]):
    """A crop that shows what a class looks like."""

    note = serializers.CharField(allow_blank=True)
    crop = CropOut()

    def get_fields(self) -> dict[str, Any]:
        return super().get_fields() | {"class": serializers.CharField()}


class GuidelineOut(serializers.Serializer[Any]):
    """A version of the guidelines: its number, its text, and what is new in it."""

    number = serializers.IntegerField()
    text = serializers.CharField(allow_blank=True)
    change = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()


class GuideOut(serializers.Serializer[Any]):
    """How crops are to be decided: the guidelines that stand, null before the first version, and examples."""

    guideline = GuidelineOut(allow_null=True)
    examples = ExampleOut(many=True)


class CommentSerializer(serializers.ModelSerializer[Comment]):
    """What somebody wrote about a crop; the author by name, whose words these are."""

    author = serializers.CharField(source="author.get_username", read_only=True)
    text = serializers.CharField(max_length=2000)

    class Meta:
        model = Comment
        fields = ["id", "author", "text", "created_at"]
        read_only_fields = ["created_at"]


class PreferencesSerializer(serializers.ModelSerializer[Preferences]):
    """Keys of one's own by action, where they differ from the usual ones, and what the room looked like."""

    keys = serializers.DictField(
        child=serializers.CharField(max_length=40, allow_blank=True, trim_whitespace=False), validators=[plain_json]
    )
    view = serializers.DictField(validators=[plain_json])

    class Meta:
        model = Preferences
        fields = ["keys", "view"]
