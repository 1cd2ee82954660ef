"""Doorbells of the audit app."""

from celery import shared_task

from audit.services import write_checkpoint


@shared_task(soft_time_limit=30, time_limit=60)
def checkpoint_task() -> None:
    """Sign the head of the chain."""
    write_checkpoint()
