"""Computing embeddings as long work: what is due, what is tried again and when, and the end on request."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit import services as audit
from imaging.models import Crop
from labeling.models import Study
from labeling.services.access import current_studies
from training.models import EmbeddingJob, Status
from training.services.embedding import AT_ONCE, lacking_sets, standing_sets
from training.services.work import bury_the_silent, request_cancel

# What could not be done is tried again after a minute, then two, four, ... up to six hours.
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)


def studies_without_embeddings() -> list[int]:
    """Numbers of the studies for which a worker can compute embeddings now, where none is at it."""
    bury_the_silent(EmbeddingJob)
    due = []
    for study in current_studies(Study.objects.exclude(encoder=AT_ONCE)):
        jobs = due_jobs(study)
        if jobs and not any(job.status == Status.RUNNING for job in jobs):
            due.append(study.pk)
    return due


def due_jobs(study: Study) -> list[EmbeddingJob]:
    """The work that a study's encoder still needs and that runs or may begin now, by name of experiment."""
    experiments = list(study.experiments.order_by("name"))
    lacking = lacking_sets(experiments, standing_sets(experiments, study.encoder))
    found = []
    for experiment in lacking:
        job, is_new = EmbeddingJob.objects.get_or_create(experiment=experiment, encoder_name=study.encoder)
        if is_new:
            job.crops = Crop.objects.filter(image__sample__experiment=experiment).count()
            EmbeddingJob.objects.filter(pk=job.pk).update(crops=job.crops)
        if job.is_final and job.status != Status.CANCELLED and timezone.now() >= next_try(job):
            _queue_again(job, attempts=0 if job.status == Status.DONE else job.attempts)
        if not job.is_final:
            found.append(job)
    return found


def next_try(job: EmbeddingJob) -> datetime:
    """When work that ended may begin again: at once where it was done, else after a wait that grows."""
    ended = job.finished_at or job.created_at
    if job.status == Status.DONE:
        return ended
    doublings = min(max(job.attempts - 1, 0), 20)
    return ended + min(FIRST_WAIT * 2**doublings, LONGEST_WAIT)


def put_back(job: EmbeddingJob) -> None:
    """Let another worker go on with work that ran out of time; what is finished stays."""
    EmbeddingJob.objects.filter(pk=job.pk, status=Status.RUNNING, claim_token=job.claim_token).update(
        status=Status.QUEUED, stage="waiting to go on", attempts=0
    )


def embed_again(study: Study, user: Any) -> None:
    """Try again at once what was refused, failed or stopped."""
    jobs = EmbeddingJob.objects.filter(experiment__studies=study, encoder_name=study.encoder)
    with transaction.atomic():
        for job in jobs.filter(status__in=(Status.REFUSED, Status.FAILED, Status.CANCELLED)):
            _queue_again(job, attempts=0)
        audit.record("embedding.asked_again", study, actor=audit.actor_of(user), detail={"encoder": study.encoder})


def stop_embedding(study: Study, user: Any) -> None:
    """Ask for the end of computing a study's embeddings; it stays ended until somebody asks for it again."""
    for job in EmbeddingJob.objects.filter(experiment__studies=study, encoder_name=study.encoder):
        request_cancel(job, user)


def _queue_again(job: EmbeddingJob, attempts: int) -> None:
    job.status = Status.QUEUED
    EmbeddingJob.objects.filter(pk=job.pk, status__in=(Status.DONE, *_ENDED)).update(
        status=Status.QUEUED, attempts=attempts, cancel_requested=False, finished_at=None, problem=""
    )


_ENDED = (Status.REFUSED, Status.FAILED, Status.CANCELLED)
