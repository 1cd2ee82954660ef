"""Studies as the API gives them: their classes and the ranking that is behind the queue."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from labeling.api.payloads import ranking_payload
from labeling.models import LabelClass, Study
from labeling.services.access import reads_blind


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
