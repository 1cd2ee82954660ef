"""From an answer to the queue that knows it, through the running site: web server, database, ranking worker.

Two studies stand side by side, over 10,000 and 100,000 computed crops with 384 columns each.
"""

import http.client
import json
import secrets
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.computed_study import Made, make_study
from benchmarks.measure import percentile
from benchmarks.room_site import make_reader, processes, set_up_django, wait_for
from benchmarks.rows import Beside, Row

WARM_UP, ANSWERS = 10, 60
RANKED_WITHIN_S, ANSWER_WITHIN_S = 600.0, 60.0
LOOK_EVERY_S = 0.002
IDLE_S = 5.0
TOKEN = "a" * 32
TICKS_PER_S = 100
MIB = 2**20


def measure() -> list[Row]:
    """Seconds until the queue knows an answer, the worker's share of them, and what the worker takes while idle."""
    with tempfile.TemporaryDirectory(prefix="parfocal-bench-") as folder:
        set_up_django(folder)
        reader = make_reader(secrets.token_urlsafe(9))
        made = [make_study(count, [reader]) for count in (10_000, 100_000)]
        with processes(folder) as (address, _, worker):
            link = http.client.HTTPConnection(address.removeprefix("http://"))
            wait_for(lambda: all(_is_ranked(one.study) for one in made), RANKED_WITHIN_S)
            rows = [row for one in made for row in _rows(one, link, reader, worker)]
            before = _cpu_s(worker)
            time.sleep(IDLE_S)
            idle = (_cpu_s(worker) - before) / IDLE_S
            return [
                *rows,
                Row("idle_worker_share_of_a_core", 100 * idle, "%", "<= 10"),
                Row("worker_memory_beyond_maps", _private_mib(worker), "MiB", "<= 300"),
            ]


def _rows(made: Made, link: http.client.HTTPConnection, reader: Any, worker: int) -> list[Row]:
    from training.models import Ranking

    name = f"{len(made.truth) // 1000}k"
    times = list(_times(made, link, reader, WARM_UP))
    started = _cpu_s(worker)
    times = list(_times(made, link, reader, ANSWERS))
    cpu = (_cpu_s(worker) - started) / ANSWERS
    ranking = list(Ranking.objects.filter(study=made.study).values_list("seconds", flat=True)[:ANSWERS])
    inside = Beside("ranking itself, in the worker", percentile(ranking, 95))
    return [
        Row(f"{name}_p50", percentile(times, 50), "s", "<= 0.2", Beside(inside.what, percentile(ranking, 50))),
        Row(f"{name}_p95", percentile(times, 95), "s", "<= 0.2", inside),
        Row(f"{name}_worker_cpu_per_answer", cpu, "CPU-s", "<= 0.2"),
    ]


def _times(made: Made, link: http.client.HTTPConnection, reader: Any, answers: int) -> Iterator[float]:
    """Seconds from sending each answer to the first look that finds a queue made with it."""
    from labeling.models import Ranked

    headers = {"Cookie": f"sessionid={session_of(reader)}; csrftoken={TOKEN}", "X-CSRFToken": TOKEN}
    url = f"/api/v1/studies/{made.study.pk}"
    crops = ask(link, ("GET", f"{url}/next/", None), headers)["crops"]
    for _ in range(answers):
        body = json.dumps(new_answer(crops[0]["id"], made.truth))
        started = time.perf_counter()
        crops = ask(link, ("POST", f"{url}/answers/", body), headers)["next"]["crops"]
        newest = _newest(made.study)
        while not Ranked.objects.filter(study=made.study, last_annotation__gte=newest).exists():
            if time.perf_counter() - started > ANSWER_WITHIN_S:
                raise TimeoutError("the ranking worker did not see the answer")
            time.sleep(LOOK_EVERY_S)
        yield time.perf_counter() - started


def _newest(study: Any) -> int:
    from training.services.labels import newest_annotation

    return newest_annotation(study)


def _is_ranked(study: Any) -> bool:
    from labeling.models import Ranked

    return bool(Ranked.objects.filter(study=study).exists())


def new_answer(crop: int, truth: dict[int, int]) -> dict[str, Any]:
    """A truthful answer to the crop, given now."""
    now = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}Z"
    given = {"client_id": str(uuid.uuid4()), "crop": crop, "answer": "label", "classes": [f"class {truth[crop]}"]}
    return given | {"shown_at": now, "answered_at": now}


def ask(link: http.client.HTTPConnection, request: tuple[str, str, str | None], headers: dict[str, str]) -> Any:
    """What the server answers; ConnectionError with its words where it refuses."""
    link.request(*request, headers | {"Content-Type": "application/json"})
    reply = link.getresponse()
    content = reply.read()
    if reply.status not in (200, 201):
        raise ConnectionError(f"{request[1]} answered {reply.status}: {content[:300]!r}")
    return json.loads(content)


def session_of(reader: Any) -> str:
    """The key of a session in which the reader is logged in."""
    from django.test import Client

    client = Client(SERVER_NAME="localhost")
    client.force_login(reader, "django.contrib.auth.backends.ModelBackend")
    return str(client.cookies["sessionid"].value)


def _cpu_s(process: int) -> float:
    """CPU seconds so far of all threads of a process."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _private_mib(process: int) -> float:
    """Memory of a process that no file stands behind."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon")).split()[1]) * 1024 / MIB
