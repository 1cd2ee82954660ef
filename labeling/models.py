"""What people say about crops, and which crop they see next."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from imaging.models import Crop, Experiment
from labeling import registry

# Stands where a crop was not drawn but chosen: there is no probability to divide by.
DETERMINISTIC = "deterministic"
STREAM_IS_FIXED = (
    "Whether answers of the random stream train the model is decided once, when the study is created: make a new one."
)


class Study(models.Model):
    """One question over a pool of crops.

    Identified by its name. Written by leads through `labeling.services.studies`. Whether stream answers train
    (`stream_in_training`) is decided once, at creation: changing it later would spoil the unbiased stream.
    """

    name = models.CharField(max_length=200, unique=True)
    question = models.CharField(max_length=500)
    guidelines = models.TextField(blank=True)
    experiments = models.ManyToManyField(Experiment, related_name="studies")
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, through="Membership", related_name="studies")
    reads_per_crop = models.PositiveSmallIntegerField(default=1)
    overlap_share = models.FloatField(default=0.2, help_text="share of crops read by more than one annotator")
    reread_share = models.FloatField(default=0.0)
    random_share = models.FloatField(default=0.1, help_text="share of queries drawn at random")
    coverage_share = models.FloatField(default=0.2, help_text="share of queries that only cover the pool")
    strategy = models.CharField(max_length=40, default=registry.DEFAULT_STRATEGY)
    encoder = models.CharField(max_length=200, default=registry.DEFAULT_ENCODER)
    is_blind = models.BooleanField(default=True)
    stream_in_training = models.BooleanField(default=True)
    not_sure_as_soft_labels = models.BooleanField(default=False)
    is_simulated = models.BooleanField(default=False)
    seed = models.PositiveIntegerField(default=0)
    ranking_problem = models.TextField(
        blank=True, editable=False, help_text="why there is no newer ranking; written by the ranking worker"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "studies"
        constraints = [
            # At least one person reads a crop.
            models.CheckConstraint(condition=Q(reads_per_crop__gte=1), name="study_reads_at_least_one"),
            # Shares lie between nothing and all.
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{name}__gte": 0.0}) & Q(**{f"{name}__lte": 1.0}), name=f"study_{name}"
                )
                for name in ("overlap_share", "reread_share", "random_share", "coverage_share")
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a strategy or an encoder that nobody offers, and another use of the stream than the first."""
        problems = registry.problems(strategy=self.strategy, encoder=self.encoder)
        before = Study.objects.filter(pk=self.pk).values_list("stream_in_training", flat=True).first()
        if before not in (None, self.stream_in_training):
            problems["stream_in_training"] = STREAM_IS_FIXED
        if problems:
            raise ValidationError(problems)


class LabelClass(models.Model):
    """One possible answer to a study's question.

    Identified by study and key. `parent` makes a hierarchy, `grade` an order; this version answers with one
    class. A class is retired, never deleted: answers point to it. Answers that name a class with `merged_into`
    count for that class; the rows themselves stay as they were given.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="classes")
    key = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    color = models.CharField(max_length=7)
    description = models.TextField(blank=True)
    example = models.ForeignKey(Crop, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    grade = models.SmallIntegerField(null=True, blank=True)
    position = models.PositiveSmallIntegerField()
    retired_at = models.DateTimeField(null=True, blank=True)
    merged_into = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="merged")

    class Meta:
        ordering = ["study", "position"]
        verbose_name_plural = "label classes"
        constraints = [
            # A key names one class of a study.
            models.UniqueConstraint(fields=["study", "key"], name="class_key_once"),
            # A place on the keyboard belongs to one class.
            models.UniqueConstraint(fields=["study", "position"], name="class_position_once"),
            # A class whose answers count for another one takes no answers itself.
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | Q(retired_at__isnull=False), name="class_merged_is_retired"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """Who takes part in a study, as annotator or as lead; identified by study and user; written by leads."""

    class Role(models.TextChoices):
        ANNOTATOR = "annotator", "annotator"
        LEAD = "lead", "lead"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)
    is_simulated = models.BooleanField(default=False)

    class Meta:
        constraints = [
            # A person has one role in a study.
            models.UniqueConstraint(fields=["study", "user"], name="membership_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.study} as {self.role}"


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


class Reopening(models.Model):
    """A lead's wish that one more reader looks at an ambiguous crop; append-only, the newest of a crop counts.

    Identified by its number; written by `labeling.services.ambiguous`. `last_annotation` is the newest answer to the
    crop at that moment: a read with a larger number answers the wish.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="reopenings")
    crop = models.ForeignKey(Crop, on_delete=models.CASCADE, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    last_annotation = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.crop} reopened by {self.by}"


class AnnotationQuerySet(models.QuerySet["Annotation"]):
    """Filters that pages, agreement and training share."""

    def current(self) -> "AnnotationQuerySet":
        """Answers that stand: neither superseded by a later one nor a withdrawal."""
        return self.filter(superseded_by__isnull=True).exclude(answer=Annotation.Answer.WITHDRAWN)


class Annotation(models.Model):
    """One annotator's answer to one crop; append-only.

    Identified for the browser by `client_id`, which makes sending it twice harmless. An edit or an undo is a new
    row that supersedes the old one. Classes hang in `AnnotationLabel`, so that several labels, grades and a
    hierarchy fit later without touching what was answered. Written only by `labeling.services.answers`.
    """

    class Answer(models.TextChoices):
        LABEL = "label", "a class"
        NOT_SURE = "not_sure", "not sure"
        BAD_CROP = "bad_crop", "bad crop"
        WRONG_OBJECT = "wrong_object", "wrong object"
        WITHDRAWN = "withdrawn", "withdrawn"

    class Source(models.TextChoices):
        ROOM = "room", "reading room"
        API = "api", "API"
        IMPORT = "import", "imported"
        SIMULATED = "simulated", "simulated annotator"

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="annotations")
    crop = models.ForeignKey(Crop, on_delete=models.PROTECT, related_name="annotations")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="annotations")
    answer = models.CharField(max_length=20, choices=Answer)
    reason = models.CharField(max_length=200, blank=True)
    source = models.CharField(max_length=20, choices=Source, default=Source.ROOM)
    why_asked = models.CharField(max_length=40, blank=True)
    probability_asked = models.FloatField(null=True, blank=True)
    ranking = models.CharField(max_length=64, blank=True)
    window = models.JSONField(default=list, blank=True, help_text="display window per channel when answered")
    client_id = models.UUIDField(unique=True)
    shown_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    supersedes = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="superseded_by"
    )

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            # "What stands for this crop, by this person" is asked after every answer.
            models.Index(fields=["study", "crop", "annotator"], name="annotation_read"),
            # The ranking worker asks for answers newer than its last one.
            models.Index(fields=["study", "id"], name="annotation_newer"),
        ]
        constraints = [
            # A withdrawal takes something back.
            models.CheckConstraint(
                condition=~Q(answer="withdrawn") | Q(supersedes__isnull=False),
                name="annotation_withdraws_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.annotator} on {self.crop}: {self.answer}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; an answer that stands is never written again."""
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    @property
    def asked_with(self) -> float | str | None:
        """Probability with which the crop was drawn, "deterministic" where none was; None where nobody asked."""
        if not self.why_asked:
            return None
        return DETERMINISTIC if self.probability_asked is None else self.probability_asked


class AnnotationLabel(models.Model):
    """A class that an answer names, with a grade where the class has grades; identified by answer and class."""

    annotation = models.ForeignKey(Annotation, on_delete=models.PROTECT, related_name="labels")
    label_class = models.ForeignKey(LabelClass, on_delete=models.PROTECT, related_name="+")
    grade = models.SmallIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            # An answer names a class once.
            models.UniqueConstraint(fields=["annotation", "label_class"], name="annotation_class_once"),
        ]

    def __str__(self) -> str:
        return str(self.label_class)


class Consensus(models.Model):
    """What the reads of a crop add up to; derived, identified by study and crop, rebuilt from the answers."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="consensus")
    crop = models.ForeignKey(Crop, on_delete=models.CASCADE, related_name="+")
    label_class = models.ForeignKey(LabelClass, null=True, on_delete=models.CASCADE, related_name="+")
    reads = models.PositiveSmallIntegerField()
    share = models.FloatField(help_text="share of the reads that name the class")
    is_disputed = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "consensus"
        constraints = [
            # A crop has one consensus in a study.
            models.UniqueConstraint(fields=["study", "crop"], name="consensus_once"),
        ]

    def __str__(self) -> str:
        return f"{self.crop}: {self.label_class} ({self.share:.0%})"
