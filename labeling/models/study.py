"""A study: its question and pool, its classes, and who takes part."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils import timezone

from imaging.models import Crop, Experiment
from labeling import registry

MOST_TEMPERATURE = 10.0
MORE_THAN_ALL = "The random stream and the hedge together take more than the whole queue: lower one."
NO_SUGGESTIONS_WHERE_BLIND = (
    "A blind study shows no suggestions: they are a machine's opinion before the reader's own. Turn one of them off."
)
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
    sampling_temperature = models.FloatField(
        default=0.0, help_text="above 0, the strategy's crops are drawn by score ** (1 / temperature)"
    )
    strategy = models.CharField(max_length=40, default=registry.DEFAULT_STRATEGY)
    encoder = models.CharField(max_length=200, default=registry.DEFAULT_ENCODER)
    is_blind = models.BooleanField(default=True)
    reread_after_days = models.PositiveSmallIntegerField(default=7, help_text="a re-read comes after so many days")
    reread_after_items = models.PositiveIntegerField(default=200, help_text="or after so many other answers")
    adjudicates = models.BooleanField(default=True, help_text="a third annotator decides where two differ")
    routes_not_sure_to_seniors = models.BooleanField(default=False)
    shows_suggestions = models.BooleanField(default=False, help_text="annotators see the model's likeliest class")
    locks_view = models.BooleanField(default=False, help_text="no zoom and no other window: all see the same picture")
    idle_cap_s = models.PositiveIntegerField(default=60, help_text="longer pauses count as this many seconds")
    stream_in_training = models.BooleanField(default=True)
    not_sure_as_soft_labels = models.BooleanField(default=False)
    is_simulated = models.BooleanField(default=False)
    is_reader_study = models.BooleanField(
        default=False,
        editable=False,
        help_text="its protocol is locked: cases fixed, results closed until it is done",
    )
    seed = models.PositiveIntegerField(default=0)
    ranking_problem = models.TextField(
        blank=True, editable=False, help_text="why there is no newer ranking; written by the ranking worker"
    )
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="nothing is asked any more; written by `services.archive`"
    )

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "studies"
        constraints = [
            # At least one person reads a crop.
            models.CheckConstraint(condition=Q(reads_per_crop__gte=1), name="study_reads_at_least_one"),
            # Draws need a temperature; above the most, they no longer follow the scores.
            models.CheckConstraint(
                condition=Q(sampling_temperature__gte=0.0) & Q(sampling_temperature__lte=MOST_TEMPERATURE),
                name="study_sampling_temperature",
            ),
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
        """Refuse names that nobody offers, shares beyond the whole, opinions in a blind study, a new stream use."""
        problems = registry.problems(strategy=self.strategy, encoder=self.encoder)
        if self.random_share + self.coverage_share > 1:
            problems |= dict.fromkeys(("random_share", "coverage_share"), MORE_THAN_ALL)
        if self.is_blind and self.shows_suggestions:
            problems["shows_suggestions"] = NO_SUGGESTIONS_WHERE_BLIND
        before = Study.objects.filter(pk=self.pk).values_list("stream_in_training", flat=True).first()
        if before not in (None, self.stream_in_training):
            problems["stream_in_training"] = STREAM_IS_FIXED
        if problems:
            raise ValidationError(problems)


class LabelClass(models.Model):
    """One possible answer to a study's question.

    Identified by study and key. `parent` makes a hierarchy, `grade` an order; this version answers with one
    class. A class is retired, never deleted: answers point to it. Answers that name a class with `merged_into`
    count for that class; those that name a class that others were `split_from` count no more. The rows themselves
    stay as they were given.
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
    split_from = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="parts")

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
    is_senior = models.BooleanField(default=False, help_text="reads what others could not tell")
    daily_goal = models.PositiveIntegerField(null=True, blank=True)
    is_simulated = models.BooleanField(default=False)
    guidelines_opened = models.PositiveIntegerField(
        null=True, blank=True, help_text="newest version of the guidelines that they opened"
    )

    class Meta:
        constraints = [
            # A person has one role in a study.
            models.UniqueConstraint(fields=["study", "user"], name="membership_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.study} as {self.role}"
