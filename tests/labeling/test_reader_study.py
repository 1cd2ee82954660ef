"""Studies of readers: every reader gets every case once, in an order of their own, under a protocol that stays."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent
from imaging.models import Crop
from labeling.models import Annotation, LabelClass, Lease, ReaderCase, ReaderStudy, Study
from labeling.services.answers import AnswerConflict, AnswerRefused, submit, undo
from labeling.services.archive import archive_study, restore_study
from labeling.services.bulk import BulkItem, BulkStep, submit_bulk
from labeling.services.classes import add_class, change_class, retire_class, split_class
from labeling.services.comments import add_comment, comments_on
from labeling.services.examples import add_example
from labeling.services.exclusions import exclude
from labeling.services.guidelines import change_guidelines
from labeling.services.imports.reading import Upload
from labeling.services.imports.store import take
from labeling.services.invitations import InvitationEnded, accept, invite
from labeling.services.people import forget_person
from labeling.services.progress import own_progress
from labeling.services.queue import next_crops, release, serve
from labeling.services.queueing.cases import case_keys, mixed
from labeling.services.reader_study import drafting
from labeling.services.reader_study.closing import close_protocol, deviations
from labeling.services.reader_study.drafting import change_draft, choose_cases, draw_cases, protocol_of
from labeling.services.reader_study.locking import draft_digest, lock_protocol, problems_of
from labeling.services.reader_study.progress import is_met, progress_of
from labeling.services.reader_study.protocol import canonical, digest_of
from labeling.services.reader_study.report import against_margin, report_of
from labeling.services.reads import RE_READ, READER_STUDY
from labeling.services.refusals import StudyRefused
from labeling.services.requests import RequestRefused, request_crops
from labeling.services.settings import change_study, remove_member, set_member
from labeling.services.sitting import SittingRefused, change_sitting, skip
from labeling.services.studies import NewClass
from tests.factories import add_reader, answer, crops_of, make_experiment, submission
from tests.labeling.conftest import Room

SETTINGS: Mapping[str, Any] = {"question": "How far do two pathologists agree?", "seed": 7}
# Of one answer and the next twelve crops of an ordinary study, after the first ones.
QUERIES_BEFORE = 24


@pytest.fixture
def draft(room: Room) -> Room:
    """Six of the twelve crops are the cases of a draft; Bob and Dora are the readers."""
    change_study(room.study, room.alice, {"is_blind": True})
    change_draft(room.study, room.alice, SETTINGS)
    choose_cases(room.study, room.alice, [crop.pk for crop in room.crops[:6]])
    return room


@pytest.fixture
def locked(draft: Room) -> Room:
    lock(draft)
    return draft


def protocol(room: Room) -> ReaderStudy:
    found = protocol_of(room.study)
    assert found is not None
    return found


def lock(room: Room, **changes: Any) -> ReaderStudy:
    if changes:
        change_draft(room.study, room.alice, changes)
    return lock_protocol(room.study, room.alice, seen=draft_digest(protocol(room)))


def order(room: Room, user: Any, count: int = 60) -> list[int]:
    return [row.crop_id for row in next_crops(room.study, user, count)]


def cases(room: Room) -> list[int]:
    return list(ReaderCase.objects.filter(study=room.study).values_list("crop_id", flat=True))


def read_all(room: Room, *users: Any, label: str = "disc") -> None:
    for user in users:
        while found := next_crops(room.study, user, 1):
            answer(room.study, user, found[0].crop_id, label)


def wash_out(room: Room, days: int) -> None:
    """Moves everything that was answered into the past."""
    # Answers are append-only for the code of the house; a test may turn the clock back.
    for row in Annotation.objects.filter(study=room.study):
        Annotation.objects.filter(pk=row.pk).update(received_at=row.received_at - timedelta(days=days))


@pytest.mark.parametrize("seed", range(5))
def test_each_reader_gets_every_case_exactly_once_whatever_the_interleaving(locked: Room, seed: int) -> None:
    rng, seen = Random(seed), {locked.bob: [], locked.dora: []}
    waiting = [locked.bob, locked.dora]
    while waiting:
        user = rng.choice(waiting)
        if rng.random() < 0.2:
            release(locked.study, user)
        found = next_crops(locked.study, user, rng.randint(1, 4))
        if not found:
            waiting.remove(user)
            continue
        given = answer(locked.study, user, found[0].crop_id, rng.choice(["disc", "ring", ""]))
        assert (given.why_asked, given.is_reread) == (READER_STUDY, False)
        seen[user].append(found[0].crop_id)
    assert sorted(seen[locked.bob]) == sorted(seen[locked.dora]) == sorted(cases(locked))


def test_orders_differ_between_readers_and_are_the_same_after_a_restart(locked: Room) -> None:
    bob, dora = order(locked, locked.bob), order(locked, locked.dora)
    assert sorted(bob) == sorted(dora) == sorted(cases(locked)) and bob != dora
    Lease.objects.all().delete()
    assert (order(locked, locked.bob), order(locked, locked.dora)) == (bob, dora)
    answer(locked.study, locked.dora, dora[2])
    assert order(locked, locked.bob) == bob


def test_the_order_follows_the_seed(draft: Room) -> None:
    found = set()
    for seed in range(4):
        change_draft(draft.study, draft.alice, {"seed": seed})
        fixed = protocol(draft)
        keys = case_keys(draft.study)
        found.add(tuple(mixed(fixed, draft.bob.pk, "first", keys, keys)))
    assert len(found) > 1


def test_nothing_but_cases_is_served_also_to_leads_and_new_members(locked: Room) -> None:
    late = add_reader(locked.study, "late")
    for user in (locked.alice, late):
        served = serve(locked.study, user, 12)
        assert served.crops == [] and "none of them" in served.note
        with pytest.raises(AnswerRefused, match="you are none of them"):
            answer(locked.study, user, cases(locked)[0])
    with pytest.raises(AnswerRefused, match="is no case"):
        answer(locked.study, locked.bob, locked.crops[8])
    with pytest.raises(AnswerRefused, match="a reader's own"):
        answer(locked.study, locked.bob, cases(locked)[0], suggested_by="ab")
    assert not Annotation.objects.filter(study=locked.study).exists()


def test_a_pause_and_a_crop_put_aside_are_kept(locked: Room) -> None:
    first = order(locked, locked.bob)
    skip(locked.study, locked.bob, first[0])
    assert order(locked, locked.bob) == [*first[1:], first[0]]
    with pytest.raises(SittingRefused, match="protocol fixes"):
        change_sitting(locked.study, locked.bob, {"stay_on": "image"})
    change_sitting(locked.study, locked.bob, {"paused": True})
    assert order(locked, locked.bob) == []


def test_what_is_taken_back_comes_first_and_may_be_answered_otherwise(locked: Room) -> None:
    first = order(locked, locked.bob)
    given = answer(locked.study, locked.bob, first[0])
    undo(locked.study, locked.bob, uuid4())
    assert order(locked, locked.bob)[0] == first[0]
    again = answer(locked.study, locked.bob, first[0], "ring")
    assert again.why_asked == given.why_asked == READER_STUDY
    edited = answer(locked.study, locked.bob, first[0], "disc", replaces=again.client_id)
    assert (edited.supersedes_id, edited.is_reread) == (again.pk, False)


def test_the_second_reading_waits_for_the_wash_out_and_both_reads_stand(draft: Room) -> None:
    lock(draft, reread_share=0.5, washout_days=3)
    read_all(draft, draft.bob)
    waits = serve(draft.study, draft.bob, 12)
    assert waits.crops == [] and waits.note.endswith("nothing is left to do for now.")
    wash_out(draft, 3)
    again = next_crops(draft.study, draft.bob, 12)
    assert len(again) == 3 and {row.why for row in again} == {RE_READ}
    read_all(draft, draft.bob, label="ring")
    standing = Annotation.objects.current().filter(study=draft.study, annotator=draft.bob)
    assert (standing.filter(is_reread=False).count(), standing.filter(is_reread=True).count()) == (6, 3)
    assert progress_of(protocol(draft))[0].is_done and not is_met(protocol(draft))
    # The reader's own count is that of the first round: nobody is to know of a second.
    progress = own_progress(draft.study, draft.bob)
    assert (progress.answered, progress.total) == (6, 6)


def test_the_second_reading_has_another_order(draft: Room) -> None:
    choose_cases(draft.study, draft.alice, [crop.pk for crop in draft.crops])
    lock(draft, reread_share=1.0, washout_days=0)
    first = order(draft, draft.bob)
    for crop in first:
        answer(draft.study, draft.bob, crop)
    again = order(draft, draft.bob)
    assert sorted(again) == sorted(first) and again != first


CHANGES = {
    "question": "Another?", "primary_measure": "gwet_ac1", "margin_kind": "lower_limit", "margin": 0.2,
    "stopping": "date", "stopping_rule": "or when nobody is left", "washout_days": 30, "reread_share": 0.25,
    "seed": 8,
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_the_digest_changes_with_every_setting(draft: Room, name: str) -> None:
    before = draft_digest(protocol(draft))
    more = {"stops_on": timezone.localdate() + timedelta(days=9)} if name == "stopping" else {}
    change_draft(draft.study, draft.alice, {name: CHANGES[name]} | more)
    assert draft_digest(protocol(draft)) != before
    assert set(drafting.EDITABLE) - set(CHANGES) == {"stops_on"}


def test_the_digest_changes_with_cases_classes_guidelines_and_readers(draft: Room) -> None:
    seen = {draft_digest(protocol(draft))}
    for change in (
        lambda: choose_cases(draft.study, draft.alice, [crop.pk for crop in draft.crops[5::-1]]),
        lambda: change_guidelines(draft.study, draft.alice, "Look twice."),
        lambda: add_class(draft.study, draft.alice, "other", "other"),
        lambda: add_reader(draft.study, "erna"),
    ):
        change()
        seen.add(draft_digest(protocol(draft)))
    assert len(seen) == 5


def test_the_digest_is_of_the_content_and_not_of_the_order_of_keys(locked: Room) -> None:
    row = protocol(locked)
    turned = dict(reversed(json.loads(row.protocol).items()))
    assert digest_of(canonical(turned)) == digest_of(row.protocol) == row.digest
    assert row.fixed["cases"] == [crop.key for crop in locked.crops[:6]]
    assert row.readers == sorted([locked.bob.pk, locked.dora.pk])
    assert "bob" not in row.protocol


def test_locking_twice_is_locking_once(locked: Room) -> None:
    before = protocol(locked)
    lock_protocol(locked.study, locked.alice, seen="something else")
    after = protocol(locked)
    assert (after.locked_at, after.digest, after.protocol) == (before.locked_at, before.digest, before.protocol)
    assert AuditEvent.objects.filter(action="protocol.locked").count() == 1


def test_every_step_stands_in_the_audit_trail_and_names_nobody(draft: Room) -> None:
    change_draft(draft.study, draft.alice, {"margin": 0.2})
    change_draft(draft.study, draft.alice, {"margin": 0.2})
    lock(draft)
    close_protocol(draft.study, draft.alice, "moved away")
    events = AuditEvent.objects.filter(action__startswith="protocol.").order_by("pk")
    told = [(event.action, event.actor) for event in events]
    steps = ("protocol.drafted", "protocol.cases", "protocol.changed", "protocol.locked", "protocol.closed")
    assert told == [(step, f"user:{draft.alice.pk}") for step in steps]
    assert events[2].detail["margin"] == [0.1, 0.2]
    assert events[3].detail["digest"] == events[4].detail["digest"] == protocol(draft).digest
    assert events[4].reason == "moved away" and "bob" not in str([event.detail for event in events])


def test_a_draft_that_was_changed_since_it_was_looked_at_is_not_locked(draft: Room) -> None:
    seen = draft_digest(protocol(draft))
    change_draft(draft.study, draft.alice, {"margin": 0.3})
    with pytest.raises(StudyRefused, match="changed since"):
        lock_protocol(draft.study, draft.alice, seen=seen)
    draft.study.refresh_from_db()
    assert not draft.study.is_reader_study


def test_a_protocol_needs_two_readers_cases_a_question_and_no_answer_yet(room: Room) -> None:
    change_draft(room.study, room.alice, {})
    remove_member(room.study.memberships.get(user=room.dora), room.alice)
    answer(room.study, room.bob, room.crops[0])
    said = " ".join(problems_of(protocol(room)))
    for part in ("1 annotator", "no cases", "asks nothing", "not blind", "before the first"):
        assert part in said
    with pytest.raises(StudyRefused, match="is not locked"):
        lock(room)
    assert not Study.objects.get(pk=room.study.pk).is_reader_study


def test_an_answer_that_was_on_its_way_when_the_protocol_was_locked_is_judged_by_it(draft: Room) -> None:
    stale = Study.objects.get(pk=draft.study.pk)
    lock(draft)
    with pytest.raises(AnswerRefused, match="is no case"):
        answer(stale, draft.bob, draft.crops[9])
    assert answer(stale, draft.bob, draft.crops[0]).why_asked == READER_STUDY


def test_an_answer_on_its_way_meets_the_lock_also_where_the_study_has_no_guidelines(draft: Room) -> None:
    draft.study.guideline_versions.all().delete()
    stale = Study.objects.get(pk=draft.study.pk)
    lock(draft)
    with pytest.raises(AnswerRefused, match="is no case"):
        answer(stale, draft.bob, draft.crops[9])
    assert answer(stale, draft.bob, draft.crops[0]).guideline is None


def test_cases_are_drawn_evenly_by_experiment_and_the_same_each_time(draft: Room, tmp_path: Path) -> None:
    other = make_experiment(tmp_path, "plate 2", crops=3, seed=1)
    change_study(draft.study, draft.alice, {"experiments": [*draft.study.experiments.all(), other]})
    drawn = draw_cases(draft.study, draft.alice, 6)
    assert len({*drawn} & {crop.pk for crop in crops_of(other)}) == 3
    choose_cases(draft.study, draft.alice, drawn[:1])
    assert draw_cases(draft.study, draft.alice, 6) == drawn
    assert len({*draw_cases(draft.study, draft.alice, 10)} & {crop.pk for crop in crops_of(other)}) == 3
    change_draft(draft.study, draft.alice, {"seed": 99})
    assert set(draw_cases(draft.study, draft.alice, 4)) != set(drawn[:4])
    with pytest.raises(StudyRefused, match="has 15 crops"):
        draw_cases(draft.study, draft.alice, 16)
    with pytest.raises(StudyRefused, match="not in the pool"):
        choose_cases(draft.study, draft.alice, [10**9])


def test_locked_means_locked(locked: Room) -> None:
    study, lead = locked.study, locked.alice
    disc = LabelClass.objects.get(study=study, key="disc")
    before = protocol(locked).protocol
    file = Upload(name="a.csv", content=b"crop,annotator,label\n", format="csv")
    for change in (
        lambda: change_draft(study, lead, {"margin": 0.5}),
        lambda: draw_cases(study, lead, 3),
        lambda: choose_cases(study, lead, [locked.crops[0].pk]),
        lambda: change_study(study, lead, {"is_blind": False}),
        lambda: change_study(study, lead, {"shows_suggestions": True}),
        lambda: change_guidelines(study, lead, "Otherwise"),
        lambda: add_class(study, lead, "other", "other"),
        lambda: change_class(disc, lead, "dot", disc.color),
        lambda: retire_class(disc, lead),
        lambda: split_class(disc, lead, [NewClass("a", "a"), NewClass("b", "b")]),
        lambda: add_example(disc, lead, locked.crops[9].pk),
        lambda: remove_member(study.memberships.get(user=locked.bob), lead),
        lambda: set_member(study, lead, "bob", "lead"),
        lambda: take(study, file, lead),
    ):
        with pytest.raises(StudyRefused, match="protocol of this study is locked"):
            change()
    step = BulkStep("label", timezone.now(), [BulkItem(uuid4(), cases(locked)[0])], ("disc",))
    with pytest.raises(AnswerRefused, match="locked"):
        submit_bulk(study, locked.bob, step)
    with pytest.raises(RequestRefused, match="locked"):
        request_crops(study, locked.bob, locked.crops[0], [locked.crops[1].pk])
    invitation, _ = invite(study, lead, "lead")
    with pytest.raises(InvitationEnded, match="locked"):
        accept(invitation, locked.bob)
    assert protocol(locked).protocol == before and not deviations(protocol(locked))[2:]


def test_no_reader_and_no_lead_learns_what_others_say(locked: Room) -> None:
    add_comment(locked.study, locked.bob, locked.crops[0], "a clear disc")
    answer(locked.study, locked.bob, locked.crops[0])
    answer(locked.study, locked.dora, locked.crops[0], "ring")
    assert not comments_on(locked.study, locked.dora, locked.crops[0]).exists()
    assert not comments_on(locked.study, locked.alice, locked.crops[0]).exists()
    close_protocol(locked.study, locked.alice, "enough seen")
    assert comments_on(locked.study, locked.alice, locked.crops[0]).exists()


def test_closing_needs_the_rule_or_a_reason_and_ends_all_answers(locked: Room) -> None:
    crop = order(locked, locked.bob)[0]
    answer(locked.study, locked.bob, crop)
    with pytest.raises(StudyRefused, match="not met"):
        close_protocol(locked.study, locked.alice, "  ")
    close_protocol(locked.study, locked.alice, "Dora has left the institute.")
    kinds = [row.kind for row in deviations(protocol(locked))]
    assert kinds == ["closed early", "unfinished reader", "unfinished reader"]
    served = serve(locked.study, locked.bob, 12)
    assert served.crops == [] and "takes no more answers" in served.note
    with pytest.raises(AnswerRefused, match="takes no more answers"):
        answer(locked.study, locked.bob, crop, "ring")
    with pytest.raises(AnswerConflict, match="takes no more answers"):
        undo(locked.study, locked.bob, uuid4())
    at = protocol(locked).closed_at
    close_protocol(locked.study, locked.alice)
    assert protocol(locked).closed_at == at


def test_a_study_that_followed_its_protocol_has_no_deviations(locked: Room) -> None:
    read_all(locked, locked.bob, locked.dora)
    assert is_met(protocol(locked))
    close_protocol(locked.study, locked.alice)
    assert deviations(protocol(locked)) == []


def test_a_date_ends_reading_also_before_all_is_read(draft: Room) -> None:
    day = timezone.localdate() + timedelta(days=5)
    lock(draft, stopping="date", stops_on=day)
    assert [is_met(protocol(draft), day + timedelta(days=more)) for more in (-1, 0, 1)] == [False, True, True]


def test_people_who_come_and_go_and_cases_that_vanish_are_deviations(locked: Room) -> None:
    read_all(locked, locked.bob)
    add_reader(locked.study, "late")
    forget_person(locked.dora, locked.alice)
    Crop.objects.filter(pk=locked.crops[0].pk).update(gone_at=timezone.now())
    found = {row.kind: row.text for row in deviations(protocol(locked))}
    assert set(found) == {"unfinished reader", "dropped case", "member added", "member removed"}
    assert "late" in found["member added"] and "former reader" in found["member removed"]
    assert "1 of 6 cases" in found["dropped case"] and "0 of 5" in found["unfinished reader"]


def test_a_text_that_no_longer_fits_its_digest_or_what_is_stored_is_told(locked: Room) -> None:
    read_all(locked, locked.bob, locked.dora)
    ReaderCase.objects.filter(study=locked.study, position=6).delete()
    LabelClass.objects.filter(study=locked.study, key="disc").update(name="dot")
    assert "cases, classes" in deviations(protocol(locked))[-1].text
    ReaderStudy.objects.update(protocol=protocol(locked).protocol.replace("0.1", "0.3"))
    assert "digest" in deviations(protocol(locked))[-1].text


def test_the_report_holds_what_the_readers_said_and_nothing_else(draft: Room) -> None:
    lock(
        draft,
        reread_share=0.5,
        washout_days=0,
        primary_measure="percent_agreement",
        margin_kind="lower_limit",
        margin=0.9,
    )
    said = dict(zip(cases(draft), ["disc", "disc", "ring", "ring", "disc", ""]))
    for crop in order(draft, draft.bob):
        answer(draft.study, draft.bob, crop, said[crop])
    for crop in order(draft, draft.dora):
        answer(draft.study, draft.dora, crop, "disc")
    while found := next_crops(draft.study, draft.bob, 1):
        answer(draft.study, draft.bob, found[0].crop_id, said[found[0].crop_id])
    read_all(draft, draft.dora)
    close_protocol(draft.study, draft.alice)
    report = report_of(protocol(draft))
    assert (report.primary["value"], report.primary["n"]) == (pytest.approx(0.5), 6)
    assert report.is_reached is False and "not reached" in report.verdict
    readers = {row[0]: row for row in report.table("readers").rows}
    assert readers["bob"][1:6] == (6, 6, 1, 0, 3) and readers["bob"][6] == pytest.approx(0.5)
    assert report.table("pairs").rows[0][:4] == ("bob", "dora", 6, pytest.approx(0.5))
    assert {row[0]: row[2] for row in report.table("again").rows} == {"bob": 1.0, "dora": 1.0}
    assert report.table("deviations").rows == ()
    assert report.table("nothing") is None


def test_a_margin_of_half_the_interval_is_judged_by_its_width(locked: Room) -> None:
    row = protocol(locked)
    row.margin = 0.1
    figure = {"value": 0.7, "low": 0.6, "high": 0.8, "n": 90, "reason": ""}
    assert against_margin(row, figure)[1] is True
    assert against_margin(row, figure | {"low": 0.5})[1] is False
    said, reached = against_margin(row, figure | {"low": None, "high": None, "reason": "one item"})
    assert reached is None and "one item" in said


def test_an_ordinary_study_is_served_and_answered_with_the_same_number_of_queries(room: Room) -> None:
    next_crops(room.study, room.bob, 12)
    answer(room.study, room.bob, room.crops[0])
    next_crops(room.study, room.bob, 12)
    given = submission(room.crops[1])
    with CaptureQueriesContext(connection) as found:
        submit(room.study, room.bob, given)
        next_crops(room.study, room.bob, 12)
    asked = " ".join(row["sql"] for row in found)
    assert ReaderStudy._meta.db_table not in asked and ReaderCase._meta.db_table not in asked
    # Counted before there were studies of readers; PostgreSQL gets several in one message.
    if connection.vendor == "sqlite":
        assert len(found) == QUERIES_BEFORE


def test_an_archived_study_hands_out_no_cases_until_it_is_restored(locked: Room) -> None:
    before = order(locked, locked.bob)
    archive_study(locked.study, locked.alice)
    assert order(locked, locked.bob) == [] and not Lease.objects.exists()
    restore_study(locked.study, locked.alice)
    assert order(locked, locked.bob) == before != []


def test_a_reader_who_is_left_out_after_the_end_stays_in_the_report_which_says_so(locked: Room) -> None:
    for crop in locked.crops[:6]:
        for user in (locked.bob, locked.dora):
            answer(locked.study, user, crop, "disc")
    close_protocol(locked.study, locked.alice)
    before = report_of(protocol(locked))
    exclude(locked.study, locked.bob, locked.alice, "hasty")
    after = report_of(protocol(locked))
    assert after.primary == before.primary and after.table("readers") == before.table("readers")
    told = [row for row in deviations(protocol(locked)) if row.kind == "reader left out"]
    assert len(told) == 1 and "bob" in told[0].text and "hasty" in told[0].text
