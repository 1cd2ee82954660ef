"""Sessions on disagreements: what is drawn, how they end, and what random crops say of them before and after."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from imaging.models import Crop
from labeling.agreement.change import BETTER, NO_TELLING, TOO_FEW, WORSE, change_in_words
from labeling.agreement.intervals import Estimate
from labeling.models import DisagreementSession
from labeling.services.answers import Submission
from labeling.services.decisions import decide
from labeling.services.examples import examples_of
from labeling.services.exclusions import exclude
from labeling.services.guidelines import change_guidelines, current_guideline
from labeling.services.reads import STREAM
from labeling.services.refusals import StudyRefused
from labeling.services.sessions import MOST_CROPS, Outcome, close_session, effect_of, keep_notes, start_session
from tests.factories import add_reader, answer, crops_of, fill_queue, make_experiment, make_study, make_user
from tests.labeling.conftest import Room


def disagree(room: Room, crops: list[Crop]) -> None:
    for crop in crops:
        answer(room.study, room.bob, crop, "disc")
        answer(room.study, room.dora, crop, "ring")


def agree(room: Room, crops: list[Crop]) -> None:
    for place, crop in enumerate(crops):
        for user in (room.bob, room.dora):
            answer(room.study, user, crop, ("disc", "ring")[place % 2])


def start(room: Room) -> DisagreementSession:
    return start_session(room.study, room.alice, *room.study.classes.filter(key__in=["disc", "ring"]))


@pytest.fixture
def wide(db: None, tmp_path: Any) -> Room:
    """A study over 120 crops, all of them drawn at random."""
    experiment = make_experiment(tmp_path, crops=120)
    alice = make_user("alice")
    study = make_study(alice, experiment)
    crops = crops_of(experiment)
    fill_queue(study, crops, why=STREAM)
    return Room(study, alice, add_reader(study, "bob"), add_reader(study, "dora"), crops)


def test_a_session_draws_up_to_24_undecided_crops_the_same_for_the_same_seed(wide: Room) -> None:
    disagree(wide, wide.crops[:40])
    decided = wide.crops[0]
    given = Submission(uuid4(), decided.pk, "label", timezone.now(), ("disc",))
    decide(wide.study, wide.alice, given)
    drawn = set(start(wide).crops.values_list("pk", flat=True))
    assert len(drawn) == MOST_CROPS and decided.pk not in drawn
    assert drawn <= {crop.pk for crop in wide.crops[:40]}
    DisagreementSession.objects.all().delete()
    assert set(start(wide).crops.values_list("pk", flat=True)) == drawn


def test_starting_twice_goes_on_with_the_open_session_whichever_class_comes_first(room: Room) -> None:
    disagree(room, room.crops[:2])
    first = start(room)
    disc, ring = room.study.classes.order_by("position")
    assert start_session(room.study, room.alice, ring, disc) == first
    assert AuditEvent.objects.filter(action="session.started").count() == 1
    close_session(first, room.alice, Outcome("nothing"))
    assert start(room) != first


def test_no_session_on_classes_that_nobody_mixes_up(room: Room) -> None:
    agree(room, room.crops[:2])
    with pytest.raises(StudyRefused, match="No crop is disputed"):
        start(room)


def test_closing_makes_a_version_of_the_guidelines_and_examples(room: Room) -> None:
    room.study.adjudicates = False
    room.study.save()
    disagree(room, room.crops[:2])
    session = start(room)
    keep_notes(session, room.alice, "an open rim is a ring")
    seen = current_guideline(room.study).number
    outcome = Outcome("open rims", "Open rims are rings.", "open rims", seen, {room.crops[0].pk: "ring"})
    close_session(session, room.alice, outcome)
    room.study.refresh_from_db()
    assert room.study.guidelines == "Open rims are rings."
    assert session.guideline == current_guideline(room.study) and session.guideline.number == seen + 1
    assert [row.crop for row in examples_of(room.study)["ring"]] == [room.crops[0]]
    actions = AuditEvent.objects.filter(action__startswith="session").order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["session.started", "session.noted", "session.closed"]
    for late in (
        lambda: keep_notes(session, room.alice, "late"),
        lambda: close_session(session, room.alice, Outcome("late")),
    ):
        with pytest.raises(StudyRefused, match="closed meanwhile"):
            late()


@pytest.mark.parametrize("wrong", ["words", "text", "seen", "example", "foreign", "long"])
def test_what_cannot_be_closed_so_leaves_everything_as_it_was(room: Room, wrong: str) -> None:
    disagree(room, room.crops[:2])
    session = start(room)
    seen = current_guideline(room.study).number
    if wrong == "seen":
        change_guidelines(room.study, room.alice, "somebody else's")
    refused = {
        "words": Outcome(" ", "new", "", seen),
        "text": Outcome("done", room.study.guidelines, "", seen),
        "seen": Outcome("done", "new", "", seen),
        # The study still asks a third reader, whom the example would tell the answer.
        "example": Outcome("done", "new", "", seen, {room.crops[0].pk: "ring"}),
        "foreign": Outcome("done", "new", "", seen, {room.crops[5].pk: "ring"}),
        "long": Outcome("x" * 4001, "new", "", seen),
    }[wrong]
    before = current_guideline(room.study).number
    with pytest.raises(StudyRefused):
        close_session(session, room.alice, refused)
    session.refresh_from_db()
    assert session.closed_at is None and session.guideline is None
    assert current_guideline(room.study).number == before and not any(examples_of(room.study).values())


def test_before_and_after_come_from_random_crops_under_the_old_and_the_new_guidelines(wide: Room) -> None:
    agree(wide, wide.crops[:20])
    disagree(wide, wide.crops[20:40])
    session = start(wide)
    before = Estimate(**session.agreement_before)
    assert before.n == 40 and before.high is not None and before.high < 0.5
    agree(wide, wide.crops[40:45])
    close_session(
        session, wide.alice, Outcome("rims", "Open rims are rings.", "", current_guideline(wide.study).number)
    )
    assert effect_of(session).word == TOO_FEW and effect_of(session).after.n == 0
    agree(wide, wide.crops[45:105])
    # Those that were talked over, and answers that were only changed, say nothing of the new text.
    agree(wide, wide.crops[20:40])
    effect = effect_of(session)
    assert (effect.before, effect.after.n, effect.after.value) == (before, 60, 1.0)
    assert effect.word == BETTER


def test_crops_that_were_not_drawn_at_random_and_third_reads_say_nothing(room: Room) -> None:
    disagree(room, room.crops[:6])
    assert start(room).agreement_before["n"] == 0


def test_a_session_without_a_change_has_no_after(room: Room) -> None:
    disagree(room, room.crops[:2])
    session = start(room)
    close_session(session, room.alice, Outcome("we could not settle it"))
    effect = effect_of(session)
    assert effect.after.value is None and effect.word == "" and "not changed" in effect.after.reason


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        (Estimate(0.4, 0.3, 0.5, 50), Estimate(0.8, 0.6, 0.9, 50), BETTER),
        (Estimate(0.8, 0.6, 0.9, 50), Estimate(0.4, 0.3, 0.5, 50), WORSE),
        (Estimate(0.4, 0.3, 0.5, 50), Estimate(0.6, 0.5, 0.9, 50), NO_TELLING),
        (Estimate(0.4, 0.3, 0.5, 29, "too few: 29 shared crops"), Estimate(0.8, 0.6, 0.9, 50), TOO_FEW),
        (Estimate(0.4, None, None, 1), Estimate(0.8, 0.6, 0.9, 50), TOO_FEW),
        (Estimate(None, None, None, 0), Estimate(None, None, None, 0), TOO_FEW),
    ],
)
def test_a_change_is_told_only_by_intervals_that_lie_apart(before: Estimate, after: Estimate, word: str) -> None:
    assert change_in_words(before, after) == word


def test_the_pages_of_a_session_keep_what_was_typed_where_they_refuse(room: Room) -> None:
    disagree(room, room.crops[:2])
    client, root = Client(), f"/studies/{room.study.pk}/sessions/"
    client.force_login(room.alice)
    classes = room.study.classes.order_by("position").values_list("pk", flat=True)
    address = client.post(root, {"a": classes[0], "b": classes[1]})["Location"]
    assert "round" not in client.get(address).content.decode()
    assert client.get(f"{address}?at=2").content.decode().count('class="dispute"') == 1
    typed = {"do": "close", "words": "", "text": "<script>alert(1)</script>", "seen": 1}
    refused = client.post(address, typed)
    text = refused.content.decode()
    assert refused.status_code == 400 and "<script>alert" not in text and "&lt;script&gt;alert(1)" in text
    assert client.post(address, {"do": "notes", "notes": "open rims"})["Location"] == address
    assert client.post(address, typed | {"words": "rims"})["Location"] == address
    closed = client.get(address).content.decode()
    assert "open rims" in closed and "came of it" in closed and "Close the session" not in closed
    assert "rims" in client.get(f"/studies/{room.study.pk}/discuss/").content.decode()
    assert client.post(root, {"a": classes[0], "b": classes[0]})["Location"].endswith("/discuss/")
    assert client.post(root, {"a": "x"}).status_code == 404
    client.force_login(room.bob)
    assert client.get(address).status_code == client.post(root).status_code == 403


def test_what_a_session_changed_is_worked_out_once_until_something_changes(
    room: Room, django_assert_max_num_queries: Any
) -> None:
    disagree(room, room.crops[:3])
    session = start(room)
    close_session(
        session, room.alice, Outcome("a hole makes a ring", "A hole makes a ring.", "holes", seen=_seen(room))
    )
    fill_queue(room.study, room.crops[4:8], why=STREAM)
    agree(room, room.crops[4:6])
    assert effect_of(session).after.n == 2
    with django_assert_max_num_queries(3):
        effect_of(session)
    agree(room, room.crops[6:8])
    assert effect_of(session).after.n == 4
    exclude(room.study, room.bob, room.alice, "hasty")
    assert effect_of(session).after.n == 0


def _seen(room: Room) -> int | None:
    newest = current_guideline(room.study)
    return newest.number if newest else None
