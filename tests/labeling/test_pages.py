"""The pages of a study: leads see figures, annotators their own progress, and typed text stays text."""

import csv
import json
import re
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from labeling.models import LabelClass, Study
from labeling.services.answers import undo
from labeling.services.classes import add_class, retire_class
from tests.factories import answer
from tests.labeling.conftest import Room

MARKUP = "<script>alert('µ & \"')</script>"


def page(room: Room, user: Any, name: str = "") -> str:
    client = Client()
    client.force_login(user)
    response = client.get(f"/studies/{room.study.pk}/{name}")
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("name", ["", "read/", "models/"])
def test_what_people_type_is_never_markup(room: Room, name: str) -> None:
    Study.objects.filter(pk=room.study.pk).update(name=MARKUP, question=MARKUP, guidelines=MARKUP)
    LabelClass.objects.update(name=MARKUP, description=MARKUP)
    room.bob.username = MARKUP
    room.bob.save()
    answer(room.study, room.bob, room.crops[0], reason=MARKUP)
    assert "<script>alert" not in page(room, room.alice, name)


def test_an_overview_without_answers_shows_no_figure_and_no_error(room: Room) -> None:
    assert "Krippendorff" in page(room, room.alice) or "agreement" in page(room, room.alice).lower()


def test_an_annotator_sees_nobody_elses_figures(room: Room) -> None:
    answer(room.study, room.dora, room.crops[0])
    assert "dora" in page(room, room.alice)
    assert "dora" not in page(room, room.bob)


def test_the_room_is_told_its_classes_and_addresses_but_not_retired_classes(room: Room) -> None:
    room.study.classes.filter(key="ring").update(retired_at="2026-01-01T00:00Z")
    text = page(room, room.bob, "read/")
    config = json.loads(re.search(r'id="room-config"[^>]*>(.*?)</script>', text, re.DOTALL)[1])
    assert [row["key"] for row in config["classes"]] == ["disc"]
    assert config["urls"]["next"] == f"/api/v1/studies/{room.study.pk}/next/"


def test_the_table_of_answers_holds_every_row_and_says_which_stand(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "disc")
    answer(room.study, room.bob, room.crops[0], "ring")
    answer(room.study, room.dora, room.crops[1], "")
    undo(room.study, room.dora, uuid4())
    client = Client()
    client.force_login(room.alice)
    lines = b"".join(client.get(f"/studies/{room.study.pk}/answers.csv").streaming_content).decode()
    rows = list(csv.DictReader(StringIO(lines)))
    assert [(row["answer"], row["class"], row["stands"]) for row in rows] == [
        ("label", "disc", "False"),
        ("label", "ring", "True"),
        ("not_sure", "", "False"),
        ("withdrawn", "", "False"),
    ]


def test_the_table_of_answers_says_why_each_crop_was_asked_and_how_it_was_drawn(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0])
    client = Client()
    client.force_login(room.alice)
    lines = b"".join(client.get(f"/studies/{room.study.pk}/answers.csv").streaming_content).decode()
    (row,) = csv.DictReader(StringIO(lines))
    assert (row["why_asked"], row["probability_asked"], row["ranking"]) == ("uncertain", "deterministic", "ab" * 32)


def test_a_class_that_is_retired_leaves_the_overview_unless_answers_name_it(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0], "disc")
    for key in ("oval", "long"):
        add_class(room.study, room.alice, key, key)
    assert '<span class="break">ring<' in page(room, room.alice) and "“ring” (none)" in page(room, room.alice)
    for key in ("disc", "ring"):
        retire_class(room.study.classes.get(key=key), room.alice)
    told = page(room, room.alice)
    assert '<span class="break">disc<' in told and '<span class="break">ring<' not in told
    assert "“ring” (" not in told and "“disc” (" not in told and "“oval” (none)" in told
