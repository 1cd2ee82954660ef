"""Answers are stored once, in order, for good; edits and undo add rows, and only what stands counts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.models import AuditEvent
from labeling.models import Annotation, Lease
from labeling.services import answers, progress
from labeling.services.answers import AnswerConflict, AnswerRefused, standing_answer, submit, undo
from labeling.services.bulk import BulkItem, BulkStep, submit_bulk
from labeling.services.export.answers import HEADER, answer_rows
from labeling.services.imports.store import take
from labeling.services.queue import next_crops
from labeling.services.summary import agreement_of
from tests.factories import answer, crops_of, fill_queue, make_experiment, make_study, submission
from tests.labeling.conftest import Room
from tests.labeling.exchange_files import csv_upload
from training.services.labels import standing_answers


def test_the_same_answer_sent_twice_is_one_row_and_one_event(room: Room) -> None:
    given = submission(room.crops[0])
    before = AuditEvent.objects.count()
    first, is_new = submit(room.study, room.bob, given)
    again, is_new_again = submit(room.study, room.bob, given)
    assert (first, is_new, is_new_again) == (again, True, False)
    assert (Annotation.objects.count(), AuditEvent.objects.count() - before) == (1, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"label": "ring"},
        {"label": ""},
        {"answer": "bad_crop", "label": "", "classes": ()},
        {"reason": "on second thoughts"},
    ],
)
def test_another_answer_under_the_same_client_id_is_a_conflict(room: Room, other: dict[str, Any]) -> None:
    given = submission(room.crops[0], "disc")
    submit(room.study, room.bob, given)
    with pytest.raises(AnswerConflict, match="client_id was used"):
        submit(
            room.study, room.bob, submission(room.crops[0], **({"label": "disc"} | other), client_id=given.client_id)
        )
    assert standing_answer(room.study, room.bob, room.crops[0].pk).labels.get().label_class.key == "disc"


def test_a_client_id_of_somebody_else_is_a_conflict(room: Room) -> None:
    given = submission(room.crops[0])
    submit(room.study, room.bob, given)
    with pytest.raises(AnswerConflict):
        submit(room.study, room.dora, given)
    with pytest.raises(AnswerConflict):
        undo(room.study, room.dora, given.client_id)


def test_a_second_answer_supersedes_the_first_and_both_rows_stay(room: Room) -> None:
    first = answer(room.study, room.bob, room.crops[0], "disc")
    second = answer(room.study, room.bob, room.crops[0], "ring")
    assert second.supersedes == first
    assert list(Annotation.objects.current()) == [second]
    assert Annotation.objects.count() == 2


def test_undo_goes_back_without_end_and_then_says_that_nothing_is_left(room: Room) -> None:
    given = [answer(room.study, room.bob, crop) for crop in room.crops[:4]]
    answer(room.study, room.dora, room.crops[5])
    withdrawn = [undo(room.study, room.bob, uuid4()).supersedes for _ in given]
    assert withdrawn == given[::-1]
    with pytest.raises(AnswerConflict, match="no answer of yours"):
        undo(room.study, room.bob, uuid4())
    assert Annotation.objects.current().count() == 1


def test_undo_takes_back_what_was_answered_one_by_one_unless_it_names_another(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0])
    bulk = BulkItem(uuid4(), room.crops[1].pk)
    submit_bulk(room.study, room.bob, BulkStep("label", timezone.now(), (bulk,), ("ring",)))
    take(room.study, csv_upload("crop,class,annotator", f"{room.crops[2].key},ring,bob"), room.alice)
    assert undo(room.study, room.bob, uuid4()).crop == room.crops[0]
    with pytest.raises(AnswerConflict):
        undo(room.study, room.bob, uuid4())
    assert undo(room.study, room.bob, uuid4(), bulk.client_id).crop == room.crops[1]


def test_undo_of_an_edit_leaves_no_answer_of_the_crop(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "disc")
    answer(room.study, room.bob, room.crops[0], "ring")
    undo(room.study, room.bob, uuid4())
    assert standing_answer(room.study, room.bob, room.crops[0].pk) is None


def test_the_same_undo_sent_twice_takes_back_one_answer(room: Room) -> None:
    for crop in room.crops[:2]:
        answer(room.study, room.bob, crop)
    wish = uuid4()
    assert undo(room.study, room.bob, wish) == undo(room.study, room.bob, wish)
    assert Annotation.objects.current().count() == 1


def test_an_undo_under_the_id_of_an_answer_takes_nothing_back_in_silence(room: Room) -> None:
    given = answer(room.study, room.bob, room.crops[0])
    with pytest.raises(AnswerConflict, match="used for an answer"):
        undo(room.study, room.bob, given.client_id)


def test_answering_anew_after_an_undo_stands(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "disc")
    undo(room.study, room.bob, uuid4())
    again = answer(room.study, room.bob, room.crops[0], "ring")
    assert list(Annotation.objects.current()) == [again]


@pytest.mark.parametrize("change", ["undo", "edit", "undo and wait"])
def test_a_crop_of_the_random_stream_stays_one_when_its_answer_changes(room: Room, change: str) -> None:
    fill_queue(room.study, room.crops, why="random check")
    crop = next_crops(room.study, room.bob, 1)[0].crop_id
    answer(room.study, room.bob, crop, "disc")
    if change != "edit":
        undo(room.study, room.bob, uuid4())
    if change == "undo and wait":
        Lease.objects.all().delete()
    assert answer(room.study, room.bob, crop, "ring").why_asked == "random check"
    assert standing_answers(room.study).in_stream.all()


def foreign_crop(room: Room, folder: Path) -> int:
    return crops_of(make_experiment(folder, "elsewhere", seed=5))[0].pk


def retired(room: Room, folder: Path) -> int:
    room.study.classes.filter(key="disc").update(retired_at=timezone.now())
    return room.crops[0].pk


def unknown_crop(room: Room, folder: Path) -> int:
    return 10**9


@pytest.mark.parametrize(
    ("prepare", "given", "reason"),
    [
        (retired, {}, "no open class 'disc'"),
        (foreign_crop, {}, "not in the pool"),
        (unknown_crop, {}, "not in the pool"),
        (None, {"label": "square"}, "no open class 'square'"),
        (None, {"classes": ()}, r"takes 1 class\(es\), not 0"),
        (None, {"classes": ("disc", "ring")}, r"takes 1 class\(es\), not 2"),
        (None, {"classes": ("disc", "disc")}, r"takes 1 class\(es\), not 2"),
        (None, {"answer": "not_sure"}, r"takes 0 class\(es\), not 1"),
        (None, {"answer": "withdrawn"}, "'withdrawn' is not an answer"),
        (None, {"answer": "maybe"}, "'maybe' is not an answer"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_with_its_rule(
    room: Room,
    tmp_path: Path,
    prepare: Callable[[Room, Path], int] | None,
    given: dict[str, Any],
    reason: str,
) -> None:
    crop = prepare(room, tmp_path) if prepare else room.crops[0].pk
    before = AuditEvent.objects.count()
    with pytest.raises(AnswerRefused, match=reason):
        submit(room.study, room.bob, submission(crop, **given))
    assert (Annotation.objects.count(), AuditEvent.objects.count()) == (0, before)


def test_a_class_of_another_study_is_refused(room: Room) -> None:
    other = make_study(room.alice, *room.study.experiments.all(), name="other")
    other.classes.create(key="blob", name="blob", color="#000000", position=7)
    with pytest.raises(AnswerRefused, match="no open class 'blob'"):
        submit(room.study, room.bob, submission(room.crops[0], "blob"))


def test_a_withdrawn_answer_counts_nowhere(room: Room) -> None:
    for reader in (room.bob, room.dora):
        answer(room.study, reader, room.crops[0], "disc")
    kept = counts(room)
    answer(room.study, room.bob, room.crops[1], "ring")
    assert counts(room) != kept
    undo(room.study, room.bob, uuid4())
    assert counts(room) == kept


def counts(room: Room) -> tuple[Any, ...]:
    standing = standing_answers(room.study)
    return (
        progress.own_progress(room.study, room.bob),
        progress.answered_crops(room.study),
        progress.by_class(room.study),
        [row["n"] for row in progress.by_annotator(room.study)],
        progress.reads_table(room.study),
        agreement_of(room.study)["n_items"],
        (list(standing.crop_ids), standing.votes.tolist(), standing.in_stream.tolist()),
        sum(bool(row[HEADER.index("stands")]) for row in answer_rows(room.study)),
    )


def test_rows_of_answers_are_never_written_again(room: Room) -> None:
    given = answer(room.study, room.bob, room.crops[0])
    given.reason = "changed"
    with pytest.raises(IntegrityError), transaction.atomic():
        given.save()


def test_an_answer_is_superseded_once(room: Room) -> None:
    first = answer(room.study, room.bob, room.crops[0])
    answer(room.study, room.bob, room.crops[0], "ring")
    with pytest.raises(IntegrityError), transaction.atomic():
        Annotation.objects.create(
            study=room.study, crop=room.crops[0], annotator=room.bob, answer="not_sure", client_id=uuid4(),
            answered_at=timezone.now(), supersedes=first,
        )  # fmt: skip


def test_a_failure_before_the_event_leaves_no_answer(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the trail is away")

    monkeypatch.setattr(answers.audit, "event", fail)
    with pytest.raises(RuntimeError):
        answer(room.study, room.bob, room.crops[0])
    assert not Annotation.objects.exists()


def test_the_event_of_an_answer_names_who_and_what_by_pseudonym_and_key(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "ring")
    event = AuditEvent.objects.last()
    assert (event.action, event.actor) == ("answer.label", f"user:{room.bob.pk}")
    assert event.detail["crop"] == room.crops[0].key and event.detail["classes"] == ["ring"]


def test_exported_text_cannot_become_a_formula(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], reason='=HYPERLINK("x")')
    row = dict(zip(HEADER, next(answer_rows(room.study))))
    assert row["reason"].startswith("'=")
    assert row["annotator"] == f"user:{room.bob.pk}"
