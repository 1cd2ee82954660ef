"""The reading room over HTTP: what a browser sends and gets, also when it sends nonsense."""

import json
import re
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from imaging.services.pixels import crop_pixels
from labeling.models import Annotation, Lease, Preferences, Study
from labeling.services.answers import AnswerRefused, submit
from labeling.services.queue import NewEntry, RankingInfo, replace_queue
from tests.factories import answer, fill_queue, submission
from tests.labeling.conftest import Room


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(room: Room, name: str) -> str:
    return f"/api/v1/studies/{room.study.pk}/{name}"


def body(room: Room, **other: Any) -> dict[str, Any]:
    given = {"client_id": str(uuid4()), "crop": room.crops[0].pk, "answer": "label", "classes": ["disc"]}
    return given | {"answered_at": timezone.now().isoformat()} | other


def post(room: Room, name: str, data: Any) -> Any:
    return client_of(room.bob).post(url(room, name), data, content_type="application/json")


def test_an_answer_is_stored_and_brings_the_next_crops(room: Room) -> None:
    first = client_of(room.bob).get(url(room, "next/")).json()
    reply = post(room, "answers/", body(room, crop=first["crops"][0]["id"]))
    assert reply.status_code == 201
    assert [crop["id"] for crop in reply.json()["next"]["crops"]] == [crop["id"] for crop in first["crops"][1:]]
    assert reply.json()["progress"]["answered"] == 1
    assert reply.json()["ranking"]["newer_answers"] == 1


def test_sending_an_answer_again_is_told_apart_from_storing_it(room: Room) -> None:
    given = body(room)
    assert [post(room, "answers/", given).status_code for _ in range(2)] == [201, 200]
    assert post(room, "answers/", given | {"classes": ["ring"]}).status_code == 409
    assert Annotation.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        {"classes": ["square"]},
        {"classes": []},
        {"classes": "disc"},
        {"answer": "withdrawn", "classes": []},
        {"answer": ["label"]},
        {"crop": 0},
        {"crop": 2**63},
        {"crop": "first"},
        {"crop": 10**12},
        {"client_id": "1"},
        {"answered_at": "yesterday"},
        {"answered_at": None},
        {"reason": "x" * 201},
        {"reason": "\u0000"},
        {"window": [1]},
        {"source": "simulated"},
    ],
)
def test_nonsense_is_refused_with_the_field_that_is_wrong(room: Room, other: dict[str, Any]) -> None:
    reply = post(room, "answers/", body(room, **other))
    assert reply.status_code == 400
    assert all(error["detail"] for error in reply.json()["errors"])
    assert not Annotation.objects.exists()


@pytest.mark.parametrize("data", ["", "[]", "{", '"text"', "null", "[1, 2]", '{"crop": NaN}'])
def test_a_body_that_is_no_object_is_refused(room: Room, data: str) -> None:
    assert post(room, "answers/", data).status_code == 400
    assert post(room, "undo/", data).status_code == 400


def test_undo_shows_the_crop_again_and_ends_with_a_conflict(room: Room) -> None:
    post(room, "answers/", body(room))
    reply = post(room, "undo/", {"client_id": str(uuid4())})
    assert (reply.status_code, reply.json()["crop"]["id"]) == (200, room.crops[0].pk)
    assert post(room, "undo/", {"client_id": str(uuid4())}).status_code == 409


@pytest.mark.parametrize("count", ["0", "1", "50", "999999"])
def test_any_whole_count_gives_at_least_one_and_at_most_fifty(room: Room, count: str) -> None:
    shown = client_of(room.bob).get(url(room, f"next/?count={count}")).json()["crops"]
    assert 1 <= len(shown) <= min(50, max(int(count), 1))


@pytest.mark.parametrize("count", ["-1", "ten", "", "1.5", "٣", "9999999"])
def test_a_count_that_is_no_whole_number_is_refused(room: Room, count: str) -> None:
    assert client_of(room.bob).get(url(room, "next/"), {"count": count}).status_code == 400


def test_pixels_come_raw_in_the_type_of_the_camera_and_stay_private(room: Room) -> None:
    reply = client_of(room.bob).get(url(room, f"crops/{room.crops[0].pk}/pixels/"))
    shape = tuple(map(int, reply["X-Shape"].split(",")))
    pixels = np.frombuffer(reply.content, np.dtype(reply["X-Dtype"]).newbyteorder("<")).reshape(shape)
    assert reply["X-Dtype"] == "uint16"
    np.testing.assert_array_equal(pixels, crop_pixels(room.crops[0]))
    assert "private" in reply["Cache-Control"]


def test_surroundings_have_the_crop_in_their_middle_at_every_scale(room: Room) -> None:
    for scale in (1, 4, 16, 400):
        reply = client_of(room.bob).get(url(room, f"crops/{room.crops[0].pk}/context/?scale={scale}"))
        assert reply.status_code == 200
        assert len(reply.content) == np.prod(list(map(int, reply["X-Shape"].split(",")))) * 2


def test_a_blind_study_tells_neither_experiment_nor_reason_nor_place(room: Room) -> None:
    Study.objects.filter(pk=room.study.pk).update(is_blind=True)
    crop = client_of(room.bob).get(url(room, "next/")).json()["crops"][0]
    assert (crop["key"], crop["why"], crop["experiment"]) == (None, None, None)


def test_annotators_list_their_own_answers_and_leads_all(room: Room) -> None:
    answer(room.study, room.bob, room.crops[0])
    answer(room.study, room.dora, room.crops[1])
    counts = {
        user.username: client_of(user).get(url(room, "answers/")).json()["count"] for user in (room.alice, room.bob)
    }
    assert counts == {"alice": 2, "bob": 1}


def test_leaving_frees_the_crops(room: Room) -> None:
    first = client_of(room.bob).get(url(room, "next/")).json()["crops"][0]["id"]
    assert post(room, "leave/", {}).status_code == 204
    assert client_of(room.dora).get(url(room, "next/")).json()["crops"][0]["id"] == first


def test_an_empty_queue_is_an_empty_list(room: Room) -> None:
    fill_queue(room.study, [])
    assert client_of(room.bob).get(url(room, "next/")).json()["crops"] == []


def test_a_browser_without_a_csrf_token_cannot_answer(room: Room) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(room.bob)
    assert client.post(url(room, "answers/"), body(room), content_type="application/json").status_code == 403


def test_lists_come_in_pages_whatever_is_asked(room: Room) -> None:
    for crop in room.crops[:3]:
        answer(room.study, room.bob, crop)
    page = client_of(room.bob).get(url(room, "answers/?limit=2")).json()
    assert (page["count"], len(page["results"])) == (3, 2)
    for odd in ("limit=-1", "limit=x", "offset=99999999999999999999", "limit=0", "limit=99999999999999999999"):
        assert client_of(room.bob).get(url(room, f"answers/?{odd}")).status_code in (200, 400)


@pytest.mark.parametrize("user", ["alice", "bob"])
def test_a_number_that_no_row_can_have_is_not_found(room: Room, user: str) -> None:
    client, big = client_of(getattr(room, user)), 99999999999999999999
    pages = (f"/studies/{big}/read/", f"/api/v1/studies/{big}/next/", f"/api/v1/studies/{big}/")
    assert [client.get(address).status_code for address in pages] == [404] * 3
    change = {"choice": "label:disc", "client_id": str(uuid4()), "replaces": str(uuid4())}
    assert client.post(f"/studies/{room.study.pk}/mine/{big}/change/", change).status_code in (302, 404, 409)
    with pytest.raises(AnswerRefused, match=f"Crop {big} is not in the pool"):
        submit(room.study, getattr(room, user), submission(big))


ODD_JSON = ['{"name": "a\\u0000b"}', '{"a\\ud800": 1}', '{"low": 1e999}', '{"a": [["\\udfff"]]}']
ODD_JSON.append('{"a": "' + "x" * 40_000 + '"}')


@pytest.mark.parametrize("odd", ODD_JSON)
def test_json_that_a_database_or_a_file_cannot_hold_is_refused(room: Room, odd: str) -> None:
    client, moment = client_of(room.bob), timezone.now().isoformat()
    item = f'"client_id": "{uuid4()}", "crop": {room.crops[0].pk}'
    step = f'"answer": "label", "classes": ["disc"], "answered_at": "{moment}", "window": [{odd}]'
    for address, given in (
        (url(room, "answers/"), f"{{{item}, {step}}}"),
        (url(room, "bulk/"), f'{{"items": [{{{item}}}], {step}}}'),
    ):
        assert client.post(address, given, content_type="application/json").status_code == 400
    # A key's name is text: whatever number is sent becomes one.
    for name in ("view",) if "1e999" in odd else ("view", "keys"):
        reply = client.patch("/api/v1/preferences/", f'{{"{name}": {odd}}}', content_type="application/json")
        assert reply.status_code == 400
    assert not Annotation.objects.exists() and not Preferences.objects.exists()


@pytest.mark.parametrize("text", ["a\\u0000b", "half \\ud800 pair"])
def test_text_that_a_database_or_a_file_cannot_hold_is_refused(room: Room, text: str) -> None:
    given = json.dumps(body(room))[:-1]
    for field in ('"reason": "{}"', '"classes": ["{}"]', '"ranking": "{}"', '"suggested_by": "{}"'):
        sent = f"{given}, {field.format(text)}}}"
        assert (
            client_of(room.bob).post(url(room, "answers/"), sent, content_type="application/json").status_code == 400
        )
    address = url(room, f"crops/{room.crops[0].pk}/comments/")
    sent = f'{{"text": "{text}"}}'
    assert client_of(room.bob).post(address, sent, content_type="application/json").status_code == 400


def ranking_of(room: Room, user: Any) -> dict[str, Any]:
    return client_of(user).get(url(room, "ranking/")).json()["ranking"]


def test_the_lag_counts_every_newer_answer_and_ends_with_the_next_ranking(room: Room) -> None:
    newest = 0
    for count, crop in enumerate(room.crops[:3], start=1):
        newest = answer(room.study, room.bob, crop).pk
        assert ranking_of(room, room.bob)["newer_answers"] == count
    fill_queue(room.study, room.crops[3:], newest=newest)
    for reply in (ranking_of(room, room.bob), client_of(room.bob).get(url(room, "next/")).json()["ranking"]):
        assert reply["newer_answers"] == 0
    undone = post(room, "undo/", {"client_id": str(uuid4())})
    assert undone.status_code == 200
    assert ranking_of(room, room.bob)["newer_answers"] == 1


def test_the_study_and_its_queue_say_which_state_ranked(room: Room) -> None:
    info = RankingInfo(
        "ab" * 32, "margin", "cd" * 32, 12, 0, encoder_name="untrained", note="Another encoder ranked.",
        expected_not_sure=0.42, seconds=0.1, answers=7,
    )  # fmt: skip
    replace_queue(room.study, [], info)
    study = client_of(room.bob).get(url(room, "")).json()["ranking"]
    queue = client_of(room.bob).get(url(room, "next/")).json()["ranking"]
    assert {key: value for key, value in study.items() if key != "age_s"}.items() <= queue.items()
    told = [study[key] for key in ("strategy", "encoder", "answers", "seconds", "note", "expected_not_sure")]
    assert told == ["margin", "untrained", 7, 0.1, "Another encoder ranked.", 0.42]


def test_a_blind_reader_does_not_hear_how_many_will_not_be_sure_and_leads_do(room: Room) -> None:
    Study.objects.filter(pk=room.study.pk).update(is_blind=True)
    replace_queue(room.study, [], RankingInfo("ab" * 32, "margin", "", 12, 0, expected_not_sure=0.42))
    assert ranking_of(room, room.bob)["expected_not_sure"] is None
    assert ranking_of(room, room.alice)["expected_not_sure"] == 0.42


def test_before_the_first_ranking_there_is_none(room: Room) -> None:
    room.study.ranked.delete()
    assert ranking_of(room, room.bob) is None
    assert client_of(room.bob).get(url(room, "")).json()["ranking"] is None


@pytest.mark.parametrize(("is_blind", "told"), [(True, None), (False, "uncertain")])
def test_an_adjudicator_does_not_hear_that_others_differ(room: Room, is_blind: bool, told: str | None) -> None:
    Study.objects.filter(pk=room.study.pk).update(is_blind=is_blind)
    fill_queue(room.study, room.crops[:1], why="random check")
    answer(room.study, room.bob, room.crops[0], "disc")
    answer(room.study, room.dora, room.crops[0], "ring")
    reply = client_of(room.alice).get(url(room, "next/"))
    assert reply.json()["crops"][0]["why"] == told
    assert Lease.objects.get(user=room.alice, crop=room.crops[0]).why == "adjudication"
    assert not {"adjudication", "bob", "dora", "disc", "ring"} & set(re.findall(r"\w+", reply.content.decode()))


def test_readers_of_an_open_study_see_no_routing_in_their_answers_and_leads_do(room: Room) -> None:
    given = answer(room.study, room.bob, room.crops[0], "disc")
    Annotation.objects.filter(pk=given.pk).update(why_asked="second read")
    told = [client_of(user).get(url(room, "answers/")).json()["results"][0] for user in (room.bob, room.alice)]
    assert [row["why_asked"] for row in told] == ["uncertain", "second read"]


def test_an_answer_tells_its_probability_or_that_there_was_none(room: Room) -> None:
    replace_queue(
        room.study,
        [
            NewEntry(room.crops[0].pk, 1.0, "random check", 0.125),
            NewEntry(room.crops[1].pk, 0.5, "uncertain", None),
        ],
        RankingInfo("ab" * 32, "uherding", "handcrafted", 12, 0),
    )
    for crop in room.crops[:3]:
        answer(room.study, room.bob, crop)
    rows = client_of(room.alice).get(url(room, "answers/")).json()["results"]
    assert [row["probability_asked"] for row in rows] == [0.125, "deterministic", None]
    assert [row["ranking"] for row in rows] == ["ab" * 32, "ab" * 32, ""]


def test_retired_classes_are_not_offered_to_programs(room: Room) -> None:
    room.study.classes.filter(key="ring").update(retired_at="2026-01-01T00:00Z")
    assert [row["key"] for row in client_of(room.bob).get(url(room, "")).json()["classes"]] == ["disc"]


def test_an_answer_and_what_comes_next_cost_a_known_number_of_queries(room: Room) -> None:
    client = client_of(room.bob)
    crop = client.get(url(room, "next/")).json()["crops"][0]["id"]
    with CaptureQueriesContext(connection) as found:
        assert client.post(url(room, "answers/"), body(room, crop=crop), "application/json").status_code == 201
    assert len(found) <= 32
    with CaptureQueriesContext(connection) as found:
        assert post_undo(client, room).json()["progress"]["answered"] == 0
    assert len(found) <= 21


def post_undo(client: Client, room: Room) -> Any:
    return client.post(url(room, "undo/"), {"client_id": str(uuid4())}, "application/json")
