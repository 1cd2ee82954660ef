"""What leads may change of a study: by rules, with an event, and nobody else."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from audit.models import AuditEvent
from imaging.services.access import experiments_of
from labeling.models import Lease, Membership, RequestedCrop, Study
from labeling.services.access import is_lead, join
from labeling.services.queue import next_crops
from labeling.services.requests import request_crops
from labeling.services.settings import change_study, remove_member, set_member
from labeling.services.studies import StudyRefused, study_saved
from tests.factories import answer, crops_of, fill_queue, make_experiment, make_study, make_user
from tests.labeling.conftest import Room


def test_a_change_is_stored_and_told_with_what_was_before(room: Room) -> None:
    assert change_study(room.study, room.alice, {"random_share": 0.3, "question": "Disc or ring?"}) == [
        "random_share"
    ]
    event = AuditEvent.objects.filter(action="study.changed").get()
    assert event.detail == {"random_share": [0.1, 0.3]}
    room.study.refresh_from_db()
    assert room.study.random_share == 0.3


def test_nothing_changed_is_nothing_told(room: Room) -> None:
    assert change_study(room.study, room.alice, {"name": room.study.name}) == []
    assert not AuditEvent.objects.filter(action="study.changed").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stream_in_training": False}, "decided once, when the study is created"),
        ({"strategy": "magic"}, "'magic' is not a known strategy: choose one of .*uherding"),
        ({"encoder": "file:../../x"}, "unknown encoder 'file:../../x'"),
        ({"encoder": "hub:evil"}, "unknown encoder 'hub:evil'"),
        ({"encoder": "magic"}, "'magic' is not a known encoder: choose one of .*or file:NAME or hub:OWNER/NAME"),
        ({"encoder": "file:"}, "is not a known encoder"),
        ({"random_share": 1.5}, "a share lies between 0 and 1"),
        ({"random_share": 0.6, "coverage_share": 0.5}, "more than the whole queue"),
        ({"name": ""}, "cannot be blank"),
        ({"reads_per_crop": 0}, "reads_at_least_one"),
        ({"experiments": []}, "at least one experiment"),
        ({"seed": 4}, "has no setting 'seed'"),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_and_nothing_is_stored(
    room: Room, changes: dict[str, Any], reason: str
) -> None:
    before = Study.objects.values().get()
    with pytest.raises(StudyRefused, match=reason):
        change_study(room.study, room.alice, {"question": "Another?"} | changes)
    assert Study.objects.values().get() == before


@pytest.mark.parametrize("encoder", ["untrained", "file:plain.safetensors", "hub:timm/resnet18.a1_in1k"])
def test_encoders_on_offer_and_places_of_encoders_are_taken(room: Room, encoder: str) -> None:
    change_study(room.study, room.alice, {"encoder": encoder})
    assert Study.objects.get().encoder == encoder


def test_the_use_of_the_stream_is_fixed_for_forms_of_all_kinds(room: Room) -> None:
    room.study.stream_in_training = False
    with pytest.raises(ValidationError, match="decided once"):
        room.study.full_clean()


def test_shares_that_fill_more_than_the_queue_are_refused_in_admin_too(room: Room) -> None:
    room.study.random_share, room.study.coverage_share = 0.6, 0.5
    with pytest.raises(ValidationError) as refused:
        room.study.full_clean()
    assert set(refused.value.message_dict) == {"random_share", "coverage_share"}
    room.study.random_share = 0.5
    room.study.full_clean()


def test_an_answer_keeps_its_reason_when_the_shares_change(room: Room) -> None:
    given = answer(room.study, room.bob, room.crops[0])
    change_study(room.study, room.alice, {"random_share": 0.0})
    given.refresh_from_db()
    assert given.why_asked == "uncertain"


def test_an_experiment_that_holds_answers_stays_and_one_that_holds_none_may_go(room: Room, tmp_path: Path) -> None:
    first, second = room.study.experiments.get(), make_experiment(tmp_path, "plate 2", crops=2, seed=3)
    change_study(room.study, room.alice, {"experiments": [first, second]})
    assert set(experiments_of(room.bob)) == {first, second}
    change_study(room.study, room.alice, {"experiments": [first]})
    assert list(experiments_of(room.bob)) == [first]
    answer(room.study, room.bob, room.crops[0])
    with pytest.raises(StudyRefused, match="'plate 1' holds answers"):
        change_study(room.study, room.alice, {"experiments": [second]})
    assert list(room.study.experiments.all()) == [first]


def test_annotators_lose_sight_when_a_study_becomes_blind_and_gain_it_when_it_opens(room: Room) -> None:
    change_study(room.study, room.alice, {"is_blind": True})
    assert (experiments_of(room.bob).count(), experiments_of(room.alice).count()) == (0, 1)
    change_study(room.study, room.alice, {"is_blind": False})
    assert experiments_of(room.bob).count() == 1


def test_a_member_comes_changes_and_goes_with_what_they_held(room: Room) -> None:
    eve = make_user("eve")
    set_member(room.study, room.alice, "eve", Membership.Role.LEAD)
    assert is_lead(eve, room.study) and experiments_of(eve).exists()
    member = set_member(room.study, room.alice, "eve", Membership.Role.ANNOTATOR)
    next_crops(room.study, eve, 3)
    remove_member(member, room.alice)
    assert not experiments_of(eve).exists() and not Lease.objects.filter(user=eve).exists()
    events = AuditEvent.objects.filter(action__startswith="member.").values_list("action", flat=True)
    assert list(events) == ["member.set", "member.set", "member.removed"]


def test_a_lead_who_becomes_an_annotator_of_a_blind_study_sees_crops_only(room: Room) -> None:
    change_study(room.study, room.alice, {"is_blind": True})
    set_member(room.study, room.alice, "dora", Membership.Role.LEAD)
    assert experiments_of(room.dora).exists()
    set_member(room.study, room.alice, "dora", Membership.Role.ANNOTATOR)
    assert not experiments_of(room.dora).exists()


def test_the_last_lead_stays_and_accounts_and_roles_must_exist(room: Room) -> None:
    with pytest.raises(StudyRefused, match="needs a lead"):
        remove_member(room.study.memberships.get(user=room.alice), room.alice)
    with pytest.raises(StudyRefused, match="needs a lead"):
        set_member(room.study, room.alice, "alice", Membership.Role.ANNOTATOR)
    with pytest.raises(StudyRefused, match="There is no account 'nobody'"):
        set_member(room.study, room.alice, "nobody", Membership.Role.LEAD)
    with pytest.raises(StudyRefused, match="'king' is not a role"):
        set_member(room.study, room.alice, "bob", "king")


def test_crops_of_an_experiment_that_leaves_the_study_are_offered_to_nobody(room: Room, tmp_path: Path) -> None:
    kept, leaving = room.study.experiments.get(), make_experiment(tmp_path, "plate 2", crops=6, seed=5)
    change_study(room.study, room.alice, {"experiments": [kept, leaving]})
    crops = crops_of(leaving)
    request_crops(room.study, room.bob, room.crops[0], [crops[0].pk])
    request_crops(room.study, room.dora, crops[1], [room.crops[5].pk])
    fill_queue(room.study, [*crops[2:], *room.crops[:2]])
    next_crops(room.study, room.bob, 3)
    change_study(room.study, room.alice, {"experiments": [kept]})
    assert [row.crop_id for row in next_crops(room.study, room.bob, 12)] == [crop.pk for crop in room.crops[:2]]
    assert not RequestedCrop.objects.exists()


def test_a_study_keeps_a_strategy_that_is_no_longer_on_offer_while_other_things_change(room: Room) -> None:
    Study.objects.update(strategy="of yesterday")
    assert change_study(room.study, room.alice, {"question": "Another?", "strategy": "of yesterday"}) == ["question"]
    with pytest.raises(StudyRefused, match="is not a known strategy"):
        change_study(room.study, room.alice, {"strategy": "of tomorrow"})


@pytest.mark.parametrize(("other", "sees"), [({"is_blind": True}, False), ({"is_blind": False}, True)])
def test_a_blind_study_is_no_reason_to_keep_an_experiment_in_sight(
    room: Room, other: dict[str, bool], sees: bool
) -> None:
    join(make_study(room.alice, room.study.experiments.get(), name="another", **other), room.bob, "annotator")
    remove_member(Membership.objects.get(study=room.study, user=room.bob), room.alice)
    assert experiments_of(room.bob).exists() == sees


def test_a_study_that_is_made_blind_in_admin_hides_its_experiments_from_annotators_alone(room: Room) -> None:
    Study.objects.update(is_blind=True)
    room.study.refresh_from_db()
    study_saved(room.study, room.alice, created=False)
    assert (experiments_of(room.bob).exists(), experiments_of(room.alice).exists()) == (False, True)
