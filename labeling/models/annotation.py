"""What was said about crops: answers and their classes, what they add up to, and crops that are asked again."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from imaging.models import Crop
from labeling.models.people import ReaderExclusion
from labeling.models.study import LabelClass, Study

# Stands where a crop was not drawn but chosen: there is no probability to divide by.
DETERMINISTIC = "deterministic"


class AnnotationQuerySet(models.QuerySet["Annotation"]):
    """Filters that pages, agreement and training share."""

    def standing(self) -> "AnnotationQuerySet":
        """What stands, decisions of leads among it: neither superseded by a later one nor a withdrawal."""
        return self.filter(superseded_by__isnull=True).exclude(answer=Annotation.Answer.WITHDRAWN)

    def current(self) -> "AnnotationQuerySet":
        """Answers that stand: each was given by one reader for themselves."""
        return self.standing().exclude(source=Annotation.Source.DECISION)

    def decisions(self) -> "AnnotationQuerySet":
        """Decisions that stand: what a lead settled after the readers had answered, at most one for each crop."""
        return self.standing().filter(source=Annotation.Source.DECISION)

    def reads(self) -> "AnnotationQuerySet":
        """Standing answers, one per annotator and crop: blind re-reads of one's own answers are left out."""
        return self.current().filter(is_reread=False)

    def included(self) -> "AnnotationQuerySet":
        """Without the answers of readers who are left out of the study now."""
        return self.exclude(is_excluded())

    def counted(self, *, with_excluded: bool = False, with_decisions: bool = False) -> "AnnotationQuerySet":
        """Reads that count: without those that name a class which was split into others since, and without readers
        who are left out, unless `with_excluded`; decisions of leads are among them where `with_decisions`."""
        rows = self.standing().filter(is_reread=False) if with_decisions else self.reads()
        return (rows if with_excluded else rows.included()).unsplit()

    def unsplit(self) -> "AnnotationQuerySet":
        """Without answers that name a class which was split into others since."""
        split = LabelClass.objects.filter(Q(parts__isnull=False) | Q(merged_into__parts__isnull=False))
        void = AnnotationLabel.objects.filter(label_class__in=split.order_by())
        return self.exclude(pk__in=void.values("annotation"))

    def independent(self, *, with_imported: bool = False) -> "AnnotationQuerySet":
        """Answers to one crop at a time that accepted no suggestion: what agreement and held-out figures rest on.

        Nobody knows whether imported ones were given so; `with_imported` is the word of somebody who does.
        """
        return self.filter(is_independent(with_imported=with_imported))


def is_independent(*, with_imported: bool = False) -> Q:
    """The rule behind `independent`, the only one: for queries that read it as a column."""
    one_by_one = Q(is_bulk=False, suggested_by="") & ~Q(source=Annotation.Source.DECISION)
    return one_by_one if with_imported else one_by_one & ~Q(source=Annotation.Source.IMPORT)


def is_excluded() -> Exists:
    """Whether the answer's reader is left out of its study now; the only rule, for filters and as a column."""
    return Exists(
        ReaderExclusion.objects.filter(
            study=OuterRef("study"), user=OuterRef("annotator"), lifted_at__isnull=True
        ).order_by()
    )


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

    class Reason(models.TextChoices):
        """Why somebody is not sure, or what is wrong with the object."""

        OUT_OF_FOCUS = "out_of_focus", "out of focus"
        ARTEFACT = "artefact", "artefact"
        BETWEEN_CLASSES = "between_classes", "between two classes"
        NEEDS_CONTEXT = "needs_context", "needs more context"
        TWO_OBJECTS = "two_objects", "two objects in one outline"
        CUT_OFF = "cut_off", "cut off"
        WRONG_OUTLINE = "wrong_outline", "wrong outline"

    class Source(models.TextChoices):
        ROOM = "room", "reading room"
        API = "api", "API"
        IMPORT = "import", "imported"
        SIMULATED = "simulated", "simulated annotator"
        # Made in sight of all answers: it settles the crop and is never held against a read.
        DECISION = "decision", "decided by a lead"

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="annotations")
    crop = models.ForeignKey(Crop, on_delete=models.PROTECT, related_name="annotations")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="annotations")
    answer = models.CharField(max_length=20, choices=Answer)
    reason_code = models.CharField(max_length=20, choices=Reason, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    is_reread = models.BooleanField(default=False, help_text="the same annotator's blind second answer")
    is_bulk = models.BooleanField(default=False, help_text="given to many crops at once")
    suggested_by = models.CharField(
        max_length=64, blank=True, help_text="digest of the model whose suggestion was accepted"
    )
    guideline = models.ForeignKey(
        "labeling.GuidelineVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    source = models.CharField(max_length=20, choices=Source, default=Source.ROOM)
    why_asked = models.CharField(max_length=40, blank=True)
    probability_asked = models.FloatField(null=True, blank=True)
    ranking = models.CharField(max_length=64, blank=True)
    window = models.JSONField(default=list, blank=True, help_text="display window per channel when answered")
    client_id = models.UUIDField(unique=True)
    shown_at = models.DateTimeField(null=True, blank=True)
    first_key_at = models.DateTimeField(null=True, blank=True)
    active_ms = models.PositiveIntegerField(
        null=True, blank=True, help_text="time on the crop, pauses capped by the study's idle_cap_s"
    )
    answered_at = models.DateTimeField()
    received_at = models.DateTimeField(default=timezone.now)
    # No index of its own: nearly all answers have none, and every answer would pay for it.
    label_import = models.ForeignKey(
        "labeling.LabelImport",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="answers",
        db_index=False,
    )
    supersedes = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="superseded_by"
    )

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [
            # "What stands for this crop, by this person" is asked after every answer.
            models.Index(fields=["study", "crop", "annotator"], name="annotation_read"),
            # A reader's own counts come with every reply: they are read from the index alone.
            models.Index(
                fields=["study", "annotator", "received_at", "answer", "supersedes", "source"],
                name="annotation_of_reader",
            ),
            # Decisions are few among many answers.
            models.Index(fields=["study", "crop"], name="annotation_decision", condition=Q(source="decision")),
            # The ranking worker asks for answers newer than its last one.
            models.Index(fields=["study", "id"], name="annotation_newer"),
            # What a file brought is looked up when a lead takes it back.
            models.Index(
                fields=["label_import", "id"], name="annotation_of_import", condition=Q(label_import__isnull=False)
            ),
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
    """What the reads of a crop add up to; derived, identified by study and crop; written with the agreement report.

    As old as that report: what must know the newest answer counts the answers itself, by `labeling.services.verdicts`
    and `stream`. `label_class` is what most reads name or what was decided, empty where they name two equally often.
    `votes`: share of the reads by key of class, "(not sure)" among them. `posterior`: probability by key of class
    under the consensus model, empty where that is not identifiable.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="consensus")
    crop = models.ForeignKey(Crop, on_delete=models.CASCADE, related_name="+")
    label_class = models.ForeignKey(LabelClass, null=True, on_delete=models.CASCADE, related_name="+")
    reads = models.PositiveSmallIntegerField()
    share = models.FloatField(help_text="share of the reads that name the class")
    votes = models.JSONField(default=dict)
    posterior = models.JSONField(default=dict, blank=True)
    is_disputed = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "consensus"
        constraints = [
            # A crop has one consensus in a study.
            models.UniqueConstraint(fields=["study", "crop"], name="consensus_once"),
        ]

    def __str__(self) -> str:
        return f"{self.crop}: {self.label_class} ({self.share:.0%})"


class Comment(models.Model):
    """What somebody wrote about a crop; append-only. In a blind study annotators see their own comments only.

    Identified by its number; written by `labeling.services.comments`.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="comments")
    crop = models.ForeignKey(Crop, on_delete=models.PROTECT, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=2000)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        indexes = [
            # The comments of a crop are shown with it.
            models.Index(fields=["study", "crop"], name="comment_of_crop"),
        ]

    def __str__(self) -> str:
        return f"{self.author} on {self.crop}: {self.text[:40]}"


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
