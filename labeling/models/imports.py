"""Labels that came from another tool: which file, what was taken, what was not."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from labeling.models.study import Study


class LabelImport(models.Model):
    """One file of labels that was taken into a study; identified by study and the file's digest.

    Written by `labeling.services.imports`. `report` counts what was taken and names every row that was not. One that
    was taken back keeps its row: `times_taken_back` tells the answers of each time that the file was taken apart.
    """

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        LABEL_STUDIO = "label_studio", "Label Studio JSON"
        QUPATH = "qupath", "QuPath GeoJSON"
        CPA = "cpa", "CellProfiler Analyst training set"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="label_imports")
    name = models.CharField(max_length=300)
    sha256 = models.CharField(max_length=64)
    format = models.CharField(max_length=20, choices=Format)
    report = models.JSONField(default=dict)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    taken_back_at = models.DateTimeField(null=True, blank=True)
    times_taken_back = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            # The same file is taken once.
            models.UniqueConstraint(fields=["study", "sha256"], name="import_file_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} into {self.study}"
