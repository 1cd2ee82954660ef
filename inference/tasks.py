"""Doorbells of the inference app, and the sweep that rings again for what waits."""

from celery import current_app, shared_task
from django.db import transaction

from inference.loop import what_is_due


@shared_task(soft_time_limit=12 * 3600, time_limit=12 * 3600 + 60)
def run_task(run_pk: int) -> None:
    """Carry out a run of the pipeline."""
    # Here, so that the web process, which only rings the bell, never loads PyTorch.
    from inference.worker.running import run_pipeline

    run_pipeline(run_pk)


@shared_task(soft_time_limit=30, time_limit=60)
def sweep_task() -> None:
    """Ring for everything that is due."""
    for name, number in what_is_due():
        current_app.send_task(name, args=[number])


def ring(run_pk: int) -> None:
    """Ring for a run once its row is committed. A broker that is away loses nothing: the sweep rings again."""
    transaction.on_commit(lambda: run_task.delay(run_pk), robust=True)
