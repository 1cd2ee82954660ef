"""Experiments, images and crops over HTTP."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from imaging.models import Crop, Experiment, Image, Revision
from imaging.services import access
from imaging.services.quality import file_reports


class ExperimentSerializer(serializers.ModelSerializer[Experiment]):
    """An experiment with its counts."""

    images = serializers.IntegerField(source="image_count", read_only=True)
    crops = serializers.IntegerField(source="crop_count", read_only=True)
    rejected = serializers.IntegerField(source="rejected_count", read_only=True)

    class Meta:
        model = Experiment
        fields = [
            "id", "name", "modality", "channels", "pixel_size_um", "bit_depth", "is_simulated", "created_at",
            "images", "crops", "rejected",
        ]  # fmt: skip


class FileQuality(serializers.Serializer[Any]):
    """What quality control says of an image file."""

    path = serializers.CharField()
    verdict = serializers.ChoiceField(choices=["use", "use_part", "reject"])
    reasons = serializers.ListField(child=serializers.CharField())
    metrics = serializers.DictField(child=serializers.FloatField())


class ImageSerializer(serializers.ModelSerializer[Image]):
    """An image; never where it is stored."""

    sample = serializers.CharField(source="sample.name", read_only=True)

    class Meta:
        model = Image
        fields = ["id", "name", "sample", "site", "sha256", "shape", "dtype", "channels", "pixel_size_um", "verdict"]


class CropSerializer(serializers.ModelSerializer[Crop]):
    """A crop: its stable key and its place in full-resolution pixels."""

    class Meta:
        model = Crop
        fields = ["id", "key", "image", "x", "y", "x0", "y0", "x1", "y1"]


class RevisionSerializer(serializers.ModelSerializer[Revision]):
    """A change of an experiment's objects or images: what became of its crops, image by image and in all."""

    report = serializers.DictField()

    class Meta:
        model = Revision
        fields = ["number", "created_at", "content_before", "content_after", "report"]


class ExperimentViewSet(ReadOnlyModelViewSet[Experiment]):
    """Experiments that the user may see."""

    serializer_class = ExperimentSerializer
    lookup_value_converter = "int"
    queryset = Experiment.objects.none()

    def get_queryset(self) -> QuerySet[Experiment]:
        return access.experiments_of(self.request.user).with_counts()

    @extend_schema(responses=FileQuality(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def quality(self, request: Request, pk: int) -> Response:
        """Verdict, reasons and metrics of every image file."""
        return Response(file_reports(access.experiment_for(request.user, pk)))

    @extend_schema(responses=ImageSerializer(many=True))
    @action(detail=True)
    def images(self, request: Request, pk: int) -> Response:
        """Images of the experiment."""
        rows = Image.objects.filter(sample__experiment=access.experiment_for(request.user, pk))
        page = self.paginate_queryset(rows.select_related("sample").order_by("id"))
        return self.get_paginated_response(ImageSerializer(page, many=True).data)

    @extend_schema(responses=RevisionSerializer(many=True))
    @action(detail=True)
    def revisions(self, request: Request, pk: int) -> Response:
        """Changes of its objects and images since it was taken in, the newest first."""
        page = self.paginate_queryset(access.experiment_for(request.user, pk).revisions.order_by("-number"))
        return self.get_paginated_response(RevisionSerializer(page, many=True).data)

    @extend_schema(responses=CropSerializer(many=True))
    @action(detail=True)
    def crops(self, request: Request, pk: int) -> Response:
        """Crops of the experiment whose objects are there; those that a newer segmentation lost are left out."""
        rows = Crop.objects.standing().filter(image__sample__experiment=access.experiment_for(request.user, pk))
        page = self.paginate_queryset(rows.order_by("id"))
        return self.get_paginated_response(CropSerializer(page, many=True).data)
