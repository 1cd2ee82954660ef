"""Guidelines have versions: every text that was in force is kept, with who changed it, and can be compared."""

import importlib
from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from audit.models import AuditEvent
from labeling.models import Annotation, GuidelineVersion
from labeling.services.guidelines import (
    answers_by_version,
    change_guidelines,
    compare,
    current_guideline,
    keep_version,
)
from labeling.services.refusals import StudyRefused
from labeling.services.settings import change_study
from labeling.services.studies import study_saved
from tests.factories import answer, make_user
from tests.labeling.conftest import Room


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def numbers(room: Room) -> list[int]:
    return list(room.study.guideline_versions.order_by("number").values_list("number", flat=True))


def test_a_study_starts_with_version_one_and_every_other_text_makes_the_next(room: Room) -> None:
    assert (current_guideline(room.study).number, current_guideline(room.study).text) == (1, "")
    assert change_guidelines(room.study, room.alice, "Round is below 1.2.", "first text")
    assert not change_guidelines(room.study, room.alice, "Round is below 1.2.\r\n", "nothing new")
    newest = current_guideline(room.study)
    assert (newest.number, newest.text, newest.change, newest.by) == (
        2,
        "Round is below 1.2.",
        "first text",
        room.alice,
    )
    (event,) = AuditEvent.objects.filter(action="guidelines.changed")
    assert event.detail == {"study": room.study.pk, "number": 2, "change": "first text"}


def test_guidelines_that_change_with_the_settings_or_in_admin_are_kept_too(room: Room) -> None:
    change_study(room.study, room.alice, {"guidelines": "by the settings"})
    room.study.guidelines = "by Admin"
    room.study.save()
    study_saved(room.study, room.alice, created=False)
    texts = room.study.guideline_versions.order_by("number").values_list("text", flat=True)
    assert list(texts) == ["", "by the settings", "by Admin"]
    change_study(room.study, room.alice, {"question": "Another?"})
    assert keep_version(room.study, room.alice) == current_guideline(room.study)
    assert numbers(room) == [1, 2, 3]


def test_whoever_saves_second_is_told_and_overwrites_nothing(room: Room) -> None:
    change_guidelines(room.study, room.alice, "one", seen=1)
    with pytest.raises(StudyRefused, match="Version 2 was saved while you wrote"):
        change_guidelines(room.study, room.alice, "two", seen=1)
    room.study.refresh_from_db()
    assert (room.study.guidelines, numbers(room)) == ("one", [1, 2])


def test_answers_are_counted_for_the_version_that_they_name(room: Room) -> None:
    first = current_guideline(room.study)
    answer(room.study, room.bob, room.crops[0])
    given = answer(room.study, room.bob, room.crops[1])
    Annotation.objects.update(guideline=None)
    Annotation.objects.filter(pk=given.pk).update(guideline=first)
    assert answers_by_version(room.study) == {None: 1, first.pk: 1}


def test_studies_from_before_get_version_one_once(room: Room) -> None:
    GuidelineVersion.objects.all().delete()
    room.study.guidelines = "from long ago"
    room.study.save()
    migration = importlib.import_module("labeling.migrations.0008_guideline_versions")
    for _ in range(2):
        migration.keep_first_versions(apps, None)
    version = room.study.guideline_versions.get()
    assert (version.number, version.text) == (1, "from long ago")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("", "one\ntwo"),
        ("one\ntwo", ""),
        ("a b c\nsame\nlast", "a B c\nsame\nlast\nnew"),
        ("one\ntwo\nthree", "zero\nthree\n\nfour <script>"),
        ("  indented\ttab", "  indented\ttabs"),
    ],
)
def test_a_comparison_holds_both_texts_whole(before: str, after: str) -> None:
    lines = compare(before, after)
    said = [(line.kind, "".join(text for text, _ in line.parts)) for line in lines]
    assert [text for kind, text in said if kind != "added"] == before.splitlines()
    assert [text for kind, text in said if kind != "removed"] == after.splitlines()
    assert all(differs is False for line in lines if line.kind == "same" for _, differs in line.parts)


def test_a_comparison_marks_the_words_that_differ() -> None:
    removed, added = compare("Round: ratio of axes below 1.2.", "Round: ratio of axes below 1.3.")
    assert [text for text, differs in removed.parts if differs] == ["1.2."]
    assert [text for text, differs in added.parts if differs] == ["1.3."]


def test_the_page_shows_versions_as_text_and_never_as_markup(room: Room) -> None:
    change_guidelines(room.study, room.alice, "<script>alert(1)</script>\nplain", "<b>new</b>")
    page = client_of(room.bob).get(f"/studies/{room.study.pk}/guidelines/?version=2").content.decode()
    assert "<script>alert(1)" not in page and "<b>new" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "<ins>" in page


def test_leads_see_counts_and_names_annotators_see_the_text_and_change_nothing(room: Room) -> None:
    address = f"/studies/{room.study.pk}/guidelines/"
    saved = client_of(room.alice).post(address, {"text": "Round.", "change": "first", "seen": "1"})
    assert saved.status_code == 302
    lead, reader = (client_of(user).get(address).content.decode() for user in (room.alice, room.bob))
    assert "0 answers" in lead and "alice</span>" in lead
    assert "Round." in reader and "0 answers" not in reader and "alice" not in reader
    assert client_of(room.bob).post(address, {"text": "x", "seen": "2"}).status_code == 403
    assert client_of(make_user("eve")).get(address).status_code == 404
    assert numbers(room) == [1, 2]


def test_the_form_keeps_a_text_that_came_second(room: Room) -> None:
    address = f"/studies/{room.study.pk}/guidelines/"
    change_guidelines(room.study, room.alice, "one")
    reply = client_of(room.alice).post(address, {"text": "mine", "change": "", "seen": "1"})
    page = reply.content.decode()
    assert reply.status_code == 400 and "Version 2 was saved while you wrote" in page and "mine</textarea>" in page
    assert 'name="seen" value="2"' in page


@pytest.mark.parametrize("query", ["version=99", "version=x", "version=-1", "version=2&with=99", "version=1"])
def test_a_version_that_does_not_exist_is_no_error(room: Room, query: str) -> None:
    change_guidelines(room.study, room.alice, "one")
    assert client_of(room.alice).get(f"/studies/{room.study.pk}/guidelines/?{query}").status_code == 200


def told(room: Room, user: Any) -> tuple[bool, dict[str, Any] | None]:
    """Whether the study's page speaks of new guidelines, and what the reading room does."""
    client = client_of(user)
    seen = client.get(f"/studies/{room.study.pk}/").content.decode()
    return "See what is new" in seen, client.get(f"/studies/{room.study.pk}/read/").context["room_config"]["unopened"]


def test_who_answered_before_hears_of_new_guidelines_until_they_open_them(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0])
    assert told(room, room.bob) == (False, None)
    change_guidelines(room.study, room.alice, "Folded tissue is bad.", "folds")
    # Who is new, and who wrote them, hear of no change.
    assert told(room, room.dora) == told(room, room.alice) == (False, None)
    is_told, new = told(room, room.bob)
    assert is_told and new is not None
    assert (new["number"], new["change"]) == (2, "folds")
    client_of(room.bob).get(f"/api/v1/studies/{room.study.pk}/guide/")
    assert told(room, room.bob) == (False, None)
    change_guidelines(room.study, room.alice, "Folded tissue is good.")
    assert told(room, room.bob)[0]
    for _ in range(2):
        client_of(room.bob).get(f"/studies/{room.study.pk}/guidelines/")
    assert told(room, room.bob) == (False, None)
    opened = AuditEvent.objects.filter(action="guidelines.opened", actor=f"user:{room.bob.pk}").order_by("pk")
    assert [event.detail["number"] for event in opened] == [2, 3]
