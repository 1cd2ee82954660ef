"""Doorbells of the training app."""

from celery import shared_task


@shared_task(queue="long", soft_time_limit=4 * 3600, time_limit=4 * 3600 + 60)
def train_task(run_pk: int) -> None:
    """Carry out a training run."""
    # Here, so that the web process, which only rings the bell, never loads PyTorch.
    from training.worker.fitting import train

    train(run_pk)
