"""From answers to model versions: what was learned from, how, and which version is in production."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from imaging.models import Experiment
from labeling.models import Study


class EmbeddingShard(models.Model):
    """A file of embeddings, one row per crop, with the crops' keys in a second file; both named by digest; immutable.

    Identified by the digests of its files. `encoder` is the digest of the encoder and `view` that of the channels and
    windows that the crops were seen through, so that what differs in either is never mixed. Written by
    `training.worker.embedding`, each as soon as it is full: what a killed worker has finished stays.
    """

    encoder = models.CharField(max_length=64)
    view = models.CharField(max_length=64)
    rows_digest = models.CharField(max_length=64)
    keys_digest = models.CharField(max_length=64)
    count = models.PositiveIntegerField()
    dimension = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["encoder", "view"], name="shard_by_encoder_and_view")]
        constraints = [
            # Two workers that computed the same crops at once wrote the same files: one row.
            models.UniqueConstraint(fields=["encoder", "view", "rows_digest", "keys_digest"], name="shard_once"),
        ]

    def __str__(self) -> str:
        return f"{self.count} rows by {self.encoder[:8]}"


class EmbeddingSet(models.Model):
    """The embeddings of all crops of an experiment by one encoder: which rows of which shards; immutable.

    Identified by encoder digest and experiment, so that two encoders are never mixed. `source` is the digest of what
    the experiment held; `shards` lists [digest, rows] and the file `places_digest` the row of each crop, in order of
    id, counted through the shards. `blocks` is the number of equal blocks of columns, one per channel; 0 where
    columns are divided otherwise. Written by `training.worker.embedding`.
    """

    encoder = models.CharField(max_length=64)
    encoder_name = models.CharField(max_length=200)
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="embedding_sets")
    source = models.CharField(max_length=64, default="")
    shards = models.JSONField(default=list)
    places_digest = models.CharField(max_length=64, default="")
    count = models.PositiveIntegerField()
    dimension = models.PositiveIntegerField()
    blocks = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # Computed once per encoder and experiment.
            models.UniqueConstraint(fields=["encoder", "experiment"], name="embedding_set_once"),
        ]

    def __str__(self) -> str:
        return f"{self.experiment} by {self.encoder_name}"


class LabelSnapshot(models.Model):
    """Every answer that a training run learns from, frozen, with its split; immutable.

    Identified by the digest of its content. `content` lists [crop key, crop id, class index, weight];
    `split` tells the level, the reason and the fold of each row.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="snapshots")
    digest = models.CharField(max_length=64)
    classes = models.JSONField()
    content = models.JSONField()
    split = models.JSONField()
    last_annotation = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # The same answers with the same split are the same snapshot.
            models.UniqueConstraint(fields=["study", "digest"], name="snapshot_once"),
        ]

    def __str__(self) -> str:
        return f"{self.study} {self.digest[:8]}"


class Status(models.TextChoices):
    """The life of a piece of long work; `FINAL` states are never left."""

    QUEUED = "queued", "queued"
    RUNNING = "running", "running"
    DONE = "done", "done"
    REFUSED = "refused", "refused"
    FAILED = "failed", "failed"
    CANCELLED = "cancelled", "cancelled"


FINAL = (Status.DONE, Status.REFUSED, Status.FAILED, Status.CANCELLED)


class LongWork(models.Model):
    """A piece of long work: claimed by a conditional update, so that delivering it twice runs it once.

    `claim_token` tells whose it is now and `attempts` how often it was begun. `heartbeat_at` shows that it lives;
    `progress` and `stage` are what pages show; `problem` says in plain words why it was refused or failed. Written by
    `training.services.work`.
    """

    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED, db_index=True)
    progress = models.FloatField(default=0.0)
    stage = models.CharField(max_length=100, blank=True)
    problem = models.TextField(blank=True)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    cancel_requested = models.BooleanField(default=False)
    claim_token = models.CharField(max_length=32, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        ordering = ["-id"]
        constraints = [
            # Progress is a share of the whole.
            models.CheckConstraint(
                condition=Q(progress__gte=0.0) & Q(progress__lte=1.0), name="%(class)s_progress_share"
            ),
        ]

    @property
    def is_final(self) -> bool:
        """Whether it will never change again."""
        return self.status in FINAL


class EmbeddingJob(LongWork):
    """Computing the embeddings of an experiment by a network; identified by experiment and name of the encoder.

    Stays as long as the experiment: `problem` says why the encoder cannot be used, `crops` how many there are.
    Written by `training.services.embedding_jobs`.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="embedding_jobs")
    encoder_name = models.CharField(max_length=200)
    crops = models.PositiveIntegerField(default=0)

    class Meta(LongWork.Meta):
        constraints = [
            *LongWork.Meta.constraints,
            # Studies that share an experiment and an encoder share the work.
            models.UniqueConstraint(fields=["experiment", "encoder_name"], name="embedding_job_once"),
        ]

    def __str__(self) -> str:
        return f"embedding of {self.experiment} by {self.encoder_name}: {self.status}"


class TrainingRun(LongWork):
    """One fit of a model from a study's answers; identified by its number; written by `training.services`."""

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="training_runs")
    recipe = models.JSONField(default=dict)
    snapshot = models.ForeignKey(LabelSnapshot, null=True, blank=True, on_delete=models.PROTECT)

    def __str__(self) -> str:
        return f"training {self.pk} of {self.study}: {self.status}"


class StreamReport(LongWork):
    """What a study's random stream said at one moment: does the queue help, and what would more labels bring.

    Identified by its number; the newest that is done counts. `digest` names everything it was computed from: the same
    answers are not computed twice. `content` holds the figures, `stream_crops` counts the crops of the stream that
    it knew, `last_annotation` is the newest answer that it knew and `seconds` is the time it took. Written by
    `training.services.stream` and `training.worker.stream`.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="stream_reports")
    digest = models.CharField(max_length=64, blank=True)
    content = models.JSONField(default=dict)
    stream_crops = models.PositiveIntegerField(default=0)
    last_annotation = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(null=True, blank=True)

    def __str__(self) -> str:
        return f"stream report {self.pk} of {self.study}: {self.status}"


class EmbeddingMap(LongWork):
    """A map of a study's pool in two dimensions, and how far each crop lies from the others.

    Identified by its number; the newest that is done counts. `digest` names the pool and the encoder that it was made
    from: its files carry that name, so that the same pool is laid out once. `layouts` lists the layouts that can be
    looked at already, `crops` how many it shows. Written by `training.services.embedding_maps` and
    `training.worker.embedding_map`.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="embedding_maps")
    digest = models.CharField(max_length=64, blank=True)
    layouts = models.JSONField(default=list)
    crops = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"map {self.pk} of {self.study}: {self.status}"


class ModelVersion(models.Model):
    """A model with its weights (safetensors), preprocessing, label list, report and card; immutable.

    Identified by the digest of its file. Written once, at the end of a training run.
    """

    run = models.OneToOneField(TrainingRun, on_delete=models.PROTECT, related_name="model")
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="models")
    digest = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=20)
    classes = models.JSONField()
    channels = models.JSONField()
    report = models.JSONField()
    gate = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.study} {self.kind} {self.digest[:8]}"


class Promotion(models.Model):
    """One entry in the history of "in production": the newest one of a study is the pointer.

    Identified by its number; append-only; written by `training.services.promote`.
    """

    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="promotions")
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="promotions")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT)
    reason = models.TextField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.model} since {self.at}"


class Ranking(models.Model):
    """One ranking of a study's pool that the ranking worker made; identified by study and digest.

    The row stays: answers name the ranking that asked for them. The scores of the whole pool are files named by the
    digest, of which the worker keeps those of the newest few. `encoder` is the digest of the encoder, `parameters`
    what the head was fitted with, `last_annotation` the newest answer that was known.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="rankings")
    digest = models.CharField(max_length=64)
    strategy = models.CharField(max_length=40)
    encoder = models.CharField(max_length=64)
    encoder_name = models.CharField(max_length=200, blank=True)
    parameters = models.JSONField(default=dict)
    answers = models.PositiveIntegerField()
    last_annotation = models.PositiveBigIntegerField(default=0)
    pool_size = models.PositiveIntegerField()
    seconds = models.FloatField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.study} by {self.digest[:8]}"
