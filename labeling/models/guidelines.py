"""How a study says its crops are to be decided: versions of its guidelines, and example crops of its classes."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from imaging.models import Crop
from labeling.models.study import LabelClass, Study


class GuidelineVersion(models.Model):
    """The guidelines of a study as they stood from some moment on; append-only, the newest is `Study.guidelines`.

    Identified by study and number; written by `labeling.services.guidelines`. Every answer names its version.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="guideline_versions")
    number = models.PositiveIntegerField()
    text = models.TextField(blank=True)
    change = models.CharField(max_length=500, blank=True, help_text="what is new, in a sentence")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["study", "-number"]
        constraints = [
            # A number names one text.
            models.UniqueConstraint(fields=["study", "number"], name="guideline_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.study}, guidelines {self.number}"


class ClassExample(models.Model):
    """A crop that shows what a class looks like, with a word on why.

    Identified by class and crop; written by leads.
    """

    label_class = models.ForeignKey(LabelClass, on_delete=models.CASCADE, related_name="examples")
    crop = models.ForeignKey(Crop, on_delete=models.CASCADE, related_name="+")
    note = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [
            # A crop is an example of a class once.
            models.UniqueConstraint(fields=["label_class", "crop"], name="example_once"),
        ]

    def __str__(self) -> str:
        return f"{self.crop} for {self.label_class}"
