"""What a lead settles: it rules files, training and random checks until it is taken back, and is never a read."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from audit.models import AuditEvent
from labeling.exchange.csv_table import parse
from labeling.models import Annotation, Consensus
from labeling.services.ambiguous import ReopenRefused, ambiguous_crops, ask_third, reopen
from labeling.services.answers import AnswerConflict, AnswerRefused, Submission, undo
from labeling.services.classes import NewClass, add_class, retire_class, split_class
from labeling.services.decisions import decide, standing_decision, undo_decision
from labeling.services.discussion import Settled, confusion, decided_among, disputed_crops
from labeling.services.exclusions import exclude, put_back
from labeling.services.export.files import answers_csv, consensus_csv, label_studio_json
from labeling.services.history import answers_of, everybodys_days
from labeling.services.next_steps import disputed_crops as disputed_count
from labeling.services.progress import by_annotator, own_progress
from labeling.services.queue import next_crops
from labeling.services.reads import ADJUDICATION, STREAM, awaiting_reads
from labeling.services.stream import State, stream_counts, stream_crops
from labeling.services.summary import agreement_of
from labeling.services.workload import reads_left, workload
from labeling.worker.agreement import make_report
from tests.factories import add_reader, answer, fill_queue
from tests.labeling.conftest import Room
from training.services.labels import AnswerBook, standing_answers


@pytest.fixture
def disputed(room: Room) -> Room:
    """Bob says disc and Dora ring of the first two crops; both say disc of the third."""
    for place, said in enumerate(("ring", "ring", "disc")):
        answer(room.study, room.bob, room.crops[place], "disc")
        answer(room.study, room.dora, room.crops[place], said)
    return room


def settle(room: Room, label: str = "ring", *, crop: int = 0, by: Any = None, **more: Any) -> Annotation:
    """The decision on a crop; an empty label stands for "not decidable"."""
    fields = {
        "client_id": uuid4(), "crop_id": room.crops[crop].pk, "answer": "label" if label else "not_sure",
        "classes": (label,) if label else (), "answered_at": timezone.now(),
    }  # fmt: skip
    return decide(room.study, by or room.alice, Submission(**(fields | more)))[0]


def take_back(room: Room, decision: Annotation, client_id: UUID | None = None) -> Annotation:
    return undo_decision(room.study, room.alice, room.crops[0], client_id or uuid4(), decision.client_id)


def consensus(room: Room, crop: int = 0) -> str:
    lines = b"".join(consensus_csv(room.study)).decode().splitlines()
    (line,) = (line for line in lines if line.startswith(room.crops[crop].key))
    return line.split(",")[5]


def votes(room: Room, crop: int = 0) -> dict[str, float]:
    book = AnswerBook(room.study)
    standing = book.read()
    row = list(standing.crop_ids).index(room.crops[crop].pk)
    return dict(zip(book.classes, standing.votes[row].tolist()))


def test_files_and_training_follow_the_decision_until_it_is_taken_back(
    disputed: Room,
) -> None:
    assert (consensus(disputed), votes(disputed)) == ("", {"disc": 1, "ring": 1})
    decision = settle(disputed)
    assert (consensus(disputed), votes(disputed)) == ("ring", {"disc": 0, "ring": 1})
    take_back(disputed, decision)
    assert (consensus(disputed), votes(disputed)) == ("", {"disc": 1, "ring": 1})
    assert standing_decision(disputed.study, disputed.crops[0].pk) is None


def test_a_decision_stands_also_against_what_most_readers_say_later(disputed: Room) -> None:
    settle(disputed)
    answer(disputed.study, disputed.dora, disputed.crops[0], "disc")
    assert (consensus(disputed), votes(disputed)) == ("ring", {"disc": 0, "ring": 1})


def test_the_ranking_reads_a_decision_like_an_answer_that_came_anew(disputed: Room) -> None:
    book = AnswerBook(disputed.study)
    book.read()
    settle(disputed)
    fresh, kept = standing_answers(disputed.study), book.read()
    assert fresh.votes.tolist() == kept.votes.tolist() and fresh.reads.tolist() == kept.reads.tolist()


def test_agreement_confusions_and_counts_of_reads_do_not_see_decisions(disputed: Room) -> None:
    answer(disputed.study, disputed.alice, disputed.crops[0], "disc")
    days = everybodys_days(disputed.study)
    before = agreement_of(disputed.study), confusion(disputed.study), by_annotator(disputed.study)
    own = own_progress(disputed.study, disputed.alice)
    settle(disputed)
    settle(disputed, "", crop=1)
    assert (agreement_of(disputed.study), confusion(disputed.study), by_annotator(disputed.study)) == before
    assert own_progress(disputed.study, disputed.alice) == own
    assert everybodys_days(disputed.study) == days


def test_a_leads_own_read_stays_and_is_what_undo_in_the_reading_room_takes_back(disputed: Room) -> None:
    own = answer(disputed.study, disputed.alice, disputed.crops[0], "disc")
    decision = settle(disputed)
    assert list(answers_of(disputed.study, disputed.alice, disputed.alice)) == [own]
    assert undo(disputed.study, disputed.alice, uuid4()).supersedes == own
    assert standing_decision(disputed.study, disputed.crops[0].pk) == decision


def test_an_own_answer_after_a_decision_leaves_the_decision_alone(disputed: Room) -> None:
    decision = settle(disputed)
    own = answer(disputed.study, disputed.alice, disputed.crops[0], "disc")
    assert own.supersedes is None and own.source == Annotation.Source.ROOM
    assert standing_decision(disputed.study, disputed.crops[0].pk) == decision


def test_sending_a_decision_or_its_undoing_twice_stores_and_audits_it_once(disputed: Room) -> None:
    ids = uuid4(), uuid4()
    decision = settle(disputed, client_id=ids[0])
    assert settle(disputed, client_id=ids[0]) == decision
    with pytest.raises(AnswerConflict, match="client_id"):
        settle(disputed, "disc", client_id=ids[0])
    assert take_back(disputed, decision, ids[1]) == take_back(disputed, decision, ids[1])
    actions = AuditEvent.objects.filter(action__startswith="crop.deci").values_list("action", flat=True)
    assert list(actions.order_by("pk")) == ["crop.decided", "crop.decision_undone"]


def test_another_lead_decides_anew_only_in_knowledge_of_the_first_decision(disputed: Room) -> None:
    eve = add_reader(disputed.study, "eve", "lead")
    first = settle(disputed, replaces=None)
    with pytest.raises(AnswerConflict, match="Another decision") as refused:
        settle(disputed, "disc", by=eve, replaces=None)
    assert refused.value.standing == first
    second = settle(disputed, "disc", by=eve, replaces=first.client_id)
    assert second.supersedes == first and consensus(disputed) == "disc"
    take_back(disputed, second)
    assert own_progress(disputed.study, eve).answered == own_progress(disputed.study, disputed.alice).answered == 0


def test_only_leads_decide_and_take_back(disputed: Room) -> None:
    with pytest.raises(PermissionDenied):
        settle(disputed, by=disputed.bob)
    decision = settle(disputed)
    with pytest.raises(PermissionDenied):
        undo_decision(disputed.study, disputed.dora, disputed.crops[0], uuid4(), decision.client_id)


@pytest.mark.parametrize("how", ["retired", "merged", "unknown", "nul"])
def test_a_class_that_takes_no_answers_is_refused_and_nothing_is_stored(disputed: Room, how: str) -> None:
    add_class(disputed.study, disputed.alice, "star", "star", "#000000")
    ring, disc = (disputed.study.classes.get(key=key) for key in ("ring", "disc"))
    if how == "retired":
        retire_class(ring, disputed.alice)
    if how == "merged":
        retire_class(ring, disputed.alice, disc)
    with pytest.raises(AnswerRefused, match="no open class"):
        settle(disputed, {"unknown": "moon", "nul": "ri\0ng"}.get(how, "ring"))
    assert not Annotation.objects.decisions().exists()


@pytest.mark.parametrize("answer_", ["bad_crop", "withdrawn", "nonsense"])
def test_a_decision_is_a_class_or_not_decidable(disputed: Room, answer_: str) -> None:
    with pytest.raises(AnswerRefused):
        settle(disputed, answer=answer_, classes=())


def test_what_fewer_than_two_have_read_cannot_be_decided(disputed: Room) -> None:
    answer(disputed.study, disputed.bob, disputed.crops[5], "disc")
    with pytest.raises(AnswerRefused, match="has 1 so far"):
        settle(disputed, crop=5)


def test_not_decidable_freezes_the_crop_and_a_class_thaws_it(disputed: Room) -> None:
    settle(disputed, "")
    assert ambiguous_crops(disputed.study) == [disputed.crops[0].pk]
    assert (consensus(disputed), standing_answers(disputed.study).ambiguous.tolist()) == ("", [True, False, False])
    settle(disputed, "ring")
    assert ambiguous_crops(disputed.study) == [] and consensus(disputed) == "ring"


def test_a_class_after_reopening_speaks_in_place_of_not_decidable(disputed: Room) -> None:
    settle(disputed, "")
    reopen(disputed.study, disputed.alice, disputed.crops[0])
    eve = add_reader(disputed.study, "eve")
    assert disputed.crops[0].pk in {row.crop_id for row in next_crops(disputed.study, eve, 12)}
    answer(disputed.study, eve, disputed.crops[0], "disc")
    assert ambiguous_crops(disputed.study) == [] and consensus(disputed) == "disc"


def test_a_random_check_is_settled_by_a_decision_whose_reads_stay_as_they_were(room: Room) -> None:
    fill_queue(room.study, room.crops, why=STREAM)
    answer(room.study, room.bob, room.crops[0], "disc")
    answer(room.study, room.dora, room.crops[0], "ring")
    (before,) = stream_crops(room.study)
    decision = settle(room)
    (after,) = stream_crops(room.study)
    assert (before.state, after.state, after.label) == (State.WAITING, State.DECIDED, "ring")
    assert after.blind_reads == before.blind_reads and after.adjudicated.number == decision.pk
    assert stream_counts([after]).reads == 2
    eve = add_reader(room.study, "eve")
    assert room.crops[0].pk not in {row.crop_id for row in next_crops(room.study, eve, 12)}


def test_a_decision_on_a_class_that_was_split_counts_no_more(disputed: Room) -> None:
    settle(disputed)
    ring = disputed.study.classes.get(key="ring")
    split_class(ring, disputed.alice, [NewClass("thin", "thin"), NewClass("thick", "thick")])
    assert decided_among(disputed.study, [disputed.crops[0].pk]) == set()
    assert consensus(disputed) == "disc"


def test_files_of_reads_leave_decisions_out_and_a_table_of_answers_comes_back_without_them(disputed: Room) -> None:
    before = b"".join(label_studio_json(disputed.study))
    settle(disputed)
    assert b"".join(label_studio_json(disputed.study)) == before
    parsed = parse(b"".join(answers_csv(disputed.study)))
    assert len(parsed.labels) == 6
    assert [problem.code for problem in parsed.problems] == ["decision"]


def test_disputed_crops_are_listed_by_whether_they_are_decided(disputed: Room) -> None:
    first, second = (crop.pk for crop in disputed.crops[:2])
    settle(disputed)
    listed = {one: disputed_crops(disputed.study, "disc", "ring", settled=one) for one in Settled}
    assert listed == {Settled.UNDECIDED: [second], Settled.DECIDED: [first], Settled.ALL: [first, second]}
    assert decided_among(disputed.study, [first, second]) == {first}


def test_a_third_reader_is_asked_once_and_settles_the_crop(disputed: Room) -> None:
    disputed.study.adjudicates = False
    disputed.study.save()
    first, eve = disputed.crops[0], add_reader(disputed.study, "eve")
    fill_queue(disputed.study, disputed.crops[5:])
    assert first.pk not in {row.crop_id for row in next_crops(disputed.study, eve, 12)}
    ask_third(disputed.study, disputed.alice, first)
    with pytest.raises(ReopenRefused, match="waits"):
        ask_third(disputed.study, disputed.alice, first)
    assert next_crops(disputed.study, eve, 12)[0].crop_id == first.pk
    answer(disputed.study, eve, first, "ring")
    assert consensus(disputed) == "ring" and decided_among(disputed.study, [first.pk]) == {first.pk}


def test_no_third_reader_is_asked_where_two_agree_or_a_lead_has_decided(disputed: Room) -> None:
    with pytest.raises(ReopenRefused, match="differ"):
        ask_third(disputed.study, disputed.alice, disputed.crops[2])
    settle(disputed)
    with pytest.raises(ReopenRefused, match="decided"):
        ask_third(disputed.study, disputed.alice, disputed.crops[0])


@pytest.mark.parametrize("label", ["ring", ""])
def test_what_a_lead_decided_is_disputed_no_more_on_the_overview_and_in_the_report(
    disputed: Room, label: str
) -> None:
    assert disputed_count(disputed.study) == 2
    decision = settle(disputed, label)
    make_report(disputed.study.pk)
    disputed.study.refresh_from_db()
    listed = [row["key"] for row in disputed.study.agreement_report.data["consensus"]["disputed"]]
    assert (disputed_count(disputed.study), listed) == (1, [disputed.crops[1].key])
    take_back(disputed, decision)
    assert disputed_count(disputed.study) == 2


def test_the_consensus_of_a_crop_is_the_class_that_was_decided_also_one_that_no_reader_named(disputed: Room) -> None:
    add_class(disputed.study, disputed.alice, "blob", "Blob")
    settle(disputed, "blob")
    settle(disputed, "ring", crop=1)
    make_report(disputed.study.pk)
    rows = {row.crop_id: row for row in Consensus.objects.filter(study=disputed.study).select_related("label_class")}
    found = [rows[disputed.crops[place].pk] for place in (0, 1)]
    told = [(row.label_class and row.label_class.key, row.reads, row.share, row.is_disputed) for row in found]
    assert told == [("blob", 2, 0.0, False), ("ring", 2, 0.5, False)]
    assert found[0].votes == {"disc": 0.5, "ring": 0.5}
    assert (consensus(disputed), consensus(disputed, 1)) == ("blob", "ring")


def test_an_adjudicator_who_is_left_out_has_decided_nothing(disputed: Room) -> None:
    eve = add_reader(disputed.study, "eve")
    given = answer(disputed.study, eve, disputed.crops[0], "ring")
    Annotation.objects.filter(pk=given.pk).update(why_asked=ADJUDICATION)
    assert disputed_count(disputed.study) == 1
    exclude(disputed.study, eve, disputed.alice, "hasty")
    assert disputed_count(disputed.study) == 2


def test_a_decision_is_no_read_of_those_that_are_planned_and_no_answer_of_many_at_once(disputed: Room) -> None:
    disputed.study.reads_per_crop = 3
    disputed.study.save()
    before = reads_left(disputed.study)
    assert before.missing_in_hand == 3
    settle(disputed)
    settle(disputed, "", crop=2)
    after = reads_left(disputed.study)
    assert (after.answered, after.missing_in_hand) == (before.answered, before.missing_in_hand)
    assert workload(disputed.study).apart == {}


def test_a_leads_own_read_after_their_decision_is_no_adjudication(disputed: Room) -> None:
    disputed.study.adjudicates = True
    disputed.study.save()
    decision = settle(disputed)
    assert answer(disputed.study, disputed.alice, disputed.crops[0], "disc").why_asked != ADJUDICATION
    take_back(disputed, decision)
    assert answer(disputed.study, add_reader(disputed.study, "eve"), disputed.crops[1]).why_asked == ADJUDICATION


@pytest.mark.parametrize("label", ["ring", ""])
def test_a_decision_settles_nothing_while_no_read_counts_and_stands_again_with_the_reads(
    disputed: Room, label: str
) -> None:
    settle(disputed, label)
    crop = disputed.crops[0]
    before = standing_answers(disputed.study), b"".join(consensus_csv(disputed.study))
    assert ambiguous_crops(disputed.study) == ([] if label else [crop.pk])
    for reader in (disputed.bob, disputed.dora):
        exclude(disputed.study, reader, disputed.alice, "a test")
    assert standing_answers(disputed.study).crop_ids.tolist() == [] == ambiguous_crops(disputed.study)
    assert crop.key.encode() not in b"".join(consensus_csv(disputed.study))
    assert awaiting_reads(disputed.study, {crop.pk: crop.key}) == {crop.pk}
    for reader in (disputed.bob, disputed.dora):
        put_back(disputed.study, reader, disputed.alice, "a test")
    after = standing_answers(disputed.study), b"".join(consensus_csv(disputed.study))
    assert (after[0].votes.tolist(), after[1]) == (before[0].votes.tolist(), before[1])
