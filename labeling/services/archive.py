"""Puts a study away and back: nothing of it is deleted, nothing of it is asked meanwhile."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from audit import services as audit
from labeling.models import Study
from labeling.services.queue import lock, release

ARCHIVED = "This study is archived: nothing is asked any more. Its leads can restore it."


def archive_study(study: Study, lead: Any) -> bool:
    """Hand out no more crops of the study and rank it no more; returns whether that is new.

    Crops that readers hold go back. An answer that was given before and is still on its way is kept.
    """
    with transaction.atomic():
        lock(study)
        study.refresh_from_db()
        if study.archived_at is not None:
            return False
        study.archived_at = timezone.now()
        study.save(update_fields=["archived_at"])
        for reader in get_user_model().objects.filter(pk__in=study.leases.values("user")):
            release(study, reader)
        audit.record("study.archived", study, actor=audit.actor_of(lead), detail={})
    return True


def restore_study(study: Study, lead: Any) -> bool:
    """Ask about the study's crops again, from where it was; returns whether that is new."""
    with transaction.atomic():
        lock(study)
        study.refresh_from_db()
        if study.archived_at is None:
            return False
        detail = {"archived_at": study.archived_at.isoformat()}
        study.archived_at = None
        study.save(update_fields=["archived_at"])
        audit.record("study.restored", study, actor=audit.actor_of(lead), detail=detail)
    return True
