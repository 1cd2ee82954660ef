"""What was worked out of a study's answers and is kept until they change: the agreement report."""

from django.db import models
from django.utils import timezone

from labeling.models.study import Study


class AgreementReport(models.Model):
    """The newest agreement report of a study; derived, identified by the study; written by `services.agreement`.

    `data` has the shape of `labeling.agreement.shape.AgreementData`, empty until the first report is there; `counts`
    is what the overview of a large study shows (`labeling.services.counts`). They know
    the answers up to `last_annotation`, and classes and settings as `setup` digests them. `tried_*`: the same for the
    newest try, which may have failed; `problem` says why. `claim_token` tells whose work it is now.
    """

    study = models.OneToOneField(Study, on_delete=models.CASCADE, related_name="agreement_report")
    data = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)
    last_annotation = models.PositiveBigIntegerField(default=0)
    setup = models.CharField(max_length=64, blank=True)
    computed_at = models.DateTimeField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)
    problem = models.TextField(blank=True)
    tried_annotation = models.PositiveBigIntegerField(default=0)
    tried_setup = models.CharField(max_length=64, blank=True)
    tried_at = models.DateTimeField(null=True, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    claim_token = models.CharField(max_length=32, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"agreement in {self.study}"
