"""Example crops of classes: chosen by leads, shown with the guidelines, and telling blind readers nothing more."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from audit.models import AuditEvent
from labeling.models import Annotation, ClassExample, LabelClass, Study
from labeling.services.answers import undo
from labeling.services.classes import add_class, retire_class
from labeling.services.examples import MOST_EXAMPLES, add_example, examples_of, remove_example
from labeling.services.reads import STREAM
from labeling.services.refusals import StudyRefused
from tests.factories import answer, crops_of, make_experiment, make_user
from tests.labeling.conftest import Room


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def of(room: Room, key: str) -> LabelClass:
    return room.study.classes.get(key=key)


@pytest.fixture(autouse=True)
def read(room: Room) -> None:
    """Dora has read every crop, once each as the study wants it."""
    for crop in room.crops:
        answer(room.study, room.dora, crop)


@pytest.mark.parametrize("waits", ["unread", "random check", "shared", "planned"])
def test_a_crop_that_somebody_has_still_to_read_is_no_example(room: Room, waits: str) -> None:
    crop = room.crops[0]
    if waits == "unread":
        undo(room.study, room.dora, uuid4(), Annotation.objects.get(crop=crop).client_id)
    elif waits == "random check":
        Annotation.objects.filter(crop=crop).update(why_asked=STREAM)
    else:
        Study.objects.update(**({"overlap_share": 1.0} if waits == "shared" else {"reads_per_crop": 2}))
    row = LabelClass.objects.select_related("study").get(key="disc")
    with pytest.raises(StudyRefused, match=f"Crop {crop.pk} still waits for a reader"):
        add_example(row, room.alice, crop.pk)
    for reader in (room.bob, room.alice)[: 2 if waits == "unread" else 1]:
        answer(row.study, reader, crop)
    add_example(row, room.alice, crop.pk)


def test_an_example_is_shown_once_and_another_note_replaces_the_first(room: Room) -> None:
    for note in ("typical", "typical", "at the edge"):
        add_example(of(room, "disc"), room.alice, room.crops[0].pk, note)
    assert ClassExample.objects.get().note == "at the edge"
    assert AuditEvent.objects.filter(action="class.example_set").count() == 2
    remove_example(ClassExample.objects.get(), room.alice)
    assert not ClassExample.objects.exists()
    assert AuditEvent.objects.get(action="class.example_removed").detail["crop"] == room.crops[0].key


def test_a_crop_of_another_study_is_refused(room: Room, tmp_path: Path) -> None:
    foreign = crops_of(make_experiment(tmp_path / "other", "plate 2", crops=6))[0]
    for number in (foreign.pk, 10**9):
        with pytest.raises(StudyRefused, match=f"Crop {number} is not in this study"):
            add_example(of(room, "disc"), room.alice, number)


def test_a_class_has_as_many_examples_as_a_sheet_shows(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labeling.services.examples.MOST_EXAMPLES", 2)
    assert MOST_EXAMPLES > 2
    for crop in room.crops[:2]:
        add_example(of(room, "disc"), room.alice, crop.pk)
    with pytest.raises(StudyRefused, match="as many as fit"):
        add_example(of(room, "disc"), room.alice, room.crops[2].pk)
    add_example(of(room, "disc"), room.alice, room.crops[0].pk, "another note")


def test_open_classes_show_theirs_and_crops_that_left_the_study_are_out(room: Room) -> None:
    blob = add_class(room.study, room.alice, "blob", "Blob")
    for row in (blob, of(room, "disc")):
        add_example(row, room.alice, room.crops[0].pk)
    retire_class(blob, room.alice)
    found = examples_of(room.study)
    assert {key: [row.crop for row in rows] for key, rows in found.items()} == {"disc": [room.crops[0]], "ring": []}
    room.study.experiments.clear()
    assert examples_of(room.study) == {"disc": [], "ring": []}


@pytest.mark.parametrize("is_blind", [True, False])
def test_the_api_gives_members_the_crops_as_the_room_draws_them(room: Room, is_blind: bool) -> None:
    Study.objects.update(is_blind=is_blind)
    add_example(of(room, "ring"), room.alice, room.crops[1].pk, "<b>thin</b>")
    address = f"/api/v1/studies/{room.study.pk}/examples/"
    found = client_of(room.bob).get(address).json()
    assert list(found) == ["disc", "ring"] and found["disc"] == []
    (example,) = found["ring"]
    assert (example["note"], example["crop"]["id"]) == ("<b>thin</b>", room.crops[1].pk)
    assert client_of(room.bob).get(example["crop"]["pixels"]).status_code == 200
    hidden = [example["crop"][name] for name in ("key", "experiment", "why")]
    assert (hidden == [None] * 3) is is_blind
    assert client_of(make_user("eve")).get(address).status_code == 404


def test_a_lead_adds_and_removes_examples_on_the_pages(room: Room) -> None:
    lead, base = client_of(room.alice), f"/studies/{room.study.pk}/settings"
    disc = of(room, "disc")
    given = {"class": disc.pk, "crop": room.crops[0].pk, "note": "why <i>"}
    assert lead.post(f"{base}/examples/", given)["Location"] == f"{base}/classes/{disc.pk}/"
    from_crop = lead.post(f"{base}/examples/", given | {"back": "crop"})["Location"]
    assert from_crop == f"/studies/{room.study.pk}/crops/{room.crops[0].pk}/"
    page = lead.get(f"{base}/classes/{disc.pk}/").content.decode()
    assert "why &lt;i&gt;" in page and "why <i>" not in page
    said = lead.post(f"{base}/examples/", {"class": "x", "crop": "y"}, follow=True).content.decode()
    assert "Choose a class and type the number of a crop" in said
    lead.post(f"{base}/examples/{ClassExample.objects.get().pk}/remove/")
    assert not ClassExample.objects.exists()
    assert "Show as an example of" in lead.get(from_crop).content.decode()
    assert "Show as an example of" not in client_of(room.bob).get(from_crop).content.decode()
