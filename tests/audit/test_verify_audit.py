"""`verify_audit` finds every kind of damage and names the event where it begins."""

from pathlib import Path

import pytest
from django.db import connection, transaction

from audit import services
from audit.models import Checkpoint
from audit.tasks import checkpoint_task
from tests.commands import call
from tests.factories import make_user


@pytest.fixture
def trail(db: None, data_folder: Path) -> Path:
    """Six events, the first five under a signed checkpoint; the data folder."""
    user = make_user()
    with transaction.atomic():
        for count in range(5):
            services.record("user.seen", user, actor="process:test", detail={"count": count})
    checkpoint_task.delay()
    with transaction.atomic():
        services.record("user.seen", user, actor="process:test")
    return data_folder


def damage(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def found() -> tuple[int, set[tuple[str, int]]]:
    code, answer = call("verify_audit")
    assert answer["ok"] == (code == 0)
    return code, {(row["kind"], row["sequence"]) for row in answer["problems"]}


def test_an_untouched_trail_passes(trail: Path) -> None:
    assert call("verify_audit") == (0, {"ok": True, "events": 6, "checkpoints": 1, "problems": []})


def test_an_empty_trail_passes(db: None, data_folder: Path) -> None:
    assert found() == (0, set())


@pytest.mark.parametrize(
    "change",
    ["actor = 'user:99'", "action = 'user.hidden'", "object_id = '7'", "detail = '{}'", "reason = 'none'"],
)
def test_a_row_that_was_updated_is_named(trail: Path, change: str) -> None:
    damage(f"UPDATE audit_auditevent SET {change} WHERE sequence = 3")
    assert found() == (1, {("MODIFIED", 3)})


def test_a_row_that_was_deleted_is_named_by_the_one_after_it(trail: Path) -> None:
    damage("DELETE FROM audit_auditevent WHERE sequence = 3")
    assert found() == (1, {("GAP", 4), ("BROKEN_LINK", 4)})


def test_a_cut_tail_is_seen_by_the_checkpoint(trail: Path) -> None:
    damage("DELETE FROM audit_auditevent WHERE sequence >= 4")
    assert found() == (1, {("TRUNCATED", 4)})


def test_a_cut_tail_is_seen_even_when_the_table_of_checkpoints_was_emptied(trail: Path) -> None:
    damage("DELETE FROM audit_auditevent WHERE sequence >= 4")
    Checkpoint.objects.all().delete()
    assert found() == (1, {("TRUNCATED", 4)})


def test_a_chain_that_was_rewritten_as_a_whole_is_seen(trail: Path) -> None:
    damage("DELETE FROM audit_auditevent")
    user = make_user("mallory")
    with transaction.atomic():
        for _ in range(6):
            services.record("user.seen", user, actor="process:test")
    assert found() == (1, {("FORKED", 5)})


def test_a_checkpoint_that_somebody_else_signed_counts_for_nothing(trail: Path) -> None:
    damage("UPDATE audit_checkpoint SET sequence = 4")
    assert found() == (1, {("BAD_SIGNATURE", 4)})


def test_a_damaged_copy_of_the_checkpoints_is_refused(trail: Path) -> None:
    (trail / "audit_checkpoints.jsonl").write_text("not a checkpoint\n")
    code, answer = call("verify_audit")
    assert code == 1 and "audit_checkpoints.jsonl" in answer["error"]
