"""Blind re-reads: crops that a reader answered long ago, shown to them again as if for the first time."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import BigIntegerField, Exists, ExpressionWrapper, F, OuterRef, Q
from django.utils import timezone

from labeling.models import Annotation, AnnotationQuerySet, Lease, SkippedCrop, Study
from labeling.services.progress import pool
from labeling.services.queueing.candidates import Candidate
from labeling.services.queueing.reader import Reader
from labeling.services.queueing.slots import drawn
from labeling.services.reads import NOT_SURE, RE_READ, Read

# The order of re-reads is that of crop number times a factor, modulo this prime: mixed, and always the same.
PRIME = 2_147_483_647
# For so long after its lease has ended an answer is still taken for the re-read that was asked, not for an edit.
REMEMBERED = timedelta(days=1)


def due_again(reader: Reader, skip: Collection[int], count: int, within: Q) -> list[Candidate]:
    """Up to `count` crops for the reader to read again, always in the same mixed order; `within`: of which crops.

    Only what they called a class or "not sure", one by one and in Parfocal; after the study's days or after so many
    other answers; each crop once, and none that they put aside.
    """
    if not count:
        return []
    own = _own_reads(reader).filter(
        old_enough(reader.study, reader.user, reader.now), crop__in=pool(reader.study).filter(within)
    )
    mixed = own.exclude(crop__in=skip).annotate(place=_mixed(reader))
    crops = mixed.order_by("place", "crop_id").values_list("crop_id", flat=True)[:count]
    return [Candidate(crop, RE_READ, None, "") for crop in crops]


def _own_reads(reader: Reader) -> AnnotationQuerySet:
    asked = {"study": reader.study, "annotator": reader.user, "crop": OuterRef("crop")}
    again = Annotation.objects.current().filter(**asked, is_reread=True)
    aside = SkippedCrop.objects.filter(
        study=reader.study, user=reader.user, crop=OuterRef("crop"), created_at__gt=OuterRef("received_at")
    )
    told = Annotation.objects.reads().filter(
        study=reader.study, annotator=reader.user, answer__in=[Annotation.Answer.LABEL, NOT_SURE], is_bulk=False
    )
    return told.exclude(source=Annotation.Source.IMPORT).filter(~Exists(again), ~Exists(aside))


def old_enough(study: Study, user: Any, now: datetime) -> Q:
    """Which answers of the user are old enough to be asked again: by the study's days, or by so many others since."""
    old = Q(received_at__lte=now - timedelta(days=study.reread_after_days))
    own = Annotation.objects.current().filter(study=study, annotator=user).order_by("-id")
    # The newest answer after which that many others were given.
    after = own.values_list("id", flat=True)[study.reread_after_items : study.reread_after_items + 1]
    for number in after:
        old |= Q(id__lte=number)
    return old


def _mixed(reader: Reader) -> ExpressionWrapper:
    factor = 1 + int(drawn(f"order:{reader.study.pk}:{reader.study.seed}:{reader.user.pk}") * (PRIME - 1))
    return ExpressionWrapper(F("crop_id") * factor % PRIME, output_field=BigIntegerField())


def is_forgotten(lease: Lease | None) -> bool:
    """Whether this is a re-read that was handed out so long ago that no answer to it is expected any more."""
    return lease is not None and lease.why == RE_READ and lease.expires_at < timezone.now() - REMEMBERED


def takes_the_place_of(
    study: Study, user: Any, crop_id: int, lease: Lease | None, first: Read | None, replaces: UUID | None = None
) -> tuple[int | None, bool]:
    """Which standing answer of the user a new one supersedes, and whether it is a re-read.

    `lease`: what the user holds of the crop, also when it has ended; `first`: their standing read of it. A crop that
    was handed out to be read again leaves the first read as it is, for as long as that is remembered; an edit
    supersedes the answer whose client id `replaces` is, the newest where it is that of none.
    """
    if first is None:
        return None, False
    if is_forgotten(lease):
        lease = None
    is_asked_again = lease is not None and lease.why == RE_READ
    if lease is not None and not is_asked_again:
        return first.number, False
    own = Annotation.objects.current().filter(study=study, annotator=user, crop=crop_id, is_reread=True)
    again = own.values_list("id", flat=True).first()
    if again is None and not is_asked_again:
        return first.number, False
    is_reread = _names_a_reread(study, user, crop_id, replaces)
    if is_reread is None:
        is_reread = is_asked_again or (again is not None and again > first.number)
    return (again, True) if is_reread else (first.number, False)


def _names_a_reread(study: Study, user: Any, crop_id: int, replaces: UUID | None) -> bool | None:
    """Whether the client id is that of a re-read of the crop by the user; None where it is that of none of theirs."""
    if replaces is None:
        return None
    own = Annotation.objects.filter(study=study, annotator=user, crop=crop_id, client_id=replaces)
    return own.values_list("is_reread", flat=True).first()
