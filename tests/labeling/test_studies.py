"""A study is made whole or not at all, and who takes part in it sees its experiments and nothing else."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.http import Http404

from audit.models import AuditEvent
from imaging.services.access import experiments_of
from labeling.models import LabelClass, Membership, Study
from labeling.services.access import is_lead, join, led_study_for, studies_of, study_for
from labeling.services.studies import StudyPlan, StudyRefused, create_study, study_named
from tests.factories import make_experiment, make_study, make_user
from tests.labeling.conftest import Room


def plan(room: Room, **other: Any) -> StudyPlan:
    fields = {
        "name": "new",
        "question": "?",
        "classes": ("a", "b"),
        "experiments": tuple(room.study.experiments.all()),
    }
    return StudyPlan(**(fields | other))


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        ({"classes": ()}, "needs two or more named classes, it has 0"),
        ({"classes": ("a",)}, "needs two or more named classes, it has 1"),
        ({"classes": ("a", " ")}, "needs two or more named classes"),
        ({"classes": ("a", "b", "a ")}, "names a class twice"),
        ({"experiments": ()}, "needs at least one experiment"),
        ({"name": "nuclei"}, "A study named 'nuclei' exists"),
    ],
)
def test_a_plan_that_breaks_a_rule_is_refused_and_leaves_nothing(
    room: Room, other: dict[str, Any], reason: str
) -> None:
    with pytest.raises(StudyRefused, match=reason):
        create_study(plan(room, **other), room.alice)
    assert Study.objects.count() == 1


def test_experiments_of_different_channels_do_not_share_a_study(room: Room, tmp_path: Path) -> None:
    first = room.study.experiments.get()
    second = make_experiment(tmp_path, "two channels", seed=3)
    second.channels = [*second.channels, {"name": "other"}]
    with pytest.raises(StudyRefused, match="plate 1 has 1, two channels has 2"):
        create_study(plan(room, experiments=(first, second)), room.alice)


def test_a_new_study_has_its_lead_its_classes_in_order_and_its_event(room: Room) -> None:
    study = create_study(plan(room, classes=("zeta", "alpha")), room.alice)
    assert is_lead(room.alice, study)
    assert list(study.classes.values_list("key", flat=True)) == ["zeta", "alpha"]
    assert len(set(study.classes.values_list("color", flat=True))) == 2
    assert AuditEvent.objects.last().action == "study.created"


@pytest.mark.parametrize(
    "broken",
    [
        {"reads_per_crop": 0},
        {"overlap_share": -0.1},
        {"overlap_share": 1.1},
        {"random_share": 2.0},
        {"coverage_share": -1.0},
        {"reread_share": 1.5},
    ],
)
def test_the_database_refuses_shares_and_reads_out_of_range(room: Room, broken: dict[str, float]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Study.objects.filter(pk=room.study.pk).update(**broken)


def test_the_database_refuses_a_second_class_of_the_same_key_or_place(room: Room) -> None:
    for key, position in (("disc", 8), ("new", 0)):
        with pytest.raises(IntegrityError), transaction.atomic():
            LabelClass.objects.create(study=room.study, key=key, name="x", color="#000000", position=position)


def test_a_stranger_sees_neither_study_nor_experiment_until_they_join(room: Room) -> None:
    stranger = make_user("charlie")
    with pytest.raises(Http404):
        study_for(stranger, room.study.pk)
    join(room.study, stranger, Membership.Role.ANNOTATOR)
    assert study_for(stranger, room.study.pk) == room.study
    assert list(experiments_of(stranger)) == list(room.study.experiments.all())


def test_an_annotator_does_not_lead_and_an_administrator_does(room: Room) -> None:
    with pytest.raises(PermissionDenied):
        led_study_for(room.bob, room.study.pk)
    admin = make_user("root", is_superuser=True)
    assert led_study_for(admin, room.study.pk) == room.study
    assert list(studies_of(admin)) == [room.study]


def test_joining_twice_changes_the_role_and_adds_no_row(room: Room) -> None:
    before = room.study.memberships.count()
    join(room.study, room.bob, Membership.Role.LEAD)
    assert room.study.memberships.count() == before
    assert is_lead(room.bob, room.study)


def test_a_study_is_found_by_name_before_number(room: Room) -> None:
    odd = make_study(room.alice, *room.study.experiments.all(), name=str(room.study.pk))
    assert study_named(str(room.study.pk)) == odd
    assert study_named(str(odd.pk)) == odd
    with pytest.raises(StudyRefused, match=r"There is no study 'none'\. Known: "):
        study_named("none")
