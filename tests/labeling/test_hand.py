"""What the hand sends and what is kept: reasons, times, guidelines, what is replaced, suggestions, comments, keys."""

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from labeling.models import (
    Annotation,
    ClassExample,
    Comment,
    GuidelineVersion,
    Lease,
    Preferences,
    SkippedCrop,
    Study,
    Suggestion,
)
from labeling.services.answers import AnswerConflict, AnswerRefused, submit, undo
from labeling.services.clock import TRUSTED_OFFSET, Times, settled
from labeling.services.export.answers import answer_rows
from labeling.services.reads import STREAM
from labeling.services.suggestions import UNLED, Opinion, replace_suggestions
from tests.factories import answer, fill_queue, make_experiment, make_study, make_user, submission
from tests.labeling.conftest import Room

NOW = timezone.now()
DIGEST = "ab" * 32


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def api(room: Room, user: Any, name: str, data: Any = None, method: str = "post") -> Any:
    address = name if name.startswith("/") else f"/api/v1/studies/{room.study.pk}/{name}"
    if data is None:
        return client_of(user).get(address)
    return getattr(client_of(user), method)(address, json.dumps(data), content_type="application/json")


def body(room: Room, place: int = 0, **other: Any) -> dict[str, Any]:
    given = {"client_id": str(uuid4()), "crop": room.crops[place].pk, "answer": "label", "classes": ["disc"]}
    return given | {"answered_at": timezone.now().isoformat()} | other


@pytest.mark.parametrize("wrong_by", [timedelta(days=1), timedelta(days=-1), timedelta(minutes=3)])
def test_a_wrong_clock_is_put_right_and_durations_stay(wrong_by: timedelta) -> None:
    told = Times(
        NOW + wrong_by - timedelta(seconds=2),
        NOW + wrong_by - timedelta(seconds=9),
        NOW + wrong_by - timedelta(seconds=4),
        5000,
    )
    times = settled(told, NOW + wrong_by, NOW)
    assert times.answered_at == NOW - timedelta(seconds=2)
    assert times.shown_at == NOW - timedelta(seconds=9)
    assert times.first_key_at == NOW - timedelta(seconds=4)
    assert (times.active_ms, times.offset_s) == (5000, -wrong_by.total_seconds())


def test_a_right_clock_is_believed_also_where_the_answer_waited_for_the_line() -> None:
    answered = NOW - timedelta(minutes=2)
    times = settled(Times(answered, answered - timedelta(seconds=3)), NOW - TRUSTED_OFFSET, NOW)
    assert (times.answered_at, times.offset_s) == (answered, 0)


def test_moments_are_in_order_none_in_the_future_and_nobody_looks_longer_than_it_took() -> None:
    told = Times(NOW + timedelta(days=400), NOW + timedelta(days=900), NOW - timedelta(days=9), 10**12)
    times = settled(told, None, NOW)
    assert times.shown_at == times.first_key_at == times.answered_at == NOW
    assert times.active_ms == 0
    assert settled(Times(NOW, NOW - timedelta(seconds=3), None, 9000), None, NOW).active_ms == 3000


def test_everything_that_is_sent_of_an_answer_is_kept(room: Room) -> None:
    version = GuidelineVersion.objects.create(study=room.study, number=3, text="x")
    sent = timezone.now()
    moments = {
        "shown_at": sent - timedelta(seconds=5),
        "first_key_at": sent - timedelta(seconds=1),
        "answered_at": sent,
    }
    given = body(room, answer="not_sure", classes=[], reason_code="artefact", guideline=3, active_ms=4200)
    given |= {name: moment.isoformat() for name, moment in (moments | {"sent_at": sent}).items()}
    assert api(room, room.bob, "answers/", given).status_code == 201
    row = Annotation.objects.get()
    assert (row.reason_code, row.active_ms, row.guideline) == ("artefact", 4200, version)
    assert (row.shown_at, row.first_key_at, row.answered_at) == tuple(moments.values())
    listed = api(room, room.bob, "answers/").json()["results"][0]
    assert (listed["reason_code"], listed["guideline"], listed["active_ms"]) == ("artefact", 3, 4200)


def test_a_corrected_clock_is_told_in_the_event(room: Room) -> None:
    tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
    api(room, room.bob, "answers/", body(room, answered_at=tomorrow, sent_at=tomorrow))
    assert AuditEvent.objects.last().detail["clock_offset_s"] == pytest.approx(-86400, abs=60)
    assert Annotation.objects.get().answered_at <= timezone.now()


def test_an_answer_names_the_guidelines_that_stood_when_it_was_shown(room: Room) -> None:
    GuidelineVersion.objects.all().delete()
    old, new = (
        GuidelineVersion.objects.create(study=room.study, number=n, created_at=NOW - timedelta(hours=3 - n))
        for n in (1, 2)
    )
    shown = NOW - timedelta(hours=1, minutes=30)
    named = [
        submit(room.study, room.bob, submission(crop, **more))[0].guideline
        for crop, more in zip(
            room.crops,
            [{"guideline": 1}, {"shown_at": shown}, {}, {"guideline": 99}, {"shown_at": NOW - timedelta(days=1)}],
        )
    ]
    assert named == [old, old, new, new, None]


@pytest.mark.parametrize(
    ("kind", "code", "fits"),
    [
        ("not_sure", "needs_context", True),
        ("wrong_object", "cut_off", True),
        ("not_sure", "cut_off", False),
        ("wrong_object", "artefact", False),
        ("bad_crop", "artefact", False),
    ],
)
def test_a_reason_belongs_to_its_kind_of_answer(room: Room, kind: str, code: str, fits: bool) -> None:
    given = submission(room.crops[0], "", answer=kind, reason_code=code)
    if fits:
        assert submit(room.study, room.bob, given)[0].reason_code == code
    else:
        with pytest.raises(AnswerRefused, match="no reason"):
            submit(room.study, room.bob, given)


def test_an_answer_that_was_not_seen_is_not_overwritten_and_both_are_shown(room: Room) -> None:
    standing = answer(room.study, room.bob, room.crops[0], "ring")
    reply = api(room, room.bob, "answers/", body(room, replaces=None))
    assert reply.status_code == 409
    assert reply.json()["standing"]["client_id"] == str(standing.client_id)
    assert (reply.json()["standing"]["classes"], reply.json()["errors"][0]["code"]) == (["ring"], "conflict")
    assert Annotation.objects.count() == 1
    chosen = api(room, room.bob, "answers/", body(room, replaces=str(standing.client_id)))
    assert chosen.status_code == 201
    assert Annotation.objects.current().get().supersedes == standing


def test_what_was_said_already_or_taken_back_is_no_conflict(room: Room) -> None:
    first = answer(room.study, room.bob, room.crops[0], "disc")
    same = submit(room.study, room.bob, submission(room.crops[0], "disc", replaces=None))[0]
    assert same.supersedes == first
    undo(room.study, room.bob, uuid4())
    assert submit(room.study, room.bob, submission(room.crops[0], "ring", replaces=first.client_id))[1]
    with pytest.raises(AnswerConflict):
        submit(room.study, room.bob, submission(room.crops[0], "disc", replaces=uuid4()))


def test_answers_of_one_person_are_not_taken_under_the_name_of_another(room: Room) -> None:
    given = body(room, annotator=room.bob.pk)
    assert api(room, room.dora, "answers/", given).status_code == 403
    assert api(room, room.bob, "answers/", given).status_code == 201
    taken_back = {"client_id": str(uuid4()), "annotator": room.bob.pk}
    assert api(room, room.dora, "undo/", taken_back).status_code == 403
    aside = {"crop": room.crops[1].pk, "annotator": room.bob.pk}
    assert api(room, room.dora, "skip/", aside).status_code == 403
    assert api(room, room.bob, "skip/", aside).status_code == 200
    assert list(SkippedCrop.objects.values_list("user", flat=True)) == [room.bob.pk]
    assert Annotation.objects.current().count() == 1


def suggest(room: Room, **settings: Any) -> dict[int, Any]:
    settings = {"shows_suggestions": True} | settings
    Study.objects.filter(pk=room.study.pk).update(**settings)
    room.study.refresh_from_db()
    ring = room.study.classes.get(key="ring")
    replace_suggestions(room.study, [Opinion(crop.pk, ring.pk, 0.7) for crop in room.crops], DIGEST)
    return {crop["id"]: crop["suggestion"] for crop in api(room, room.bob, "next/").json()["crops"]}


def test_suggestions_come_with_the_crops_where_the_lead_wants_them(room: Room) -> None:
    assert set(map(str, suggest(room).values())) == {str({"class": "ring", "probability": 0.7, "model": DIGEST})}


@pytest.mark.parametrize("settings", [{"shows_suggestions": False}, {"is_blind": True}])
def test_a_study_that_shows_no_suggestions_tells_none_and_keeps_none(room: Room, settings: dict[str, Any]) -> None:
    assert set(suggest(room, **settings).values()) == {None}
    assert not Suggestion.objects.exists()


@pytest.mark.parametrize("why", sorted(UNLED))
def test_crops_whose_answers_judge_something_come_without_one(room: Room, why: str) -> None:
    fill_queue(room.study, room.crops, why=why)
    assert set(suggest(room).values()) == {None}


@pytest.mark.parametrize("meanwhile", ["a random check", "an adjudication", "not shown any more"])
def test_an_accepted_suggestion_stays_marked_whatever_the_crop_is_by_now(room: Room, meanwhile: str) -> None:
    """Else the answer would count as an independent reading."""
    suggest(room, adjudicates=True, reads_per_crop=2)
    if meanwhile == "a random check":
        Lease.objects.all().delete()
        fill_queue(room.study, room.crops, why=STREAM)
    elif meanwhile == "an adjudication":
        answer(room.study, room.alice, room.crops[0], "disc")
        answer(room.study, room.dora, room.crops[0], "ring")
    else:
        Study.objects.filter(pk=room.study.pk).update(shows_suggestions=False)
    assert api(room, room.bob, "answers/", body(room, classes=["ring"], suggested_by=DIGEST)).status_code == 201
    assert Annotation.objects.get(annotator=room.bob).suggested_by == DIGEST


def test_only_the_newest_rankings_opinion_and_open_classes_are_shown(room: Room) -> None:
    assert any(suggest(room).values())
    Suggestion.objects.update(model="cd" * 32)
    assert not any(crop["suggestion"] for crop in api(room, room.bob, "next/").json()["crops"])
    Suggestion.objects.update(model=DIGEST)
    room.study.classes.filter(key="ring").update(retired_at=timezone.now())
    assert not any(crop["suggestion"] for crop in api(room, room.bob, "next/").json()["crops"])


def test_an_accepted_suggestion_is_marked_with_its_model(room: Room) -> None:
    suggest(room)
    api(room, room.bob, "answers/", body(room, classes=["ring"], suggested_by=DIGEST))
    api(room, room.bob, "answers/", body(room, 1, answer="not_sure", classes=[], suggested_by=DIGEST))
    assert list(Annotation.objects.order_by("id").values_list("suggested_by", flat=True)) == [DIGEST, ""]


@pytest.mark.parametrize("name", ["ranking", "suggested_by"])
def test_what_is_no_digest_is_refused_and_never_leaves_as_a_formula(room: Room, name: str) -> None:
    formula = '=HYPERLINK("http://x")'
    assert api(room, room.bob, "answers/", body(room, **{name: formula})).status_code == 400
    item = {"client_id": str(uuid4()), "crop": room.crops[2].pk}
    step = body(room, **({name: formula} if name == "ranking" else {}))
    step["items"] = [item | ({name: formula} if name == "suggested_by" else {})]
    assert api(room, room.bob, "bulk/", step).status_code == 400
    # What was stored before there was such a rule.
    given = answer(room.study, room.bob, room.crops[1])
    Annotation.objects.filter(pk=given.pk).update(**{name: formula})
    cells = {str(cell) for row in answer_rows(room.study) for cell in row}
    assert f"'{formula}" in cells and formula not in cells


@pytest.mark.parametrize(("is_blind", "seen"), [(False, 2), (True, 1)])
def test_comments_are_read_by_everybody_but_in_a_blind_study_by_leads_and_their_authors(
    room: Room, is_blind: bool, seen: int
) -> None:
    Study.objects.filter(pk=room.study.pk).update(is_blind=is_blind)
    address = f"crops/{room.crops[0].pk}/comments/"
    for user in (room.bob, room.dora):
        assert api(room, user, address, {"text": f" <b>{user}</b> "}).status_code == 201
        answer(room.study, user, room.crops[0])
    assert len(api(room, room.bob, address).json()) == seen
    assert [row["text"] for row in api(room, room.alice, address).json()] == ["<b>bob</b>", "<b>dora</b>"]
    assert AuditEvent.objects.filter(action="crop.commented").count() == 2


@pytest.mark.parametrize("why", [STREAM, "uncertain"])
def test_what_others_wrote_is_read_once_a_reader_has_judged_the_crop_alone(room: Room, why: str) -> None:
    fill_queue(room.study, room.crops, why=why)
    address = f"crops/{room.crops[0].pk}/comments/"
    answer(room.study, room.bob, room.crops[0])
    api(room, room.bob, address, {"text": "clearly a disc"})
    api(room, room.dora, address, {"text": "mine"})
    said = [[row["text"] for row in api(room, user, address).json()] for user in (room.dora, room.alice)]
    assert said == [["mine"], ["clearly a disc", "mine"]]
    answer(room.study, room.dora, room.crops[0])
    assert len(api(room, room.dora, address).json()) == 2


@pytest.mark.parametrize("text", ["", "   ", "x" * 2001, None])
def test_an_empty_or_endless_comment_is_refused(room: Room, text: str | None) -> None:
    assert api(room, room.bob, f"crops/{room.crops[0].pk}/comments/", {"text": text}).status_code == 400
    assert not Comment.objects.exists()


def test_crops_of_other_studies_take_no_comments(room: Room, tmp_path: Any) -> None:
    foreign = make_experiment(tmp_path, "elsewhere", seed=5)
    make_study(make_user("eve"), foreign, name="other")
    crop = foreign.samples.get().images.get().crops.first().pk
    assert api(room, room.bob, f"crops/{crop}/comments/", {"text": "mine"}).status_code == 404


def test_examples_come_in_the_order_of_the_classes_ready_to_be_drawn(room: Room) -> None:
    disc, ring = (room.study.classes.get(key=key) for key in ("disc", "ring"))
    ClassExample.objects.create(label_class=ring, crop=room.crops[1], note="a hole")
    ClassExample.objects.create(label_class=disc, crop=room.crops[0])
    disc.example = room.crops[2]
    disc.save()
    GuidelineVersion.objects.create(study=room.study, number=2, text="Look.", change="a word")
    found = api(room, room.bob, "guide/").json()
    told = [(row["class"], row["note"], row["crop"]["id"]) for row in found["examples"]]
    assert told == [
        ("disc", "", room.crops[0].pk),
        ("disc", "", room.crops[2].pk),
        ("ring", "a hole", room.crops[1].pk),
    ]
    assert (found["guideline"]["number"], found["guideline"]["change"]) == (2, "a word")
    assert api(room, room.bob, "next/").json()["guideline"] == 2


def test_examples_of_a_blind_study_tell_no_place(room: Room) -> None:
    Study.objects.filter(pk=room.study.pk).update(is_blind=True)
    ClassExample.objects.create(label_class=room.study.classes.get(key="ring"), crop=room.crops[1])
    (example,) = api(room, room.bob, "guide/").json()["examples"]
    assert (example["crop"]["key"], example["crop"]["experiment"], example["crop"]["suggestion"]) == (
        None,
        None,
        None,
    )


PREFERENCES = "/api/v1/preferences/"


def test_own_keys_are_kept_per_person_and_parts_stay_where_nothing_is_said(room: Room) -> None:
    assert api(room, room.bob, PREFERENCES).json() == {"keys": {}, "view": {}}
    api(room, room.bob, PREFERENCES, {"keys": {"skip": "k", "outline": " ", "bad": ""}}, "patch")
    api(room, room.bob, PREFERENCES, {"view": {"invert": True}}, "patch")
    api(room, room.bob, PREFERENCES, {"view": {"grey": True}}, "patch")
    kept = api(room, room.bob, PREFERENCES).json()
    assert kept == {"keys": {"skip": "k", "outline": " ", "bad": ""}, "view": {"invert": True, "grey": True}}
    assert api(room, room.dora, PREFERENCES).json()["keys"] == {}


@pytest.mark.parametrize(
    "keys",
    [
        {"skip": "k", "bad": "k"},
        {"skip": "k" * 41},
        {"skip": 7.5, "x" * 41: "k"},
        {f"class:{n}": "" for n in range(101)},
        ["k"],
    ],
)
def test_keys_that_cannot_be_are_refused(room: Room, keys: Any) -> None:
    assert api(room, room.bob, PREFERENCES, {"keys": keys}, "patch").status_code == 400
    assert not Preferences.objects.exists()


def test_a_view_without_bounds_is_refused(room: Room) -> None:
    assert api(room, room.bob, PREFERENCES, {"view": {"x": "y" * 9000}}, "patch").status_code == 400
    assert api(room, room.bob, PREFERENCES).json()["view"] == {}
