"""How people come to a study and how they like to read: invitations, sittings, skipped crops, keys."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from imaging.models import Crop
from labeling.models.study import Membership, Study


class Invitation(models.Model):
    """A link with which somebody joins a study; identified by the digest of its secret, which is shown once.

    Written by `labeling.services.invitations`.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="invitations")
    secret_digest = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=10, choices=Membership.Role, default=Membership.Role.ANNOTATOR)
    note = models.CharField(max_length=200, blank=True, help_text="for whom")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    accepted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.study}: {self.note or self.role}"


class Sitting(models.Model):
    """How an annotator wants to be served in a study for now; identified by study and user.

    `stay_on` keeps them on one experiment, sample or image (`stay_at`, its number) for `stay_left` more crops;
    `not_sure_ceiling` leaves out crops that will more probably be "not sure"; `easy_share` of the crops are ones that
    the model is sure of. Written by `labeling.services.sitting`; where the reader is (`stay_at`, `stay_left`) also by
    `labeling.services.queue`.
    """

    class StayOn(models.TextChoices):
        NOTHING = "", "wherever the queue leads"
        EXPERIMENT = "experiment", "one experiment"
        SAMPLE = "sample", "one slide or well"
        IMAGE = "image", "one image"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="sittings")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sittings")
    stay_on = models.CharField(max_length=10, choices=StayOn, blank=True, default=StayOn.NOTHING)
    stay_for = models.PositiveIntegerField(default=20)
    stay_at = models.PositiveBigIntegerField(null=True, blank=True)
    stay_left = models.PositiveIntegerField(default=0)
    not_sure_ceiling = models.FloatField(null=True, blank=True)
    easy_share = models.FloatField(default=0.0)
    paused_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            # One way of being served at a time.
            models.UniqueConstraint(fields=["study", "user"], name="sitting_once"),
            # A share lies between nothing and all.
            models.CheckConstraint(
                condition=Q(easy_share__gte=0.0) & Q(easy_share__lte=1.0), name="sitting_easy_share"
            ),
            # A probability lies in [0, 1].
            models.CheckConstraint(
                condition=Q(not_sure_ceiling__isnull=True)
                | (Q(not_sure_ceiling__gte=0.0) & Q(not_sure_ceiling__lte=1.0)),
                name="sitting_not_sure_ceiling",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.study}"


class SkippedCrop(models.Model):
    """A crop that an annotator put aside without an answer: they get it again only when nothing else is left.

    Identified by study, crop and user; written by `labeling.services.sitting`. The row stays when the crop is
    answered after all: it tells that the crop was put aside before.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="skipped")
    crop = models.ForeignKey(Crop, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # A crop is put aside once.
            models.UniqueConstraint(fields=["study", "crop", "user"], name="skipped_once"),
        ]

    def __str__(self) -> str:
        return f"{self.crop} skipped by {self.user}"


class Preferences(models.Model):
    """How a person has set up the reading room; identified by the user, written by them alone.

    `keys` maps actions to keys where they differ from the defaults; `view` keeps what the room looked like.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="preferences")
    keys = models.JSONField(default=dict, blank=True)
    view = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name_plural = "preferences"

    def __str__(self) -> str:
        return f"preferences of {self.user}"


class ReaderExclusion(models.Model):
    """A reader whose answers count for nothing in a study until they are put back; the answers themselves stay.

    Identified by its number; written by `labeling.services.exclusions`, lifted once, never deleted. `by` is empty
    where a command did it. While a row is not lifted, `Annotation.objects.counted()` leaves its user out.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="exclusions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="exclusions")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=500)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            # A reader is left out once at a time; the index also finds who is, at every answer.
            models.UniqueConstraint(
                fields=["study", "user"], condition=Q(lifted_at__isnull=True), name="excluded_once_at_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} left out of {self.study}"
