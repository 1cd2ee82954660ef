"""What an image is: experiments, samples, images, their quality, and crops."""

from django.conf import settings
from django.db import models
from django.db.models import Count, Q, QuerySet
from django.utils import timezone


class ExperimentQuerySet(models.QuerySet["Experiment"]):
    """Filters that pages and commands share."""

    def with_counts(self) -> "ExperimentQuerySet":
        """Adds `image_count`, `crop_count` and `rejected_count`."""
        return self.annotate(
            image_count=Count("samples__images", distinct=True),
            crop_count=Count(
                "samples__images__crops", distinct=True, filter=Q(samples__images__crops__gone_at__isnull=True)
            ),
            rejected_count=Count("samples__images", distinct=True, filter=Q(samples__images__verdict=Verdict.REJECT)),
        )


class Verdict(models.TextChoices):
    """What quality control says of an image."""

    USE = "use", "use"
    USE_PART = "use_part", "use part"
    REJECT = "reject", "reject"


class Experiment(models.Model):
    """The unit that is held out: one batch, run, plate set or slide series.

    Identified by its name. Written by `imaging.worker.ingest`, in one transaction with all that belongs to it; images
    and objects that come later are a `Revision`, whose number `revision` counts. `channels` is a list of
    {name, color, low, high}: the display window is the same for the whole experiment.
    `pixel_size_um` is empty where it is unknown or differs between images.
    """

    class Modality(models.TextChoices):
        BRIGHTFIELD = "brightfield", "bright field, RGB"
        MULTICHANNEL = "multichannel", "multi-channel"

    name = models.CharField(max_length=200, unique=True)
    modality = models.CharField(max_length=20, choices=Modality)
    channels = models.JSONField(default=list)
    pixel_size_um = models.FloatField(null=True, blank=True)
    bit_depth = models.PositiveSmallIntegerField(null=True, blank=True, help_text="significant bits of the camera")
    source = models.CharField(max_length=1000, help_text="the folder or manifest that it was read from")
    content_digest = models.CharField(max_length=64)
    revision = models.PositiveIntegerField(default=0, help_text="how often its images or objects changed since")
    is_simulated = models.BooleanField(default=False)
    viewers = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects = ExperimentQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            # A name is how people and commands speak of an experiment: it is never empty.
            models.CheckConstraint(condition=~Q(name=""), name="experiment_named"),
            # A pixel has a positive size, or none that is known.
            models.CheckConstraint(
                condition=Q(pixel_size_um__isnull=True) | Q(pixel_size_um__gt=0), name="experiment_pixel_size"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Sample(models.Model):
    """A well on a plate, or a slide of a case.

    Identified by experiment and name. `subject` is the patient, donor or animal and `site` the lab or scanner,
    where known: subjects never cross a split. Written with its experiment.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="samples")
    name = models.CharField(max_length=200)
    condition = models.CharField(max_length=200, blank=True)
    is_control = models.BooleanField(default=False)
    subject = models.CharField(max_length=200, blank=True)
    site = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["experiment", "name"]
        constraints = [
            # One row per well or slide.
            models.UniqueConstraint(fields=["experiment", "name"], name="sample_once"),
        ]

    def __str__(self) -> str:
        return f"{self.experiment} {self.name}"


class Image(models.Model):
    """One field of view, or one slide: immutable pixels in one or several files (a file per channel or z plane).

    Identified within its sample by its digest. `files` lists {name, uri, sha256, channel, z}; `name` is relative
    to the folder or manifest it came from and never shows where it is stored. Written with its experiment; only
    `verdict` follows the newest quality report, `object_source` and `objects_digest` the newest segmentation.
    """

    sample = models.ForeignKey(Sample, on_delete=models.CASCADE, related_name="images")
    name = models.CharField(max_length=500)
    files = models.JSONField()
    sha256 = models.CharField(max_length=64, db_index=True)
    axes = models.CharField(max_length=10)
    shape = models.JSONField(help_text="z, channel, height, width")
    dtype = models.CharField(max_length=10)
    channels = models.JSONField(default=list, help_text="names, in the order of the pixels")
    pixel_size_um = models.FloatField(null=True, blank=True)
    crop_field_px = models.FloatField(help_text="side of a crop's field in full-resolution pixels")
    site = models.CharField(max_length=200, blank=True)
    object_source = models.CharField(max_length=20)
    objects_digest = models.CharField(max_length=64, blank=True, help_text="of the centres of its objects")
    verdict = models.CharField(max_length=10, choices=Verdict, default=Verdict.USE)

    class Meta:
        ordering = ["sample", "name"]
        indexes = [
            # The ranking worker asks twenty times a second whether other images are rejected now.
            models.Index(fields=["verdict"], name="image_verdict"),
        ]
        constraints = [
            # The same pixels twice in a sample would count twice in every figure.
            models.UniqueConstraint(fields=["sample", "sha256"], name="image_pixels_once"),
            # A relative name finds one image.
            models.UniqueConstraint(fields=["sample", "name"], name="image_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class QualityReport(models.Model):
    """What one version of the quality rules measured and decided for an image.

    Identified by image and rule digest; written by `imaging.worker`.
    """

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="quality_reports")
    verdict = models.CharField(max_length=10, choices=Verdict)
    reasons = models.JSONField(default=list)
    metrics = models.JSONField(default=dict)
    rule_digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["image", "created_at"]
        constraints = [
            # The same rules on the same pixels say the same: one report.
            models.UniqueConstraint(fields=["image", "rule_digest"], name="quality_report_once"),
        ]

    def __str__(self) -> str:
        return f"{self.image}: {self.verdict}"


class CropQuerySet(models.QuerySet["Crop"]):
    """Filters that pages and commands share."""

    def standing(self) -> "CropQuerySet":
        """Crops whose object is still there."""
        return self.filter(gone_at__isnull=True)

    def usable(self) -> "CropQuerySet":
        """Standing crops of images that quality control did not reject."""
        return self.standing().exclude(image__verdict=Verdict.REJECT)

    def of_experiments(self, experiments: QuerySet[Experiment]) -> "CropQuerySet":
        """Crops of these experiments."""
        return self.filter(image__sample__experiment__in=experiments)


class Crop(models.Model):
    """A small picture around one object.

    Identified by `key` = image digest + position, which survives re-segmentation: number, key, centre and pixels
    never change. Its pixels are row `row` of the shard named by digest. Boxes and centroids are in full-resolution
    pixels. Written with its experiment or a `Revision` of it, which also renews the outline of crops that nobody has
    answered, and sets `gone_at` where the object is no longer found: such a crop keeps its answers and is in no pool.
    """

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="crops")
    key = models.CharField(max_length=64, db_index=True)
    x = models.FloatField()
    y = models.FloatField()
    x0 = models.FloatField()
    y0 = models.FloatField()
    x1 = models.FloatField()
    y1 = models.FloatField()
    contour = models.JSONField(null=True, blank=True)
    shard = models.CharField(max_length=64)
    row = models.PositiveIntegerField()
    gone_at = models.DateTimeField(null=True, blank=True)

    objects = CropQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            # One crop per object position: an answer never meets two rows for one cell.
            models.UniqueConstraint(fields=["image", "key"], name="crop_key_once"),
            # A row of a shard shows one crop of an image.
            models.UniqueConstraint(fields=["image", "shard", "row"], name="crop_row_once"),
            # Boxes have an area.
            models.CheckConstraint(
                condition=Q(x1__gt=models.F("x0")) & Q(y1__gt=models.F("y0")), name="crop_box_has_area"
            ),
        ]

    def __str__(self) -> str:
        return self.key


class Revision(models.Model):
    """One change of an experiment's images or objects after it was taken in; append-only.

    Identified by experiment and number. Written by `imaging.worker.resegment` in the transaction of the change.
    `report` counts, for each image and in all, what was kept, moved, new, gone and unclear.
    """

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    source = models.CharField(max_length=1000, help_text="the folder or manifest that it was read from")
    content_before = models.CharField(max_length=64)
    content_after = models.CharField(max_length=64)
    report = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["experiment", "-number"]
        constraints = [
            # A number names one change.
            models.UniqueConstraint(fields=["experiment", "number"], name="revision_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.experiment}, revision {self.number}"


class CropMove(models.Model):
    """What a revision did to a crop; crops that it left as they were have none. Identified by revision and crop.

    `distance_px` and `overlap` compare the crop with the object that was found. `outline` ({box, contour}) is the one
    that the crop does not show: the new one where people's answers hold the old one (`is_held`), else the old one.
    `relation` says what an object without a partner has to do with crop `other`.
    """

    class Kind(models.TextChoices):
        OUTLINE = "outline", "another outline"
        MOVED = "moved", "moved"
        NEW = "new", "new"
        GONE = "gone", "gone"
        BACK = "back", "found again"

    revision = models.ForeignKey(Revision, on_delete=models.CASCADE, related_name="moves")
    crop = models.ForeignKey(Crop, on_delete=models.CASCADE, related_name="moves")
    kind = models.CharField(max_length=10, choices=Kind)
    distance_px = models.FloatField(null=True, blank=True)
    overlap = models.FloatField(null=True, blank=True)
    is_held = models.BooleanField(default=False, help_text="somebody spoke about it: it is shown as it was")
    outline = models.JSONField(null=True, blank=True)
    relation = models.CharField(max_length=10, blank=True)
    other = models.ForeignKey(Crop, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["id"]
        constraints = [
            # A revision does one thing to a crop.
            models.UniqueConstraint(fields=["revision", "crop"], name="move_once"),
        ]

    def __str__(self) -> str:
        return f"{self.crop}: {self.kind}"
