"""The pages of disputed crops: for leads alone, with everything that was said, and typed text that stays text."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from labeling.models import Annotation, ClassExample, Comment, LabelClass, Reopening
from labeling.services.classes import NewClass, split_class
from labeling.services.comments import add_comment
from labeling.services.decisions import standing_decision
from labeling.services.discussion import PAGE, Settled, confusion, discussed, disputed_crops
from labeling.services.examples import examples_of
from labeling.services.exclusions import exclude, put_back
from labeling.services.progress import NOT_SURE_LABEL
from tests.factories import add_reader, answer, make_user
from tests.labeling.conftest import Room

MARKUP = "<script>alert('µ & \"')</script>"


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def disputed(room: Room) -> Room:
    """Bob says disc, Dora ring of the first crop and not sure of the second; both say disc of the third."""
    for place, said in enumerate(("ring", "", "disc")):
        answer(room.study, room.bob, room.crops[place], "disc")
        answer(room.study, room.dora, room.crops[place], said, reason="" if said else "a blurred rim")
    return room


def page(room: Room, query: str = "", user: Any = None) -> str:
    response = client_of(user or room.alice).get(f"/studies/{room.study.pk}/discuss/{query}")
    assert response.status_code == 200
    return response.content.decode()


def shown(text: str) -> list[int]:
    return [int(number) for number in re.findall(r'<article class="dispute" id="crop-(\d+)"', text)]


def act(room: Room, what: str, crop: int = 0, user: Any = None, **fields: Any) -> Any:
    address = f"/studies/{room.study.pk}/discuss/{room.crops[crop].pk}/{what}/"
    return client_of(user or room.alice).post(address, {"client_id": str(uuid4()), **fields})


def test_annotators_are_refused_and_strangers_find_nothing(disputed: Room) -> None:
    for user, status in ((disputed.bob, 403), (make_user("charlie"), 404)):
        assert client_of(user).get(f"/studies/{disputed.study.pk}/discuss/").status_code == status
        for what in ("decide", "undo", "ask", "comment", "example"):
            assert act(disputed, what, user=user, choice="label:ring").status_code == status
        api = f"/api/v1/studies/{disputed.study.pk}/crops/{disputed.crops[0].pk}/decision/"
        given = {"client_id": str(uuid4()), "answer": "label", "classes": ["ring"], "decision": str(uuid4())}
        for address in (api, f"{api}undo/"):
            reply = client_of(user).post(address, given, content_type="application/json")
            assert reply.status_code == status
    assert not Annotation.objects.decisions().exists() and not Reopening.objects.exists()


def test_annotators_learn_of_no_decision(disputed: Room) -> None:
    act(disputed, "decide", choice="label:ring", reason="we looked at it together")
    for name in ("", "mine/", "read/"):
        text = client_of(disputed.bob).get(f"/studies/{disputed.study.pk}/{name}").content.decode()
        assert "looked at it together" not in text and "Disputed" not in text
    rows = client_of(disputed.bob).get(f"/api/v1/studies/{disputed.study.pk}/answers/").json()["results"]
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("people", "words"), [(0, "Nobody can disagree yet"), (1, "Nobody can disagree yet"), (2, "No disputed crop")]
)
def test_where_nothing_is_disputed_the_page_says_what_to_do(room: Room, people: int, words: str) -> None:
    for user in (room.bob, room.dora)[:people]:
        answer(room.study, user, room.crops[0], "disc")
    text = page(room)
    assert words in text and shown(text) == []


def test_the_fullest_cell_comes_first_and_a_cell_shows_its_own_crops(disputed: Room) -> None:
    answer(disputed.study, disputed.bob, disputed.crops[3], "disc")
    answer(disputed.study, disputed.dora, disputed.crops[3], "ring")
    first, second, _, fourth = (crop.pk for crop in disputed.crops[:4])
    assert shown(page(disputed)) == [first, fourth]
    assert shown(page(disputed, "?a=disc&b=ring")) == shown(page(disputed, "?a=ring&b=disc")) == [first, fourth]
    unsure = page(disputed, f"?a=disc&b={NOT_SURE_LABEL}")
    assert shown(unsure) == [second] and "a blurred rim" in unsure


@pytest.mark.parametrize("query", ["?a=moon&b=disc", "?a=disc&b=disc", "?a=%00&b=x", "?page=99", "?show=x&reader=x"])
def test_an_address_that_means_nothing_shows_the_page_all_the_same(disputed: Room, query: str) -> None:
    assert len(shown(page(disputed, query))) == 1


def test_a_card_says_who_said_what_how_often_and_every_comment(disputed: Room) -> None:
    add_comment(disputed.study, disputed.bob, disputed.crops[0], "the rim is open")
    text = page(disputed, "?a=disc&b=ring")
    for words in ("bob", "dora", "1 of 2, 50 %", "the rim is open", "Not decided"):
        assert words in text
    drawn = json.loads(re.search(r'id="pictures"[^>]*>(.*?)</script>', text, re.DOTALL)[1])
    assert set(drawn) == {str(disputed.crops[0].pk)}


def test_a_decision_is_shown_filtered_by_and_taken_back(disputed: Room) -> None:
    done = act(disputed, "decide", choice="label:ring").content.decode()
    assert "is-decided" in done and "ring" in done
    assert shown(page(disputed, "?a=disc&b=ring")) == []
    assert shown(page(disputed, "?a=disc&b=ring&show=decided")) == [disputed.crops[0].pk]
    decision = standing_decision(disputed.study, disputed.crops[0].pk)
    back = act(disputed, "undo", replaces=str(decision.client_id))
    assert back.status_code == 200 and "Not decided" in back.content.decode()
    assert shown(page(disputed, "?a=disc&b=ring")) == [disputed.crops[0].pk]


def test_a_page_that_was_open_for_long_overrules_nobody(disputed: Room) -> None:
    act(disputed, "decide", choice="label:ring")
    late = act(disputed, "decide", choice="label:disc", replaces="")
    assert late.status_code == 409 and "Another decision" in late.content.decode()
    assert standing_decision(disputed.study, disputed.crops[0].pk).labels.get().label_class.key == "ring"
    assert act(disputed, "decide", choice="label:moon").status_code == 400


def test_a_comment_an_example_and_a_third_reader(disputed: Room) -> None:
    disputed.study.adjudicates = False
    disputed.study.save()
    assert act(disputed, "comment", text="look at the rim").status_code == 200
    assert Comment.objects.get().author == disputed.alice
    assert act(disputed, "comment", text=" ").status_code == 400
    assert act(disputed, "ask").status_code == 200 and Reopening.objects.count() == 1
    # Who still reads the crop would be told the answer.
    assert act(disputed, "example", **{"class": "ring"}).status_code == 400
    assert act(disputed, "decide", choice="label:ring").status_code == 200
    assert act(disputed, "example", **{"class": "ring", "note": "open rim"}).status_code == 200
    assert [row.note for row in examples_of(disputed.study)["ring"]] == ["open rim"]
    assert act(disputed, "example", **{"class": "moon"}).status_code == 400
    assert ClassExample.objects.count() == 1


def test_long_names_with_markup_stay_text_everywhere(disputed: Room) -> None:
    LabelClass.objects.update(name=(MARKUP * 6)[:200])
    disputed.bob.username = MARKUP
    disputed.bob.save()
    add_comment(disputed.study, disputed.dora, disputed.crops[0], MARKUP)
    for query in ("", f"?a=disc&b={NOT_SURE_LABEL}", f"?reader={disputed.bob.pk}"):
        assert "<script>alert" not in page(disputed, query)
    assert "<script>alert" not in act(disputed, "decide", choice="label:ring", reason=MARKUP).content.decode()


def test_readers_narrow_the_table_to_their_own_pairs(disputed: Room) -> None:
    eve = add_reader(disputed.study, "eve")
    answer(disputed.study, eve, disputed.crops[2], "ring")
    both = f"?a=disc&b=ring&reader={disputed.bob.pk}&other={disputed.dora.pk}"
    assert shown(page(disputed, both)) == [disputed.crops[0].pk]
    assert shown(page(disputed, f"?a=disc&b=ring&reader={eve.pk}&show=all")) == [disputed.crops[2].pk]
    assert len(shown(page(disputed, "?a=disc&b=ring&show=all"))) == 2


def test_a_merged_class_is_no_dispute_and_says_what_was_said(disputed: Room) -> None:
    ring, disc = (disputed.study.classes.get(key=key) for key in ("ring", "disc"))
    LabelClass.objects.filter(pk=ring.pk).update(merged_into=disc, retired_at="2026-01-01T00:00Z")
    assert shown(page(disputed, "?a=disc&b=ring&show=all")) == []
    assert "which was merged" in act(disputed, "comment", text="x").content.decode()


def test_pages_hold_as_many_crops_as_they_say(room: Room) -> None:
    (row,) = discussed(room.study, [room.crops[0].pk, 10**9])
    assert row.crop == room.crops[0] and not row.reads and PAGE == 24


def test_the_api_counts_lists_and_decides_for_leads(disputed: Room) -> None:
    api, root = client_of(disputed.alice), f"/api/v1/studies/{disputed.study.pk}"
    cells = {(cell["a"], cell["b"]): cell["items"] for cell in api.get(f"{root}/confusion/").json()}
    assert cells == {(NOT_SURE_LABEL, "disc"): 1, ("disc", "disc"): 1, ("disc", "ring"): 1}
    crop = disputed.crops[0].pk
    assert api.get(f"{root}/disputed/?a=disc&b=ring").json() == {"crops": [crop]}
    assert api.get(f"{root}/disputed/?a=disc&b=ring&show=x").status_code == 400
    given = {"client_id": str(uuid4()), "answer": "label", "classes": ["ring"], "replaces": None}
    replies = [api.post(f"{root}/crops/{crop}/decision/", given, content_type="application/json") for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 200]
    other = given | {"client_id": str(uuid4())}
    again = api.post(f"{root}/crops/{crop}/decision/", other, content_type="application/json")
    assert again.status_code == 409
    back = {"client_id": str(uuid4()), "decision": given["client_id"]}
    undone = api.post(f"{root}/crops/{crop}/decision/undo/", back, content_type="application/json")
    assert undone.json()["answer"] == "withdrawn" and standing_decision(disputed.study, crop) is None
    refused = other | {"classes": ["moon"]}
    assert api.post(f"{root}/crops/{crop}/decision/", refused, content_type="application/json").status_code == 400


def test_a_decision_on_a_class_that_was_split_says_that_it_counts_no_more(disputed: Room) -> None:
    act(disputed, "decide", choice="label:ring")
    split_class(
        disputed.study.classes.get(key="ring"), disputed.alice, [NewClass("thin", "thin"), NewClass("thick", "thick")]
    )
    assert "class was split since: counts no more" in act(disputed, "comment", text="x").content.decode()
    decision = standing_decision(disputed.study, disputed.crops[0].pk)
    again = act(disputed, "decide", choice="label:thin", replaces=str(decision.client_id))
    assert again.status_code == 400 and "has 1 so far" in again.content.decode()


def test_who_is_left_out_mixes_nothing_up_and_their_answers_are_shown_marked(disputed: Room) -> None:
    study, first = disputed.study, disputed.crops[0]
    assert disputed_crops(study, "disc", "ring") == [first.pk]
    exclude(study, disputed.dora, disputed.alice, "hasty")
    assert disputed_crops(study, "disc", "ring") == [] == confusion(study)
    (row,) = discussed(study, [first.pk])
    assert [(read.annotator.username, read.is_left_out) for read in row.reads] == [("bob", False), ("dora", True)]
    card = act(disputed, "comment", text="why?").content.decode()
    assert "left out" in card and "1 of 1, 100" in card
    refused = act(disputed, "decide", choice="label:ring")
    assert refused.status_code == 400 and "has 1 so far" in refused.content.decode()
    assert all("left out" in said.content.decode() for said in (refused, act(disputed, "ask")))
    put_back(study, disputed.dora, disputed.alice, "it was the microscope")
    assert disputed_crops(study, "disc", "ring", settled=Settled.UNDECIDED) == [first.pk]


def test_what_a_third_reader_settled_says_so_and_the_list_says_of_how_many(disputed: Room) -> None:
    study, crop = disputed.study, disputed.crops[0]
    given = answer(study, add_reader(study, "eve"), crop, "ring")
    answer(study, disputed.bob, disputed.crops[4], "disc")
    answer(study, disputed.dora, disputed.crops[4], "ring")
    Annotation.objects.filter(pk=given.pk).update(why_asked="adjudication")
    text = page(disputed, "?a=disc&b=ring&show=decided")
    assert shown(text) == [crop.pk]
    assert "Settled by a further reader" in text and "Not decided" not in text
    assert "1 of the 2 crops of this cell; the others are not decided yet" in text
    undecided = page(disputed, "?a=disc&b=ring")
    assert "1 of the 2 crops of this cell; the others are decided" in undecided
    assert "Settled by" not in undecided


def test_a_session_can_be_started_on_two_classes_and_not_sure_says_why_not(disputed: Room) -> None:
    act(disputed, "decide", choice="label:ring")
    for show in Settled:
        assert "Start a session" in page(disputed, f"?a=disc&b=ring&show={show.value}")
    unsure = page(disputed, f"?a=disc&b={NOT_SURE_LABEL}")
    assert "Start a session" not in unsure and "choose a cell of two to start one" in unsure


@pytest.mark.parametrize("choice", ["label:ring", "not_sure"])
def test_any_decision_takes_its_reason_along_and_a_refused_one_keeps_it(disputed: Room, choice: str) -> None:
    refused = act(disputed, "decide", choice="label:none", reason="the rim is open").content.decode()
    assert 'value="the rim is open"' in refused
    act(disputed, "decide", choice=choice, reason="the rim is open")
    assert standing_decision(disputed.study, disputed.crops[0].pk).reason == "the rim is open"
