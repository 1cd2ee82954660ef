"""The queue as rows: how a new ranking takes the place of the old one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from audit.statements import Rows, Statement, columns, records
from labeling.models import Annotation, Lease, QueueEntry, Ranked, RequestedCrop, Study
from labeling.services.reads import awaiting_reads

SHARED_COLUMNS = "study_id, ranking, ranked_at"
# Each with its type on PostgreSQL.
OWN_COLUMNS = {
    "crop_id": "bigint", "rank": "integer", "score": "float8",
    "why": "text", "probability": "float8", "expected_not_sure": "float8",
}  # fmt: skip
INSERT = f"INSERT INTO {QueueEntry._meta.db_table} ({SHARED_COLUMNS}, {', '.join(OWN_COLUMNS)})"


@dataclass(frozen=True, slots=True)
class NewEntry:
    """A queue entry as the ranking worker hands it in; a higher score means: ask a person first.

    `expected_not_sure`: probability that a reader answers "not sure", None where nothing can be said.
    """

    crop_id: int
    score: float
    why: str
    probability: float | None
    expected_not_sure: float | None = None


@dataclass(frozen=True, slots=True)
class RankingInfo:
    """Which state made a ranking, over how many crops, up to which answer.

    `encoder` is the digest of the encoder that ranked, `encoder_name` its name and `note` why it is another one than
    the study's. `answers`: how many answered crops it knew. `expected_not_sure`: share of the queue that will
    probably be answered "not sure", in [0, 1], None where nothing can be said. `seconds`: how long ranking took.
    """

    digest: str
    strategy: str
    encoder: str
    pool_size: int
    last_annotation: int
    encoder_name: str = ""
    note: str = ""
    expected_not_sure: float | None = None
    seconds: float | None = None
    answers: int = 0


def replace_queue(study: Study, entries: Sequence[NewEntry], info: RankingInfo) -> None:
    """Put a new ranking in place of the old one, in one short transaction; see `_still_open`."""
    now = timezone.now()
    rows = [
        (row.crop_id, rank, row.score, row.why, row.probability, row.expected_not_sure)
        for rank, row in enumerate(_still_open(study, entries, info.last_annotation))
    ]
    with transaction.atomic():
        QueueEntry.objects.filter(study=study).delete()
        _insert_entries((study.pk, info.digest, connection.ops.adapt_datetimefield_value(now)), rows)
        Ranked.objects.update_or_create(
            study=study,
            defaults=asdict(info) | {"ranked_at": now},
        )


def _still_open(study: Study, entries: Sequence[NewEntry], last_annotation: int) -> list[NewEntry]:
    """Without crops that were read as often as they need while they were ranked: all readers would look past them."""
    answered = Annotation.objects.filter(study=study, id__gt=last_annotation).values_list("crop_id", "crop__key")
    keys = dict(answered)
    done = keys.keys() - awaiting_reads(study, keys) if keys else set()
    return [row for row in entries if row.crop_id not in done]


def _insert_entries(shared: tuple[Any, ...], rows: list[tuple[Any, ...]]) -> None:
    # Plain SQL: bulk_create takes four times as long for a thousand rows, and every answer that comes meanwhile
    # waits for this transaction, or for the cores. In one statement PostgreSQL takes half as long as in a thousand.
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            lists = ", ".join(f"%s::{kind}[]" for kind in OWN_COLUMNS.values())
            sql = f"{INSERT} SELECT %s, %s, %s::timestamptz, * FROM unnest({lists})"
            cursor.execute(sql, [*shared, *([row[at] for row in rows] for at in range(len(OWN_COLUMNS)))])
        else:
            places = ", ".join(["%s"] * (len(shared) + len(OWN_COLUMNS)))
            cursor.executemany(f"{INSERT} VALUES ({places})", [(*shared, *row) for row in rows])


def forget_outside(study: Study) -> None:
    """Drop leases, wishes and queue entries of crops whose experiment the study no longer holds.

    Such a crop would be handed out again and again, and every answer to it refused.
    """
    inside = study.experiments.values("pk")
    for rows in (Lease.objects, RequestedCrop.objects, QueueEntry.objects):
        rows.filter(study=study).exclude(crop__image__sample__experiment__in=inside).delete()
    RequestedCrop.objects.filter(study=study).exclude(like__image__sample__experiment__in=inside).delete()


def _ranked(study: int) -> QuerySet[Ranked, Any]:
    newer = Annotation.objects.filter(study=study, id__gt=OuterRef("last_annotation")).order_by().values("study")
    count = Subquery(newer.annotate(number=Count("id")).values("number"))
    return Ranked.objects.filter(study=study).values_list(*columns(Ranked), Coalesce(count, 0))


RANKED = Statement(_ranked, study=int)


def newest_ranking(rows: Rows) -> tuple[Ranked, int] | None:
    """What RANKED found: the newest ranking of the study and how many answers it does not know yet."""
    if not rows:
        return None
    *ranked, newer = rows[0]
    return records(Ranked, [tuple(ranked)])[0], newer
