"""Training runs and models over HTTP."""

from functools import cached_property
from typing import Any

from django.core.exceptions import PermissionDenied as Forbidden
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ReadOnlyModelViewSet

from labeling.api.closed import refuse_results
from labeling.api.plain import plain_json
from labeling.models import Study
from labeling.services import access
from training.models import ModelVersion, TrainingRun
from training.services.crop_facts import model_studies_of, model_study_for
from training.services.models import promote, request_training
from training.services.work import Refused, request_cancel
from training.tasks import ring


class StudyField(serializers.PrimaryKeyRelatedField[Study]):
    """A study that the user takes part in; any other one looks as if it did not exist."""

    def get_queryset(self) -> QuerySet[Study]:
        return access.studies_of(self.context["request"].user)


OF_READERS = frozenset({"readers", "left_out"})


class TrainingRunSerializer(serializers.ModelSerializer[TrainingRun]):
    """A training run and how far it is."""

    study = StudyField(queryset=Study.objects.none())
    recipe = serializers.JSONField(default=dict, validators=[plain_json])

    class Meta:
        model = TrainingRun
        fields = ["id", "study", "recipe", "status", "progress", "stage", "problem", "created_at", "finished_at"]
        read_only_fields = ["status", "progress", "stage", "problem", "created_at", "finished_at"]


class ModelVersionSerializer(serializers.ModelSerializer[ModelVersion]):
    """A model version with its held-out report and what its gate says.

    What the report says of single readers (`readers`, `left_out`) is for leads of the study.
    """

    class Meta:
        model = ModelVersion
        fields = ["id", "study", "run", "digest", "kind", "classes", "report", "gate", "created_at"]

    @cached_property
    def _led(self) -> set[int]:
        return set(access.studies_led_by(self.context["request"].user).values_list("pk", flat=True))

    def to_representation(self, instance: ModelVersion) -> dict[str, Any]:
        """The fields, for annotators without what the report says of readers."""
        told: dict[str, Any] = super().to_representation(instance)
        if instance.study_id not in self._led:
            told["report"] = {key: part for key, part in told["report"].items() if key not in OF_READERS}
        return told


class PromoteIn(serializers.Serializer[Any]):
    """Why the model goes live; needed where its gate is closed."""

    reason = serializers.CharField(max_length=1000, allow_blank=True, default="")


def _studies(view: GenericViewSet[Any]) -> QuerySet[Study]:
    """Studies whose runs and models are listed for the user, or may be asked for one by one."""
    user = view.request.user
    return model_studies_of(user) if view.action == "list" else access.studies_of(user)


def _refuse_blind(user: Any, study: int) -> None:
    try:
        model_study_for(user, study)
    except Forbidden as error:
        # Django's own would lose its words on the way.
        raise PermissionDenied(str(error)) from error


class TrainingRunViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, GenericViewSet[TrainingRun]
):
    """Training runs of the user's studies, of blind ones for leads alone; leads start and cancel them."""

    serializer_class = TrainingRunSerializer
    lookup_value_converter = "int"
    queryset = TrainingRun.objects.none()

    def get_queryset(self) -> QuerySet[TrainingRun]:
        return TrainingRun.objects.filter(study__in=_studies(self))

    def get_object(self) -> TrainingRun:
        """The run; a blind reader is told why not."""
        run: TrainingRun = super().get_object()
        _refuse_blind(self.request.user, run.study_id)
        return run

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Ask for a training run; it waits for a worker."""
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        study = access.led_study_for(request.user, given.validated_data["study"].pk)
        refuse_results(study)
        run = request_training(study, request.user, given.validated_data.get("recipe") or {})
        ring(run.pk)
        return Response(self.get_serializer(run).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: int) -> Response:
        """End the run at its next step; nothing is registered."""
        run = self.get_object()
        access.led_study_for(request.user, run.study_id)
        request_cancel(run, request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ModelVersionViewSet(ReadOnlyModelViewSet[ModelVersion]):
    """Models of the user's studies, of blind ones for leads alone; leads put them into production."""

    serializer_class = ModelVersionSerializer
    lookup_value_converter = "int"
    queryset = ModelVersion.objects.none()

    def get_queryset(self) -> QuerySet[ModelVersion]:
        return ModelVersion.objects.filter(study__in=_studies(self))

    def get_object(self) -> ModelVersion:
        """The model; a blind reader is told why not."""
        model: ModelVersion = super().get_object()
        _refuse_blind(self.request.user, model.study_id)
        return model

    @extend_schema(request=PromoteIn, responses={204: None})
    @action(detail=True, methods=["post"])
    def promote(self, request: Request, pk: int) -> Response:
        """Put the model into production; a closed gate asks for a reason."""
        model = self.get_object()
        access.led_study_for(request.user, model.study_id)
        given = PromoteIn(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            promote(model, request.user, given.validated_data["reason"])
        except Refused as error:
            raise ValidationError({"reason": str(error)}) from error
        return Response(status=status.HTTP_204_NO_CONTENT)
