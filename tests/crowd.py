"""Many readers at the same moment, each on a connection of their own; what they left in the rows is counted.

python -m tests.crowd: on a SQLite file in a folder of its own; prints the counts as JSON.
"""

import json
import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any

READERS = 20
CROPS = 500


def crowd(folder: Path, reads_per_crop: int) -> dict[str, Any]:
    """What is in the rows after 20 readers have answered until nothing was left for any of them.

    `reads`: how many crops were read how often; `mostly_by`: the largest number of reads of a crop by one reader;
    `lost`: answers that a reader gave and that do not stand; `events`: events of answers; `chain`: problems of the
    audit trail; `leases`: leases that are left.
    """
    from audit import services as audit
    from audit.chain.verify import verify
    from audit.models import AuditEvent
    from labeling.models import Annotation, Lease
    from tests.factories import add_reader, crops_of, fill_queue, make_experiment, make_study, make_user

    experiment = make_experiment(folder, "crowded", crops=CROPS)
    study = make_study(make_user("lead"), experiment, reads_per_crop=reads_per_crop)
    study.adjudicates = False
    study.save()
    fill_queue(study, crops_of(experiment))
    people = [add_reader(study, f"reader {number}") for number in range(READERS)]
    barrier, done = Barrier(READERS), Event()
    with ThreadPoolExecutor(READERS + 1) as pool:
        ranking = pool.submit(_rank_again, study, done)
        try:
            answered = list(pool.map(lambda user: _read_all(study, user, barrier), people))
        finally:
            done.set()
        ranking.result()
    given = [pair for pairs in answered for pair in pairs]
    standing = Annotation.objects.current().filter(study=study)
    stored = set(standing.values_list("annotator_id", "crop_id"))
    reads = Counter(standing.values_list("crop_id", flat=True))
    return {
        "reads": dict(Counter(reads.values())),
        "mostly_by": max(Counter(standing.values_list("annotator_id", "crop_id")).values()),
        "lost": len(set(given) - stored) + len(given) - len(set(given)),
        "rows": Annotation.objects.filter(study=study).count(),
        "events": AuditEvent.objects.filter(action="answer.label").count(),
        "chain": len(verify(audit.chain())),
        "leases": Lease.objects.filter(study=study).count(),
    }


def _rank_again(study: Any, done: Event) -> None:
    """What the ranking worker does meanwhile: puts a queue without what was read often enough in place of the old."""
    from django.db import connection

    from labeling.models import Annotation
    from tests.factories import crops_of, fill_queue

    crops = crops_of(study.experiments.get())
    try:
        while not done.wait(0.5):
            reads = Counter(Annotation.objects.current().filter(study=study).values_list("crop_id", flat=True))
            fill_queue(study, [crop for crop in crops if reads[crop.pk] < study.reads_per_crop])
    finally:
        connection.close()


def _read_all(study: Any, user: Any, barrier: Barrier) -> list[tuple[int, int]]:
    """What the reader answered, as (reader, crop)."""
    from django.db import connection

    from labeling.services.queue import next_crops
    from tests.factories import answer

    given = []
    try:
        barrier.wait(timeout=60)
        while offered := next_crops(study, user, 3):
            answer(study, user, offered[0].crop_id, ("disc", "ring")[offered[0].crop_id % 2])
            given.append((user.pk, offered[0].crop_id))
    finally:
        connection.close()
    return given


def main() -> int:
    """Run the crowd at one and at two reads for each crop; returns the exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.testing")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    assert connection.vendor == "sqlite" and "memory" not in str(connection.settings_dict["NAME"])
    with tempfile.TemporaryDirectory() as folder:
        call_command("migrate", verbosity=0)
        print(json.dumps(crowd(Path(folder), int(sys.argv[1]))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
