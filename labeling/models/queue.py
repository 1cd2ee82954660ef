"""Which crop is asked next: the newest ranking, its queue, suggestions, and crops that are spoken for."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from imaging.models import Crop
from labeling.models.study import LabelClass, Study


class Ranked(models.Model):
    """The newest ranking of a study: which state made it, when, over how many crops, up to which answer.

    Identified by the study; replaced together with the queue by the ranking worker through
    `labeling.services.queue.replace_queue`, whose `RankingInfo` describes the columns. The scores of the whole pool
    are the file named by `digest`.
    """

    study = models.OneToOneField(Study, on_delete=models.CASCADE, related_name="ranked")
    digest = models.CharField(max_length=64)
    strategy = models.CharField(max_length=40)
    encoder = models.CharField(max_length=64)
    encoder_name = models.CharField(max_length=200, blank=True)
    note = models.TextField(blank=True)
    expected_not_sure = models.FloatField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)
    answers = models.PositiveIntegerField(default=0)
    pool_size = models.PositiveIntegerField()
    last_annotation = models.PositiveBigIntegerField(default=0)
    ranked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.study} by {self.digest[:8]}"


class QueueEntry(models.Model):
    """One of the best open crops of a study, at most 1,000; a higher score means: ask a person first.

    Identified by study and crop; the whole queue is replaced in one short transaction.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="queue")
    crop = models.ForeignKey(Crop, on_delete=models.CASCADE, related_name="+")
    rank = models.PositiveIntegerField()
    score = models.FloatField()
    why = models.CharField(max_length=40)
    probability = models.FloatField(null=True, help_text="probability of being asked; empty where deterministic")
    expected_not_sure = models.FloatField(null=True, help_text="probability that a reader answers not sure")
    ranking = models.CharField(max_length=64)
    ranked_at = models.DateTimeField()

    class Meta:
        ordering = ["study", "rank"]
        verbose_name_plural = "queue entries"
        constraints = [
            # A crop stands once in a queue.
            models.UniqueConstraint(fields=["study", "crop"], name="queue_crop_once"),
            # Two crops never share a rank, so that the order is one order.
            models.UniqueConstraint(fields=["study", "rank"], name="queue_rank_once"),
        ]

    def __str__(self) -> str:
        return f"{self.rank}: {self.crop}"


class Suggestion(models.Model):
    """What a model would answer for a crop; identified by study, crop and model digest; shown only where allowed."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="suggestions")
    crop = models.ForeignKey(Crop, on_delete=models.CASCADE, related_name="+")
    label_class = models.ForeignKey(LabelClass, on_delete=models.CASCADE, related_name="+")
    probability = models.FloatField()
    model = models.CharField(max_length=64)

    class Meta:
        constraints = [
            # One opinion per model and crop.
            models.UniqueConstraint(fields=["study", "crop", "model"], name="suggestion_once"),
            # A probability lies in [0, 1].
            models.CheckConstraint(
                condition=Q(probability__gte=0.0) & Q(probability__lte=1.0), name="suggestion_probability"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.crop}: {self.label_class}"


class Lease(models.Model):
    """A crop that an annotator is looking at: nobody else gets it until the lease ends (minutes).

    Identified by study, crop and user; written by `labeling.services.queue`. `why`, `probability` and `ranking`
    keep what the queue said when the crop was handed out.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="leases")
    crop = models.ForeignKey(Crop, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    why = models.CharField(max_length=40)
    probability = models.FloatField(null=True)
    ranking = models.CharField(max_length=64, blank=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            # An annotator holds a crop once.
            models.UniqueConstraint(fields=["study", "crop", "user"], name="lease_once"),
        ]

    def __str__(self) -> str:
        return f"{self.crop} until {self.expires_at}"


class RequestedCrop(models.Model):
    """A crop that a reader asked to read next because it looks like another one (`like`): served to them first.

    Identified by study, crop and user; written by `labeling.services.requests`, removed when the reader answers.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="requested")
    crop = models.ForeignKey(Crop, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    like = models.ForeignKey(Crop, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [
            # A reader asks for a crop once.
            models.UniqueConstraint(fields=["study", "crop", "user"], name="requested_once"),
        ]

    def __str__(self) -> str:
        return f"{self.crop} for {self.user}, like {self.like}"
