"""Doorbells of the labeling app."""

from celery import shared_task
from django.db import transaction


@shared_task(soft_time_limit=600, time_limit=660)
def agreement_task(study_pk: int) -> None:
    """Compute the agreement report of a study."""
    # Here, so that the web process, which only rings the bell, never loads SciPy.
    from labeling.worker.agreement import make_report

    make_report(study_pk)


def ring_for_agreement(study_pk: int) -> None:
    """Ring for a study's agreement report. A broker that is away loses nothing: the sweep rings again."""
    transaction.on_commit(lambda: agreement_task.delay(study_pk), robust=True)
