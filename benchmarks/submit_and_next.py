"""One answer and the next crops over HTTP: 300 serial answers to a running site, against the same inserts in SQL."""

import http.client
import json
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import percentile
from benchmarks.room_site import Site, running_site
from benchmarks.rows import Beside, Row

ANSWERS, COUNTED = 300, 20
TOKEN = "a" * 32
TABLES = ("labeling_annotation", "labeling_annotationlabel", "audit_auditevent")
TICKS_PER_S = 100


def measure() -> list[Row]:
    """Wall times per answer, the web server's CPU time and queries per answer, and the slowest ranking behind it."""
    with running_site() as site:
        started = _cpu_ms(site.web_process)
        times = list(_answer_times(site))
        cpu = (_cpu_ms(site.web_process) - started) / len(times)
        floor = Beside("the same inserts in bare SQL", _bare_inserts_ms())
        return [
            Row("p50", percentile(times, 50), "ms", "<= 10", floor),
            Row("p95", percentile(times, 95), "ms", "<= 25", floor),
            Row("server_cpu_per_answer", cpu, "ms", "<= 12", floor),
            Row("queries_per_answer", _queries(site), "queries", "<= 30"),
            Row("ranking_behind_an_answer", max(_ranking_seconds()), "s", "<= 0.3"),
        ]


def _answer_times(site: Site) -> Iterator[float]:
    """Milliseconds of each answer; its reply names the next crops."""
    cookies = f"sessionid={_session(site)}; csrftoken={TOKEN}"
    headers = {"Cookie": cookies, "X-CSRFToken": TOKEN, "Content-Type": "application/json"}
    link = http.client.HTTPConnection(site.address.removeprefix("http://"))
    url = f"/api/v1/studies/{site.study}"
    reply = _ask(link, ("GET", f"{url}/next/", None), headers)
    for number in range(ANSWERS):
        body = json.dumps(_answer(reply["crops"][0]["id"], number))
        started = time.perf_counter()
        reply = _ask(link, ("POST", f"{url}/answers/", body), headers)["next"]
        yield 1000 * (time.perf_counter() - started)


def _ask(link: http.client.HTTPConnection, request: tuple[str, str, str | None], headers: dict[str, str]) -> Any:
    link.request(*request, headers)
    reply = link.getresponse()
    content = reply.read()
    if reply.status not in (200, 201):
        raise ConnectionError(f"{request[1]} answered {reply.status}: {content[:300]!r}")
    return json.loads(content)


def _answer(crop: int, number: int) -> dict[str, Any]:
    now = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}Z"
    classes = ["interphase" if number % 3 else "mitosis"]
    times = {"shown_at": now, "answered_at": now}
    return {"client_id": str(uuid.uuid4()), "crop": crop, "answer": "label", "classes": classes, **times}


def _session(site: Site) -> str:
    return str(_client(site).cookies["sessionid"].value)


def _client(site: Site) -> Any:
    from django.contrib.auth import get_user_model
    from django.test import Client

    client = Client(SERVER_NAME="localhost")
    client.force_login(get_user_model().objects.get(username=site.user), "django.contrib.auth.backends.ModelBackend")
    return client


def _queries(site: Site) -> float:
    """Mean number of queries of one answer, counted in this process."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client, url = _client(site), f"/api/v1/studies/{site.study}"
    crops = client.get(f"{url}/next/").json()["crops"]
    with CaptureQueriesContext(connection) as queries:
        for number in range(COUNTED):
            answer = _answer(crops[0]["id"], number)
            reply = client.post(f"{url}/answers/", answer, content_type="application/json")
            crops = reply.json()["next"]["crops"]
    return len(queries) / COUNTED


def _cpu_ms(group: int) -> float:
    """CPU milliseconds so far of all processes of a group."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12]) if int(fields[2]) == group else 0
    return 1000 * total / TICKS_PER_S


def _ranking_seconds() -> list[float]:
    """Seconds that the worker took for each ranking after an answer; the first one also embeds the pool."""
    from training.models import Ranking

    return [float(seconds) for seconds in Ranking.objects.filter(answers__gt=0).values_list("seconds", flat=True)]


def _bare_inserts_ms() -> float:
    """Median milliseconds of the inserts of one answer, one transaction each, in a copy of the database."""
    with _copy() as database:
        rows = {
            table: database.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()[-ANSWERS:] for table in TABLES
        }
        for table in reversed(TABLES):
            key = database.execute(f"SELECT * FROM {table}").description[0][0]
            database.execute(f"DELETE FROM {table} WHERE {key} >= ?", (rows[table][0][0],))
        return percentile([_insert(database, values) for values in zip(*(rows[table] for table in TABLES))], 50)


def _insert(database: sqlite3.Connection, values: tuple[Any, ...]) -> float:
    started = time.perf_counter()
    database.execute("BEGIN IMMEDIATE")
    for table, row in zip(TABLES, values):
        database.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)
    database.execute("COMMIT")
    return 1000 * (time.perf_counter() - started)


@contextmanager
def _copy() -> Iterator[sqlite3.Connection]:
    from django.conf import settings

    path = settings.DATA_FOLDER / "floor.sqlite3"
    with sqlite3.connect(settings.DATABASES["default"]["NAME"]) as source, sqlite3.connect(path) as target:
        source.backup(target)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    yield database
    database.close()
