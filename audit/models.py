"""Who did what, when and why, in a form that shows tampering."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone


class AuditEvent(models.Model):
    """One thing that somebody or some process did; append-only, each row hashed together with the one before.

    Identified by `sequence`, which has no gaps. Written only by `audit.services.record`, in the transaction of
    the change that it tells of. `actor` is a pseudonym ("user:12", "process:rank_worker"): names live in the
    user table alone, so that erasing a person leaves the chain whole.
    """

    sequence = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=100)
    action = models.CharField(max_length=60, db_index=True)
    object_type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=100)
    detail = models.JSONField(default=dict)
    reason = models.TextField(blank=True)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ["sequence"]
        indexes = [models.Index(fields=["object_type", "object_id"], name="audit_object")]
        constraints = [
            # The first event is number 1, so that a chain cut at its head shows.
            models.CheckConstraint(condition=models.Q(sequence__gte=1), name="audit_sequence_from_one"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.action} {self.object_type} {self.object_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; a row that stands is never written again."""
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refuse: events are never removed."""
        raise TypeError("Audit events are never deleted.")


class Checkpoint(models.Model):
    """The signed head of the chain at one moment: shows when later events were cut off.

    Identified by the sequence it covers. Written by `audit.services.write_checkpoint`.
    """

    sequence = models.PositiveBigIntegerField(unique=True)
    head_hash = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)
    signature = models.CharField(max_length=128)
    public_key = models.CharField(max_length=64)

    class Meta:
        ordering = ["sequence"]

    def __str__(self) -> str:
        return f"checkpoint at {self.sequence}"


class Signature(models.Model):
    """Who signed what, and what the signature means (approved, reviewed, released).

    Identified by signer, object and meaning; written by services when a person approves something.
    """

    signer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    object_type = models.CharField(max_length=60)
    object_id = models.CharField(max_length=100)
    object_digest = models.CharField(max_length=64)
    meaning = models.CharField(max_length=60)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # Signing the same state of the same thing twice with the same meaning says nothing new.
            models.UniqueConstraint(
                fields=["signer", "object_type", "object_id", "object_digest", "meaning"],
                name="signature_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.meaning} {self.object_type} {self.object_id}"
