"""Statements asked together on PostgreSQL: in order, with plans that are kept, and all or none of them."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from audit.models import Checkpoint
from audit.statements import Bound, Insertion, Statement, ask_all
from labeling.models import Study
from labeling.services.queue import one_at_a_time

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="needs a PostgreSQL server: tests/postgres/run.py"),
    pytest.mark.django_db,
]

ALL = Statement(lambda first: Checkpoint.objects.filter(sequence__gte=first).values_list("sequence"), first=int)
ADDED = Insertion(Checkpoint)


def checkpoint(number: int) -> Checkpoint:
    return Checkpoint(sequence=number, head_hash="a" * 64, signature="", public_key="")


def test_each_sees_what_those_before_it_wrote_and_all_go_in_one_message() -> None:
    ask_all(ALL.of(first=0), ADDED.of(checkpoint(1)))
    with CaptureQueriesContext(connection) as asked:
        before, _, after = ask_all(ALL.of(first=2), ADDED.of(checkpoint(2)), ALL.of(first=2))
    assert (before, after) == ([], [(2,)])
    assert len(asked) == 1


def test_a_plan_outlives_the_transaction_that_was_rolled_back() -> None:
    fresh = Statement(lambda name: Checkpoint.objects.filter(public_key=name).values_list("sequence"), name=str)
    with pytest.raises(IntegrityError), transaction.atomic():
        ask_all(fresh.of(name=""), ADDED.of(checkpoint(3)), ADDED.of(checkpoint(3)))
    assert fresh.ask(name="") == []


def test_values_are_values_and_never_sql() -> None:
    ask_all(ADDED.of(checkpoint(4)))
    named = Statement(lambda name: Checkpoint.objects.filter(head_hash=name).values_list("sequence"), name=str)
    hostile = ["'; DROP TABLE audit_checkpoint; --", "%s", "%(x)s", "\\", "a; b", "$1"]
    assert [named.ask(name=text) for text in hostile] == [[]] * len(hostile)
    assert ask_all(*(Bound("SELECT %s", [text]) for text in hostile)) == [[(text,)] for text in hostile]
    assert ALL.ask(first=4) == [(4,)]


def test_behind_a_pooler_nothing_is_planned_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "DISABLE_SERVER_SIDE_CURSORS", True)
    odd = Statement(lambda first: Checkpoint.objects.filter(sequence=first).values_list("head_hash"), first=int)
    with CaptureQueriesContext(connection) as asked:
        odd.ask(first=9)
    assert len(asked) == 1 and "EXECUTE" not in asked.captured_queries[0]["sql"]


SETTING = "SELECT current_setting('synchronous_commit')"


@pytest.mark.django_db(transaction=True)
def test_what_must_last_waits_for_the_disk_and_leases_do_not() -> None:
    study = Study.objects.create(name="nuclei", question="Which?")
    ask_all(Bound("SELECT set_config('synchronous_commit', 'local', false)"))
    for lasts, wanted in ((True, "local"), (False, "off"), (True, "local")):
        with one_at_a_time(study, Bound(SETTING), lasts=lasts) as (told,):
            assert told == [(wanted,)]
