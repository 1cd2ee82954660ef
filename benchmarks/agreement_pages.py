"""The pages of agreement over a study of 100,000 crops, from the kept report, and how long that takes to make."""

import tempfile
import time
from typing import Any

from benchmarks.agreement import reads
from benchmarks.measure import percentile
from benchmarks.room_site import set_up_django
from benchmarks.rows import Row

ITEMS, READERS, MISSING = 100_000, 3, 0.6
LOOKS = 15


def measure() -> list[Row]:
    """Milliseconds of each page, seconds of the report; some 120,000 answers."""
    with tempfile.TemporaryDirectory(prefix="parfocal-bench-") as folder:
        set_up_django(folder)
        from benchmarks.rater_study import study_of
        from labeling.worker.agreement import make_report

        study = study_of(reads(items=ITEMS, readers=READERS, missing=MISSING))
        started = time.process_time()
        make_report(study.pk)
        made = time.process_time() - started
        return [
            Row("overview", _page_ms(study, "labeling:overview"), "ms", "<= 300"),
            Row("agreement", _page_ms(study, "labeling:agreement"), "ms", "<= 300"),
            Row("report", made, "CPU-s"),
        ]


def _page_ms(study: Any, name: str) -> float:
    """Median milliseconds of the page as the study's lead gets it."""
    from django.contrib.auth import get_user_model
    from django.test import Client
    from django.urls import reverse

    client, address = Client(SERVER_NAME="localhost"), reverse(name, args=[study.pk])
    client.force_login(get_user_model().objects.get(username="lead"), "django.contrib.auth.backends.ModelBackend")
    return percentile([_look_ms(client, address) for _ in range(LOOKS)], 50)


def _look_ms(client: Any, address: str) -> float:
    started = time.perf_counter()
    reply = client.get(address)
    assert reply.status_code == 200, reply.content[:300]
    return 1000 * (time.perf_counter() - started)
