"""Reports of the random stream: when one is due, which one counts, and how many answers are newer."""

from collections.abc import Iterable
from statistics import median
from typing import Any

from django.db import transaction
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from audit import services as audit
from labeling.models import Annotation, ReaderExclusion, Study
from labeling.services.access import current_studies
from labeling.services.queue import lock
from labeling.services.reads import STREAM
from training.models import FINAL, Status, StreamReport
from training.services.labels import newest_annotation
from training.services.work import bury_the_silent

# Fewer new reads than this change no figure by much: the next report waits for them.
DUE_AFTER = 20
NEWEST = 2000
FEWEST_TIMED = 20
INTERRUPTED_S = 600.0


def newest_report(study: Study) -> StreamReport | None:
    """The study's newest report that is done."""
    return StreamReport.objects.filter(study=study, status=Status.DONE).first()


def latest_try(study: Study) -> StreamReport | None:
    """The study's newest report in whatever state, to show what waits, works or failed."""
    return StreamReport.objects.filter(study=study).first()


def request_report(study: Study, user: Any = None) -> StreamReport:
    """The report that waits or is being computed; a new one where there is none. May be called twice."""
    with transaction.atomic():
        lock(study)
        pending = StreamReport.objects.filter(study=study).exclude(status__in=FINAL).first()
        if pending is not None:
            return pending
        report = StreamReport.objects.create(study=study, requested_by=user, last_annotation=newest_annotation(study))
        audit.record("streamreport.requested", report, actor=audit.actor_of(user), detail={"study": study.pk})
    return report


def newer_reads(study: Study, report: StreamReport) -> int:
    """Number of standing reads of the random stream that the report does not know."""
    newer = Annotation.objects.reads().included().filter(study=study, why_asked=STREAM, id__gt=report.last_annotation)
    return newer.count()


def reading_pace(study: Study) -> tuple[float | None, int]:
    """Median seconds from showing a crop to its answer, and over how many answers; None below twenty.

    Of the newest answers; one that took ten minutes or more was interrupted and does not count.
    """
    timed = Annotation.objects.current().filter(study=study, shown_at__isnull=False).order_by("-id")
    pairs = timed.values_list("shown_at", "answered_at")[:NEWEST]
    seconds = [(answered - shown).total_seconds() for shown, answered in pairs]
    kept = [value for value in seconds if 0 < value < INTERRUPTED_S]
    return (median(kept) if len(kept) >= FEWEST_TIMED else None), len(kept)


def reports_due() -> list[int]:
    """Numbers of the reports that wait for a worker, after asking for those that are due: by enough new reads, or by
    a reader who was left out or put back.

    A report that failed or was refused is tried again only when as many reads have come since.
    """
    changed = {*_studies_with_news(), *_studies_with_other_readers()}
    for study in current_studies(Study.objects.filter(pk__in=changed)):
        request_report(study)
    return bury_the_silent(StreamReport)


def _studies_with_other_readers() -> Iterable[int]:
    """Studies whose newest try counts a reader who was left out since, or lacks one who was put back."""
    newest = StreamReport.objects.filter(study=OuterRef("study")).order_by("-id").values("created_at")[:1]
    changes = ReaderExclusion.objects.annotate(tried=Subquery(newest))
    moved = changes.filter(Q(at__gt=F("tried")) | Q(lifted_at__gt=F("tried")))
    return list(moved.order_by().values_list("study", flat=True).distinct())


def _studies_with_news() -> Iterable[int]:
    known = StreamReport.objects.filter(study=OuterRef("study")).order_by("-id").values("last_annotation")[:1]
    reads = Annotation.objects.filter(why_asked=STREAM).annotate(known=Coalesce(Subquery(known), 0))
    counts = reads.filter(id__gt=F("known")).order_by().values("study").annotate(new=Count("id"))
    return list(counts.filter(new__gte=DUE_AFTER).values_list("study", flat=True))
