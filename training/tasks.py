"""Doorbells of the training app."""

from celery import shared_task
from django.db import transaction


@shared_task(soft_time_limit=4 * 3600, time_limit=4 * 3600 + 60)
def train_task(run_pk: int) -> None:
    """Carry out a training run."""
    # Here, so that the web process, which only rings the bell, never loads PyTorch.
    from training.worker.fitting import train

    train(run_pk)


@shared_task(soft_time_limit=4 * 3600, time_limit=4 * 3600 + 60)
def embed_task(study_pk: int) -> None:
    """Compute the embeddings that a study lacks."""
    from training.worker.embedding import embed_study

    embed_study(study_pk)


@shared_task(soft_time_limit=1800, time_limit=1860)
def stream_task(report_pk: int) -> None:
    """Compute the report of a study's random stream."""
    from training.worker.stream import make_report

    make_report(report_pk)


@shared_task(soft_time_limit=3600, time_limit=3660)
def map_task(map_pk: int) -> None:
    """Lay out a map of a study's embeddings."""
    from training.worker.embedding_map import make_map

    make_map(map_pk)


def ring_for_map(map_pk: int) -> None:
    """Ring for a map once its row is committed."""
    transaction.on_commit(lambda: map_task.delay(map_pk), robust=True)


def ring_for_embedding(study_pk: int) -> None:
    """Ring for the embeddings of a study once what asks for them is committed."""
    transaction.on_commit(lambda: embed_task.delay(study_pk), robust=True)


def ring_for_stream(report_pk: int) -> None:
    """Ring for a report of the random stream once its row is committed."""
    transaction.on_commit(lambda: stream_task.delay(report_pk), robust=True)


def ring(run_pk: int) -> None:
    """Ring for a run once its row is committed. A broker that is away loses nothing: the sweep rings again."""
    # No partial: Django names a callback that failed, and a partial has no name.
    transaction.on_commit(lambda: train_task.delay(run_pk), robust=True)
