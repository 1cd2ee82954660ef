"""Readers who are left out: their answers stay and are shown, and count for nothing until they are put back."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from audit import services as audit
from labeling.models import Annotation, ReaderExclusion, Study
from labeling.services.queue import lock, release
from labeling.services.reader_study.guard import refuse_reader_change
from labeling.services.refusals import StudyRefused

LONGEST_REASON = 500
NO_REASON = "Say why: the reason is kept with the reader, and shown to whoever looks at the next model."


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A reader who is left out now, since when, and how many standing reads of theirs count for nothing."""

    user: int
    name: str
    since: datetime
    reason: str
    answers: int


def exclude(study: Study, user: Any, by: Any, reason: str) -> bool:
    """Leave the reader's answers out of everything that answers add up to; False where they are left out already.

    Their answers and their membership stay; what they hold is given back. StudyRefused without a reason, and for
    somebody who never answered in the study.
    """
    reason = _checked(reason)
    if not Annotation.objects.filter(study=study, annotator=user).exists():
        raise StudyRefused(f"{user.get_username()} has given no answer in this study: there is nothing to leave out.")
    with transaction.atomic():
        lock(study)
        if exclusion_of(study, user) is not None:
            return False
        refuse_reader_change(study, user)
        row = ReaderExclusion.objects.create(study=study, user=user, by=by, reason=reason)
        release(study, user)
        _write_event("reader.excluded", row, by, reason)
    return True


def put_back(study: Study, user: Any, by: Any, reason: str) -> bool:
    """Let the reader's answers count again, all as they are; False where they were not left out."""
    reason = _checked(reason)
    with transaction.atomic():
        lock(study)
        row = exclusion_of(study, user)
        if row is None:
            return False
        row.lifted_by, row.lifted_at, row.lifted_reason = by, timezone.now(), reason
        row.save(update_fields=["lifted_by", "lifted_at", "lifted_reason"])
        _write_event("reader.put_back", row, by, reason)
    return True


def exclusion_of(study: Study, user: Any) -> ReaderExclusion | None:
    """The row by which the user is left out now, None where they count."""
    return ReaderExclusion.objects.filter(study=study, user=user, lifted_at__isnull=True).first()


def excluded_readers(study: Study) -> list[LeftOut]:
    """Who is left out now, in order of name."""
    rows = ReaderExclusion.objects.filter(study=study, lifted_at__isnull=True).select_related("user")
    reads = Annotation.objects.reads().filter(study=study, annotator__in=[row.user_id for row in rows])
    counts = dict(reads.order_by().values_list("annotator").annotate(number=Count("id")))
    found = [LeftOut(row.user_id, row.user.username, row.at, row.reason, counts.get(row.user_id, 0)) for row in rows]
    return sorted(found, key=lambda row: row.name)


def exclusion_changes(study: Study) -> tuple[int, int]:
    """How often somebody was left out and put back: whatever is kept of a study's answers depends on it."""
    rows = ReaderExclusion.objects.filter(study=study).aggregate(out=Count("id"), back=Count("lifted_at"))
    return rows["out"], rows["back"]


def reader_named(study: Study, name_or_number: str) -> Any:
    """The person of this name or number who has answered in the study; StudyRefused lists who has."""
    people = get_user_model().objects.filter(annotations__study=study).distinct()
    found = people.filter(username=name_or_number).first()
    if found is None and name_or_number.isascii() and name_or_number.isdigit():
        found = people.filter(pk=int(name_or_number[:18])).first()
    if found is None:
        known = ", ".join(people.order_by("username").values_list("username", flat=True)[:10]) or "nobody yet"
        raise StudyRefused(f"'{name_or_number}' has given no answer in '{study}'. Who has: {known}.")
    return found


def _checked(reason: str) -> str:
    kept = reason.replace("\0", "").strip()[:LONGEST_REASON]
    if not kept:
        raise StudyRefused(NO_REASON)
    return kept


def _write_event(action: str, row: ReaderExclusion, by: Any, reason: str) -> None:
    detail = {"study": row.study_id, "reader": row.user_id}
    audit.record(action, row, actor=audit.actor_of(by), detail=detail, reason=reason)
