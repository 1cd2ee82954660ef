"""Who decides: disputes go to a third reader, seniors first; what one could not tell goes to seniors alone."""

from typing import Any

import pytest

from labeling.models import Membership, Study
from labeling.services.ambiguous import ambiguous_crops
from labeling.services.queue import next_crops, senior_note
from labeling.services.reads import ADJUDICATION
from tests.factories import add_reader, answer
from tests.labeling.conftest import Room


def wants(room: Room, **settings: Any) -> None:
    Study.objects.filter(pk=room.study.pk).update(**settings)
    room.study.refresh_from_db()


def make_senior(room: Room, user: Any) -> None:
    Membership.objects.filter(study=room.study, user=user).update(is_senior=True)


def offered(room: Room, user: Any) -> dict[int, str]:
    return {row.crop_id: row.why for row in next_crops(room.study, user, 12)}


@pytest.fixture
def disputed(room: Room) -> Room:
    """Every crop is read twice; Bob and Dora have named different classes for the first."""
    wants(room, reads_per_crop=2)
    answer(room.study, room.bob, room.crops[0], "disc")
    answer(room.study, room.dora, room.crops[0], "ring")
    return room


def test_a_dispute_goes_to_a_third_reader_once_and_never_to_the_two(disputed: Room) -> None:
    crop = disputed.crops[0].pk
    eve, finn = add_reader(disputed.study, "eve"), add_reader(disputed.study, "finn")
    assert offered(disputed, eve)[crop] == ADJUDICATION
    assert not any(crop in offered(disputed, user) for user in (disputed.bob, disputed.dora, finn))
    given = answer(disputed.study, eve, crop, "ring")
    assert given.why_asked == ADJUDICATION
    assert not any(crop in offered(disputed, user) for user in (disputed.bob, disputed.dora, finn, disputed.alice))


def test_an_adjudicator_who_cannot_tell_leaves_the_crop_ambiguous(disputed: Room) -> None:
    answer(disputed.study, add_reader(disputed.study, "eve"), disputed.crops[0], "")
    assert ambiguous_crops(disputed.study) == [disputed.crops[0].pk]


def test_three_planned_reads_of_which_two_agree_need_no_adjudicator(room: Room) -> None:
    wants(room, reads_per_crop=3)
    for user, said in ((room.bob, "disc"), (room.dora, "ring"), (room.alice, "ring")):
        assert answer(room.study, user, room.crops[0], said).why_asked != ADJUDICATION
    assert room.crops[0].pk not in offered(room, add_reader(room.study, "eve"))


def test_a_dispute_is_left_to_seniors_while_the_reader_has_anything_else(disputed: Room) -> None:
    senior, eve = add_reader(disputed.study, "senior"), add_reader(disputed.study, "eve")
    make_senior(disputed, senior)
    crop = disputed.crops[0].pk
    assert list(offered(disputed, eve))[-1] == crop
    assert next_crops(disputed.study, senior, 1)[0].crop_id == crop


def test_seniors_who_disagree_themselves_leave_the_dispute_to_anybody(disputed: Room) -> None:
    make_senior(disputed, disputed.bob)
    make_senior(disputed, disputed.dora)
    assert next_crops(disputed.study, add_reader(disputed.study, "eve"), 1)[0].crop_id == disputed.crops[0].pk


@pytest.mark.parametrize("routed", [True, False])
def test_what_a_reader_could_not_tell_goes_to_seniors_and_leads_where_the_study_says_so(
    room: Room, routed: bool
) -> None:
    senior, crop = add_reader(room.study, "senior"), room.crops[0].pk
    make_senior(room, senior)
    wants(room, routes_not_sure_to_seniors=routed)
    answer(room.study, room.bob, crop, "")
    assert (crop in offered(room, room.dora)) is not routed
    Membership.objects.filter(user=room.dora).update(role=Membership.Role.LEAD)
    room.study.leases.all().delete()
    assert crop in offered(room, room.dora)
    room.study.leases.all().delete()
    assert crop in offered(room, senior)


@pytest.mark.parametrize("seniors", [[], ["bob"]], ids=["no senior", "the senior could not tell either"])
def test_without_a_senior_who_could_read_it_anybody_gets_it(room: Room, seniors: list[str]) -> None:
    Membership.objects.filter(user__username__in=seniors).update(is_senior=True)
    wants(room, routes_not_sure_to_seniors=True)
    answer(room.study, room.bob, room.crops[0], "")
    assert room.crops[0].pk in offered(room, room.dora)


def test_second_reads_that_were_planned_anyway_are_not_routed(room: Room) -> None:
    make_senior(room, add_reader(room.study, "senior"))
    wants(room, routes_not_sure_to_seniors=True, overlap_share=1.0)
    answer(room.study, room.bob, room.crops[0], "")
    assert room.crops[0].pk in offered(room, room.dora)


def test_the_note_for_leads_says_who_reads_what_others_could_not_tell(room: Room) -> None:
    assert "any other reader" in senior_note(room.study)
    wants(room, routes_not_sure_to_seniors=True)
    assert "no senior reader yet" in senior_note(room.study)
    make_senior(room, room.dora)
    assert senior_note(room.study) == "What one reader was not sure of goes to dora and to leads alone."
