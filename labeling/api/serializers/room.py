"""The reading room as the API gives it, and what a user prefers in it."""

from typing import Any

from rest_framework import serializers

from labeling.api.plain import plain_json
from labeling.api.serializers.crops import CropOut
from labeling.api.serializers.studies import RankingOut
from labeling.models import Preferences


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


class PreferencesSerializer(serializers.ModelSerializer[Preferences]):
    """Keys of one's own by action, where they differ from the usual ones, and what the room looked like."""

    keys = serializers.DictField(
        child=serializers.CharField(max_length=40, allow_blank=True, trim_whitespace=False), validators=[plain_json]
    )
    view = serializers.DictField(validators=[plain_json])

    class Meta:
        model = Preferences
        fields = ["keys", "view"]
