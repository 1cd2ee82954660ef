"""The Celery application: two queues (short, long) and what is done regularly.

Tasks are doorbells. The rows say what is to be done; the sweep rings again for what a lost message left waiting.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.development")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

app = Celery("parfocal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

app.conf.beat_schedule = {
    "sweep": {"task": "inference.tasks.sweep_task", "schedule": 30.0, "options": {"expires": 25}},
    "audit-checkpoint": {"task": "audit.tasks.checkpoint_task", "schedule": 3600.0, "options": {"expires": 3000}},
}
