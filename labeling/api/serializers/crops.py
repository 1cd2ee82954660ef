"""Crops as the API gives them, and what stands beside them: the guide and comments."""

from typing import Any

from rest_framework import serializers

from labeling.models import Comment


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
