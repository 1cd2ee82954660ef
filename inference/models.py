"""Runs of the pipeline over experiments: what was done, with what, and what came out."""

from django.db import models
from django.utils import timezone

from imaging.models import Experiment, Image, Sample
from training.models import LongWork, ModelVersion


class PipelineVersion(models.Model):
    """The ordered stages with their versions and full parameters; immutable, identified by their digest."""

    digest = models.CharField(max_length=64, unique=True)
    stages = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.digest[:8]


class InferenceRun(LongWork):
    """One run of a pipeline version with a model over an experiment; identified by its number.

    Without a model objects are found and measured, not classified. `record` is its provenance (canonical JSON),
    written once, at the end, in one transaction with the results.
    `replay_of` marks a run that repeats another one to compare bytes.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.PROTECT, related_name="runs")
    model = models.ForeignKey(ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="runs")
    pipeline = models.ForeignKey(PipelineVersion, on_delete=models.PROTECT, related_name="runs")
    replay_of = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="replays")
    record = models.JSONField(default=dict)
    record_digest = models.CharField(max_length=64, blank=True)
    watermark = models.CharField(max_length=200, blank=True)
    objects_found = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"run {self.pk} on {self.experiment}: {self.status}"


class StageRecord(models.Model):
    """What one stage did to one image: digests in and out, seconds, verdict; identified by run, image and stage."""

    run = models.ForeignKey(InferenceRun, on_delete=models.CASCADE, related_name="stage_records")
    image = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=40)
    version = models.PositiveSmallIntegerField()
    parameters_digest = models.CharField(max_length=64)
    input_digest = models.CharField(max_length=64)
    output_digest = models.CharField(max_length=64)
    seconds = models.FloatField()
    verdict = models.JSONField(default=dict)

    class Meta:
        ordering = ["run", "image", "position"]
        constraints = [
            # A stage runs once per image and run.
            models.UniqueConstraint(fields=["run", "image", "position"], name="stage_record_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version} on {self.image}"


class ObjectTable(models.Model):
    """The table of a run's objects as a Parquet file with CellProfiler-style columns; identified by its run."""

    run = models.OneToOneField(InferenceRun, on_delete=models.CASCADE, related_name="object_table")
    digest = models.CharField(max_length=64)
    rows = models.PositiveIntegerField()
    columns = models.JSONField()

    def __str__(self) -> str:
        return f"{self.rows} objects of {self.run}"


class SampleResult(models.Model):
    """Counts and shares of one sample in a run, with their denominators and intervals; identified by both."""

    run = models.ForeignKey(InferenceRun, on_delete=models.CASCADE, related_name="sample_results")
    sample = models.ForeignKey(Sample, on_delete=models.PROTECT, related_name="+")
    fields = models.PositiveIntegerField()
    rejected_fields = models.PositiveIntegerField()
    objects_found = models.PositiveIntegerField()
    counts = models.JSONField()

    class Meta:
        ordering = ["run", "sample"]
        constraints = [
            # A sample has one result in a run.
            models.UniqueConstraint(fields=["run", "sample"], name="sample_result_once"),
        ]

    def __str__(self) -> str:
        return f"{self.sample}: {self.objects_found} objects"
