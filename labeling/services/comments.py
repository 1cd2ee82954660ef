"""What people write about a crop, for each other to read."""

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from audit import services as audit
from imaging.models import Crop
from labeling.models import Annotation, Comment, Study
from labeling.services.access import is_lead
from labeling.services.reader_study.guard import results_are_open

LONGEST = 2000


class CommentRefused(ValueError):
    """The comment cannot be kept; the message says why."""


def add_comment(study: Study, user: Any, crop: Crop, text: str) -> Comment:
    """Keep the comment, with its event; CommentRefused for an empty one and for one that is too long."""
    words = text.strip()
    if not words:
        raise CommentRefused("An empty comment says nothing: write a word or close the sheet.")
    if len(words) > LONGEST:
        raise CommentRefused(f"A comment has at most {LONGEST} characters, this one has {len(words)}.")
    with transaction.atomic():
        comment = Comment.objects.create(study=study, crop=crop, author=user, text=words)
        detail = {"study": study.pk, "crop": crop.key, "comment": comment.pk}
        audit.record("crop.commented", comment, actor=audit.actor_of(user), detail=detail)
    return comment


def comments_on(study: Study, user: Any, crop: Crop) -> QuerySet[Comment]:
    """Comments on the crop that the user may read, oldest first: their own, and all once they have answered it.

    Before that a word of somebody else would be an opinion on what they are to judge. In a blind study annotators
    read their own only; leads read everything, and in a study of readers nobody does until it is done.
    """
    rows = Comment.objects.filter(study=study, crop=crop).select_related("author").order_by("id")
    if not results_are_open(study):
        return rows.filter(author=user)
    if not is_lead(user, study) and (study.is_blind or not _has_answered(study, user, crop)):
        rows = rows.filter(author=user)
    return rows


def comments_of(study: Study) -> QuerySet[Comment]:
    """Every comment of the study with its author and crop, newest first; for leads alone."""
    rows = Comment.objects.filter(study=study)
    return rows.select_related("author", "crop__image__sample__experiment").order_by("-id")


def _has_answered(study: Study, user: Any, crop: Crop) -> bool:
    """Whether an answer of the user to this crop alone stands."""
    return Annotation.objects.reads().filter(study=study, crop=crop, annotator=user, is_bulk=False).exists()
