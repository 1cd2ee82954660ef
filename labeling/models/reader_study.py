"""Studies of readers: fixed cases that every reader reads, under a protocol fixed before the first answer."""

import json
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from imaging.models import Crop
from labeling.models.study import Study

LONGEST_WASHOUT_DAYS = 3650


class ReaderStudy(models.Model):
    """The protocol of a study of readers: a draft until `locked_at`, fixed from then on, closed at `closed_at`.

    Identified by its study; written by `labeling.services.reader_study`. `protocol` is canonical JSON and `digest`
    its SHA-256; readers stand in it by their number, never by name. `margin` is the largest half of the interval, or
    the least lower limit, of the primary measure that the study is meant to reach.
    """

    class Measure(models.TextChoices):
        """Figures of agreement that come with an interval."""

        ALPHA_NOMINAL = "alpha_nominal", "Krippendorff's α, nominal"
        ALPHA_ORDINAL = "alpha_ordinal", "Krippendorff's α, ordinal: classes in the order of the keyboard"
        PERCENT = "percent_agreement", "agreement in per cent"
        FLEISS = "fleiss_kappa", "Fleiss' κ"
        AC1 = "gwet_ac1", "Gwet's AC1"

    class MarginKind(models.TextChoices):
        HALF_WIDTH = "half_width", "half of the 95 % interval, at most"
        LOWER_LIMIT = "lower_limit", "lower limit of the 95 % interval, at least"

    class Stopping(models.TextChoices):
        ALL_READ = "all_read", "every reader has read every case"
        DATE = "date", "on a date"

    study = models.OneToOneField(Study, on_delete=models.PROTECT, related_name="reader_study")
    question = models.TextField(blank=True)
    primary_measure = models.CharField(max_length=20, choices=Measure, default=Measure.ALPHA_NOMINAL)
    margin_kind = models.CharField(max_length=20, choices=MarginKind, default=MarginKind.HALF_WIDTH)
    margin = models.FloatField(default=0.1)
    stopping = models.CharField(max_length=20, choices=Stopping, default=Stopping.ALL_READ)
    stops_on = models.DateField(null=True, blank=True)
    stopping_rule = models.TextField(blank=True)
    washout_days = models.PositiveSmallIntegerField(default=14)
    reread_share = models.FloatField(default=0.0)
    seed = models.PositiveIntegerField(default=0)
    locked_at = models.DateTimeField(null=True, blank=True)
    locked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    digest = models.CharField(max_length=64, blank=True)
    protocol = models.TextField(blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    close_reason = models.TextField(blank=True)
    is_closed_early = models.BooleanField(default=False, help_text="closed before its stopping rule was met")

    class Meta:
        verbose_name_plural = "reader studies"
        constraints = [
            # A share lies between nothing and all.
            models.CheckConstraint(
                condition=Q(reread_share__gte=0.0) & Q(reread_share__lte=1.0), name="reader_study_reread_share"
            ),
            # Both kinds of margin lie strictly between nothing and all.
            models.CheckConstraint(condition=Q(margin__gt=0.0) & Q(margin__lt=1.0), name="reader_study_margin"),
            # What is fixed has its digest.
            models.CheckConstraint(
                condition=Q(locked_at__isnull=True) | ~Q(digest=""), name="reader_study_locked_has_digest"
            ),
            # Only what is fixed can be closed.
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(locked_at__isnull=False),
                name="reader_study_closed_locked",
            ),
        ]

    def __str__(self) -> str:
        return f"protocol of {self.study}"

    @property
    def fixed(self) -> dict[str, Any]:
        """The locked protocol, read from its text; empty for a draft."""
        return dict(json.loads(self.protocol)) if self.protocol else {}

    @property
    def readers(self) -> list[int]:
        """Numbers of the readers whom the locked protocol names, in order; none for a draft."""
        return [row["reader"] for row in self.fixed.get("readers", [])]


class ReaderCase(models.Model):
    """A crop that every reader of a study of readers reads; identified by study and crop.

    `position` is its place in the list, not in anybody's order of reading.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="reader_cases")
    crop = models.ForeignKey(Crop, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveIntegerField()

    class Meta:
        ordering = ["study", "position"]
        constraints = [
            # A crop is a case once.
            models.UniqueConstraint(fields=["study", "crop"], name="reader_case_once"),
            # A place in the list is one case's.
            models.UniqueConstraint(fields=["study", "position"], name="reader_case_position_once"),
        ]

    def __str__(self) -> str:
        return f"case {self.position} of {self.study}"
