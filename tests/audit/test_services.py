"""Events are written with the change they tell of, in one chain."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from audit import services
from audit.chain.verify import verify
from audit.models import AuditEvent, Checkpoint
from tests.factories import make_user


def write_events(number: int, user: object) -> None:
    with transaction.atomic():
        for count in range(number):
            services.record("user.seen", user, actor="process:test", detail={"count": count})


@pytest.mark.django_db(transaction=True)
def test_an_event_outside_a_transaction_is_refused() -> None:
    with pytest.raises(transaction.TransactionManagementError, match="needs the transaction"):
        services.record("user.seen", make_user(), actor="process:test")
    assert not AuditEvent.objects.exists()


def test_a_rollback_takes_the_change_and_its_event(db: None) -> None:
    user = make_user()
    with pytest.raises(RuntimeError), transaction.atomic():
        type(user).objects.filter(pk=user.pk).update(first_name="Eve")
        services.record("user.renamed", user, actor="process:test")
        raise RuntimeError
    user.refresh_from_db()
    assert (user.first_name, AuditEvent.objects.count()) == ("", 0)


def test_numbers_go_on_without_a_gap_after_a_rollback(db: None) -> None:
    user = make_user()
    write_events(2, user)
    with pytest.raises(RuntimeError), transaction.atomic():
        services.record("user.seen", user, actor="process:test")
        raise RuntimeError
    write_events(1, user)
    assert list(AuditEvent.objects.values_list("sequence", flat=True)) == [1, 2, 3]
    assert verify(services.chain()) == []


def test_what_a_database_hands_back_hashes_like_what_was_given(db: None) -> None:
    detail = {"share": 2.0, "small": 1e-9, "text": "µm · naïve\n", "none": None, "list": [1, [True]]}
    with transaction.atomic():
        services.record("user.seen", make_user(), actor="process:test", detail=detail, reason="because")
    assert verify(services.chain()) == []


def test_a_clock_that_is_set_back_does_not_look_like_tampering(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    user = make_user()
    write_events(1, user)
    earlier = timezone.now() - timedelta(days=1)
    monkeypatch.setattr("audit.services.timezone.now", lambda: earlier)
    write_events(1, user)
    assert verify(services.chain()) == []


def test_events_are_neither_changed_nor_deleted_through_their_model(db: None) -> None:
    write_events(1, make_user())
    event = AuditEvent.objects.get()
    with pytest.raises(TypeError, match="never deleted"):
        event.delete()
    event.action = "user.unseen"
    with pytest.raises(IntegrityError), transaction.atomic():
        event.save()


def test_an_event_numbered_zero_is_refused_by_the_database(db: None) -> None:
    write_events(1, make_user())
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE audit_auditevent SET sequence = 0")


def test_actors_are_pseudonyms(db: None) -> None:
    user = make_user("carol")
    assert services.actor_of(user) == f"user:{user.pk}"
    assert services.actor_of(None) == "anonymous"


def test_a_checkpoint_covers_the_head_and_is_written_once(db: None, data_folder: Path) -> None:
    assert services.write_checkpoint() is None
    write_events(3, make_user())
    assert services.write_checkpoint().sequence == 3
    assert services.write_checkpoint() is None
    assert Checkpoint.objects.count() == len((data_folder / "audit_checkpoints.jsonl").read_text().splitlines()) == 1


def test_the_signing_key_is_private_and_stays(data_folder: Path) -> None:
    key = services.signing_key()
    assert len(key) == 32 and services.signing_key() == key
    assert (data_folder / "audit_key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in data_folder.iterdir()] == ["audit_key"]
