"""Runs of the pipeline over HTTP."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from imaging.services.access import experiment_for, experiments_of
from inference.models import InferenceRun, SampleResult
from inference.pipeline.run import pipeline_params
from inference.pipeline.stage import PipelineError
from inference.services.runs import model_for, request_run
from inference.tasks import ring
from labeling.services.access import led_study_for, studies_of
from training.models import ModelVersion
from training.services.work import Refused, request_cancel


class RunIn(serializers.Serializer[Any]):
    """Which experiment, by which model, with which parameters where they differ from the defaults."""

    experiment = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    model = serializers.CharField(max_length=64, allow_blank=True, default="")
    parameters = serializers.DictField(child=serializers.DictField(), default=dict)


class RunSerializer(serializers.ModelSerializer[InferenceRun]):
    """A run, how far it is, and its provenance once it is done."""

    experiment_name = serializers.CharField(source="experiment.name", read_only=True)

    class Meta:
        model = InferenceRun
        fields = [
            "id", "experiment", "experiment_name", "model", "status", "progress", "stage", "problem", "watermark",
            "objects_found", "record", "record_digest", "replay_of", "created_at", "finished_at",
        ]  # fmt: skip


class SampleResultSerializer(serializers.ModelSerializer[SampleResult]):
    """Counts and shares of a sample."""

    sample = serializers.CharField(source="sample.name", read_only=True)

    class Meta:
        model = SampleResult
        fields = ["sample", "fields", "rejected_fields", "objects_found", "counts"]


class RunViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[InferenceRun]):
    """Runs over the experiments that the user may see."""

    serializer_class = RunSerializer
    lookup_value_converter = "int"
    queryset = InferenceRun.objects.none()

    def get_queryset(self) -> QuerySet[InferenceRun]:
        return InferenceRun.objects.filter(experiment__in=experiments_of(self.request.user))

    @extend_schema(request=RunIn, responses={201: RunSerializer})
    def create(self, request: Request) -> Response:
        """Ask for a run; it waits for a worker. For leads of the study that the model comes from."""
        given = RunIn(data=request.data)
        given.is_valid(raise_exception=True)
        experiment = experiment_for(request.user, given.validated_data["experiment"])
        known = ModelVersion.objects.filter(study__in=studies_of(request.user))
        try:
            model = model_for(experiment, given.validated_data["model"], known)
            params = pipeline_params(given.validated_data["parameters"])
        except (Refused, PipelineError) as error:
            raise ValidationError({"run": str(error)}) from error
        _may_run(request.user, model)
        run = request_run(experiment, model, params.content, params.digest, user=request.user)
        ring(run.pk)
        return Response(RunSerializer(run).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses={204: None})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: int) -> Response:
        """End the run at its next image; it leaves no results."""
        run = self.get_object()
        _may_cancel(request.user, run)
        request_cancel(run, request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses=SampleResultSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def samples(self, request: Request, pk: int) -> Response:
        """Counts and shares per sample."""
        rows = SampleResult.objects.filter(run=self.get_object()).select_related("sample")
        return Response(SampleResultSerializer(rows, many=True).data)


def _may_run(user: Any, model: ModelVersion | None) -> None:
    """Leads run the models of their studies; who may see an experiment may have its objects found and measured."""
    if model is not None:
        led_study_for(user, model.study_id)


def _may_cancel(user: Any, run: InferenceRun) -> None:
    """Who asked for a run ends it, and leads end the runs of their models."""
    if run.requested_by_id == user.pk or user.is_superuser:
        return
    if run.model is None:
        raise PermissionDenied("Only who asked for this run may end it.")
    led_study_for(user, run.model.study_id)
