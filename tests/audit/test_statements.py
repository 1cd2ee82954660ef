"""Statements that are composed once answer as the queries that they are made from."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent, Checkpoint
from audit.statements import Insertion, Statement

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)


def checkpoints(count: int) -> None:
    Checkpoint.objects.bulk_create(
        Checkpoint(sequence=n, head_hash="ab"[n % 2] * 64, at=NOW + timedelta(days=n), signature="", public_key="")
        for n in range(1, count + 1)
    )


def since(first, after, digest):  # type: ignore[no-untyped-def]
    rows = Checkpoint.objects.filter(Q(sequence__gte=first), at__gt=after).exclude(head_hash=digest)
    return rows.order_by("sequence").values_list("sequence", "at", "head_hash")


SINCE = Statement(since, first=int, after=datetime, digest=str)
AMONG = Statement(
    lambda numbers: Checkpoint.objects.filter(sequence__in=numbers).order_by("-at").values_list("sequence"),
    numbers=list,
)


@pytest.mark.parametrize("first", [1, 4, 99])
@pytest.mark.parametrize("digest", ["a" * 64, "b" * 64, "%s"])
def test_a_statement_gives_what_its_query_gives(first: int, digest: str) -> None:
    checkpoints(10)
    given = {"first": first, "after": NOW + timedelta(days=2), "digest": digest}
    assert SINCE.ask(**given) == list(since(**given))
    with CaptureQueriesContext(connection) as asked:
        SINCE.ask(**given)
    assert len(asked) == 1


@pytest.mark.parametrize("numbers", [[], [3], list(range(1, 17)), list(range(5, 40)), [2, 2, 2]])
def test_a_list_of_any_length_matches_its_numbers_once(numbers: list[int]) -> None:
    checkpoints(30)
    expected = Checkpoint.objects.filter(sequence__in=numbers).order_by("-at").values_list("sequence")
    assert AMONG.ask(numbers=numbers) == list(expected)


def test_a_row_is_inserted_with_the_defaults_of_its_table() -> None:
    before = timezone.now()
    row = Insertion(Checkpoint).add(Checkpoint(sequence=7, head_hash="c" * 64, signature="s", public_key="k"))
    stored = Checkpoint.objects.get(pk=row.pk)
    assert (stored.sequence, stored.head_hash, stored.at) == (7, "c" * 64, row.at) and stored.at >= before


def test_a_row_keeps_its_own_key_and_what_json_holds() -> None:
    detail = {"text": "a 'quoted' \u2026 <b>", "number": 1.5, "none": None}
    values = {"action": "x", "object_type": "y", "object_id": "1", "previous_hash": "0" * 64, "hash": uuid4().hex * 2}
    Insertion(AuditEvent).add(AuditEvent(sequence=3, at=NOW, actor="user:1", detail=detail, **values))
    row = AuditEvent.objects.get(sequence=3)
    assert (row.detail, row.at, row.reason) == (detail, NOW, "")


def test_a_statement_joins_tables_and_counts() -> None:
    people = get_user_model()
    for name in ("ann", "bob"):
        people.objects.create_user(name)
    named = Statement(
        lambda name: people.objects.filter(username=name).values_list("username", "is_active"), name=str
    )
    assert named.ask(name="bob") == [("bob", True)]
    assert named.ask(name="' OR 1=1 --") == []
