"""What leads and readers talk over: a sitting about the crops that two classes are mixed up on."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from imaging.models import Crop
from labeling.models.guidelines import GuidelineVersion
from labeling.models.study import LabelClass, Study


class DisagreementSession(models.Model):
    """A sitting about crops that some readers called one class and others another; closing it may change guidelines.

    Identified by its number; written by `labeling.services.sessions`. `agreement_before` is how far readers told the
    two classes apart on random crops when it began: value, low, high, n and reason, as `Estimate`.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="sessions")
    class_a = models.ForeignKey(LabelClass, on_delete=models.CASCADE, related_name="+")
    class_b = models.ForeignKey(LabelClass, on_delete=models.CASCADE, related_name="+")
    crops = models.ManyToManyField(Crop, related_name="+")
    seed = models.CharField(max_length=100, help_text="what the crops were drawn by")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(default=timezone.now)
    notes = models.TextField(blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.TextField(blank=True, help_text="what was agreed on, in words")
    guideline = models.ForeignKey(
        GuidelineVersion,
        null=True,
        blank=True,
        on_delete=models.RESTRICT,
        related_name="+",
        help_text="the version that it made",
    )
    agreement_before = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        constraints = [
            # Two classes are mixed up with each other, not one with itself.
            models.CheckConstraint(condition=~models.Q(class_a=models.F("class_b")), name="session_of_two_classes"),
        ]

    def __str__(self) -> str:
        return f"{self.study}: {self.class_a} against {self.class_b}"
