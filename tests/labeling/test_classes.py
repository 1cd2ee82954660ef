"""Classes change over time; answers stay as they were given and count for the class that holds them now."""

from typing import Any

import pytest

from audit.models import AuditEvent
from labeling.models import LabelClass
from labeling.services import progress
from labeling.services.answers import AnswerRefused
from labeling.services.class_history import history_of, history_of_class
from labeling.services.classes import add_class, change_class, move_class, restore_class, retire_class, split_class
from labeling.services.reads import reads_of
from labeling.services.studies import NewClass, StudyRefused
from labeling.services.summary import agreement_of
from tests.factories import answer
from tests.labeling.conftest import Room


@pytest.fixture
def blob(room: Room) -> LabelClass:
    return add_class(room.study, room.alice, "blob", "Blob")


def of(room: Room, key: str) -> LabelClass:
    return room.study.classes.get(key=key)


def test_a_new_class_comes_last_and_its_key_is_its_own(room: Room, blob: LabelClass) -> None:
    assert list(room.study.classes.values_list("key", flat=True)) == ["disc", "ring", "blob"]
    with pytest.raises(StudyRefused, match="has a class with the key 'blob'"):
        add_class(room.study, room.alice, "blob", "Another")


@pytest.mark.parametrize("color", ["red", "#12345", "#12345g", "url(x)"])
def test_a_colour_is_six_hexadecimal_digits(room: Room, color: str) -> None:
    with pytest.raises(StudyRefused, match="is not a colour"):
        change_class(of(room, "disc"), room.alice, "disc", color)


def test_a_change_is_told_with_what_was_before_and_no_change_is_not_told(room: Room) -> None:
    row = of(room, "disc")
    change_class(row, room.alice, row.name, row.color)
    change_class(row, room.alice, "Disk", "#AABBCC")
    (event,) = AuditEvent.objects.filter(action="class.changed")
    assert (event.detail["before"]["name"], event.detail["after"]["name"]) == ("disc", "Disk")
    assert event.detail["after"]["color"] == "#aabbcc"


def test_a_retired_class_takes_no_answers_and_keeps_those_it_has(room: Room, blob: LabelClass) -> None:
    answer(room.study, room.bob, room.crops[0], "blob")
    retire_class(blob, room.alice)
    with pytest.raises(AnswerRefused, match="no open class 'blob'"):
        answer(room.study, room.dora, room.crops[1], "blob")
    assert reads_of(room.study)[room.crops[0].pk][0].label == "blob"


def test_a_refused_answer_is_told_what_became_of_its_class(room: Room, blob: LabelClass) -> None:
    retire_class(blob, room.alice, of(room, "disc"))
    with pytest.raises(AnswerRefused, match="it was merged into 'disc'"):
        answer(room.study, room.dora, room.crops[1], "blob")
    split_class(of(room, "ring"), room.alice, [NewClass("thin", "thin"), NewClass("thick", "thick")])
    with pytest.raises(AnswerRefused, match="it was split into others"):
        answer(room.study, room.dora, room.crops[1], "ring")


def test_answers_of_a_merged_class_count_for_its_target_everywhere(room: Room, blob: LabelClass) -> None:
    given = answer(room.study, room.bob, room.crops[0], "blob")
    answer(room.study, room.dora, room.crops[0], "disc")
    assert agreement_of(room.study)["percent_agreement"] == 0
    retire_class(blob, room.alice, of(room, "disc"))
    assert agreement_of(room.study)["percent_agreement"] == 1
    assert {read.label for read in reads_of(room.study)[room.crops[0].pk]} == {"disc"}
    assert {row["key"]: row["count"] for row in progress.by_class(room.study)} == {"disc": 2, "ring": 0}
    assert given.labels.get().label_class.key == "blob"


def test_a_merge_goes_on_with_its_target_and_ends_with_its_own_return(room: Room, blob: LabelClass) -> None:
    spot = add_class(room.study, room.alice, "spot", "Spot")
    answer(room.study, room.bob, room.crops[0], "spot")
    retire_class(spot, room.alice, blob)
    retire_class(blob, room.alice, of(room, "disc"))
    assert reads_of(room.study)[room.crops[0].pk][0].label == "disc"
    spot.refresh_from_db()
    restore_class(spot, room.alice)
    assert reads_of(room.study)[room.crops[0].pk][0].label == "spot"


def refusals(room: Room, blob: LabelClass) -> list[tuple[Any, str]]:
    return [
        (lambda: retire_class(blob, room.alice, blob), "another open class"),
        (lambda: [retire_class(of(room, key), room.alice) for key in ("disc", "ring")], "needs two open classes"),
        (lambda: restore_class(blob, room.alice), "is open"),
        (lambda: [retire_class(blob, room.alice) for _ in range(2)], "retired already"),
    ]


@pytest.mark.parametrize("case", range(4))
def test_what_would_leave_a_study_without_a_question_is_refused(room: Room, blob: LabelClass, case: int) -> None:
    act, reason = refusals(room, blob)[case]
    with pytest.raises(StudyRefused, match=reason):
        act()


def test_a_name_or_a_key_that_is_taken_is_refused_spaces_or_not(room: Room, blob: LabelClass) -> None:
    for key, name in ((" blob ", "Other"), ("other", " Blob ")):
        with pytest.raises(StudyRefused, match="This study has a class"):
            add_class(room.study, room.alice, key, name)
    with pytest.raises(StudyRefused, match="has a class named 'disc'"):
        change_class(blob, room.alice, "disc", blob.color)
    assert room.study.classes.count() == 3


def test_a_class_moves_to_a_place_and_the_others_keep_their_order(room: Room, blob: LabelClass) -> None:
    for place, expected in (
        (1, ["blob", "disc", "ring"]),
        (2, ["disc", "blob", "ring"]),
        (99, ["disc", "ring", "blob"]),
    ):
        move_class(of(room, "blob"), room.alice, place)
        assert list(room.study.classes.order_by("position").values_list("key", flat=True)) == expected
    moves = AuditEvent.objects.filter(action="class.moved")
    assert [(row.detail["from"], row.detail["to"]) for row in moves] == [(3, 1), (1, 2), (2, 3)]
    move_class(of(room, "blob"), room.alice, 3)
    assert moves.count() == 3


def test_a_retired_class_takes_no_place_on_the_keyboard(room: Room, blob: LabelClass) -> None:
    retire_class(of(room, "disc"), room.alice)
    with pytest.raises(StudyRefused, match="has no place"):
        move_class(of(room, "disc"), room.alice, 1)
    move_class(blob, room.alice, 1)
    open_ones = room.study.classes.filter(retired_at__isnull=True).order_by("position")
    assert [row.key for row in open_ones] == ["blob", "ring"]


def test_the_history_tells_every_change_in_words_newest_first(room: Room, blob: LabelClass) -> None:
    change_class(blob, room.alice, "Spot", "#010203", "small and <bright>")
    move_class(blob, room.alice, 1)
    retire_class(blob, room.alice, of(room, "disc"))
    blob.refresh_from_db()
    restore_class(blob, room.alice)
    split_class(blob, room.alice, [NewClass("a", "a"), NewClass("b", "b")])
    texts = [change.text for change in history_of_class(blob)]
    assert texts[0] == "split into a, b" and texts[-1] == "added"
    assert texts[1:4] == ["restored", "merged into disc", "moved from place 3 to 1"]
    assert texts[4].startswith("renamed from “Blob” to “Spot”; coloured #010203 instead of ")
    assert texts[4].endswith("described anew")
    assert {change.by for change in history_of_class(blob)} == {"alice"}
    assert [change.text for change in history_of(room.study)] == texts


def test_a_description_keeps_its_lines_and_stays_when_it_is_not_named(room: Room) -> None:
    row = of(room, "disc")
    change_class(row, room.alice, row.name, row.color, "one\r\n\r\ntwo ")
    change_class(row, room.alice, "Disk", row.color)
    row.refresh_from_db()
    assert (row.name, row.description) == ("Disk", "one\n\ntwo")
