"""One site under load: `python -m benchmarks.load_run sqlite|postgresql CROPS` prints its rows as a line of JSON."""

import http.client
import json
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.answer_to_queue import TOKEN, ask, new_answer, session_of
from benchmarks.computed_study import Made, make_study
from benchmarks.measure import percentile
from benchmarks.room_site import is_ranked, processes, set_up_django, wait_for
from benchmarks.rows import Row

ANNOTATORS = 16
SERIAL_ANSWERS, WARM_UP, SECONDS = 200, 20, 20.0
RANKED_WITHIN_S = 900.0
THROUGHPUT = {"sqlite": ">= 50", "postgresql": ">= 100"}
TICKS_PER_S = 100


@dataclass(slots=True)
class Tally:
    """What one annotator met: milliseconds of each answer, and how often the server refused or had nothing."""

    times: list[float] = field(default_factory=list)
    errors: int = 0
    waits: int = 0


def main(database: str, size: int) -> None:
    """Measure one site and print its rows."""
    with tempfile.TemporaryDirectory(prefix="parfocal-bench-") as folder:
        set_up_django(folder)
        readers = [_make_reader(number) for number in range(ANNOTATORS)]
        made = make_study(size, readers)
        type(made.study).objects.filter(pk=made.study.pk).update(
            overlap_share=0.0, random_share=0.0, adjudicates=False
        )
        with processes(folder) as (address, web, _):
            wait_for(lambda: is_ranked(made.study), RANKED_WITHIN_S)
            rows = _rows(made, readers, address.removeprefix("http://"), web, database)
    print(json.dumps([asdict(row) for row in rows]))


def _rows(made: Made, readers: Sequence[Any], host: str, web: int, database: str) -> list[Row]:
    size = len(made.truth)
    name = f"{database}_{f'{size // 1_000_000}M' if size >= 1_000_000 else f'{size // 1000}k'}"
    alone = _serial(made, readers[0], host)
    spent, started = _cpu_ms(web), time.perf_counter()
    tallies = _together(made, readers, host)
    wall, cpu = time.perf_counter() - started, _cpu_ms(web) - spent
    times = [one for tally in tallies for one in tally.times]
    return [
        Row(f"{name}_alone_p50", percentile(alone, 50), "ms", "<= 10"),
        Row(f"{name}_alone_p95", percentile(alone, 95), "ms", "<= 25"),
        Row(f"{name}_{ANNOTATORS}_annotators", len(times) / wall, "answers per s", THROUGHPUT[database]),
        Row(f"{name}_{ANNOTATORS}_annotators_p95", percentile(times, 95), "ms", "<= 250"),
        Row(f"{name}_server_cpu_per_answer", cpu / len(times), "ms", "<= 12"),
        Row(f"{name}_served_twice", _served_twice(made), "crops", "<= 0"),
        Row(f"{name}_errors", sum(tally.errors for tally in tallies), "answers", "<= 0"),
        Row(f"{name}_web_memory", _resident_mib(web), "MiB", "<= 200"),
    ]


def _serial(made: Made, reader: Any, host: str) -> list[float]:
    tally = Tally()
    _read(made, reader, host, tally, lambda: len(tally.times) >= SERIAL_ANSWERS + WARM_UP)
    return tally.times[WARM_UP:]


def _together(made: Made, readers: Sequence[Any], host: str) -> list[Tally]:
    tallies = [Tally() for _ in readers]
    until = time.monotonic() + SECONDS
    with ThreadPoolExecutor(len(readers)) as crowd:
        for reader, tally in zip(readers, tallies, strict=True):
            crowd.submit(_read, made, reader, host, tally, lambda: time.monotonic() > until)
    return tallies


def _read(made: Made, reader: Any, host: str, tally: Tally, is_over: Callable[[], bool]) -> None:
    """Answer crop after crop without thinking, until it is over."""
    headers = {"Cookie": f"sessionid={session_of(reader)}; csrftoken={TOKEN}", "X-CSRFToken": TOKEN}
    link, url = http.client.HTTPConnection(host), f"/api/v1/studies/{made.study.pk}"
    crops = ask(link, ("GET", f"{url}/next/", None), headers)["crops"]
    while not is_over():
        if not crops:
            tally.waits += 1
            threading.Event().wait(0.02)
            crops = ask(link, ("GET", f"{url}/next/", None), headers)["crops"]
            continue
        started = time.perf_counter()
        try:
            body = json.dumps(new_answer(crops[0]["id"], made.truth))
            crops = ask(link, ("POST", f"{url}/answers/", body), headers)["next"]["crops"]
            tally.times.append(1000 * (time.perf_counter() - started))
        except ConnectionError as error:
            tally.errors += 1
            print(error, file=sys.stderr)
            crops = ask(link, ("GET", f"{url}/next/", None), headers)["crops"]


def _served_twice(made: Made) -> int:
    """Crops that two annotators answered, where one read was asked."""
    from django.db.models import Count

    from labeling.models import Annotation

    reads = (
        Annotation.objects.filter(study=made.study).values("crop").annotate(readers=Count("annotator", distinct=True))
    )
    return int(reads.filter(readers__gt=1).count())


def _make_reader(number: int) -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model().objects.create_user(f"reader {number}", password=secrets.token_urlsafe(9))


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


def _resident_mib(group: int) -> float:
    """Resident MiB of the largest process of a group."""
    found = [0.0]
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                found.append(int(fields[21]) * 4096 / 2**20)
        except OSError:
            continue
    return max(found)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
