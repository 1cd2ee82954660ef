"""Every comment on the crops of a study, for its leads: newest first, with crop, author and time; for nobody else."""

import json
import re
from typing import Any

from django.test import Client

from labeling.models import Study
from labeling.services.comments import add_comment
from labeling.views import comments as page_of_comments
from tests.factories import answer
from tests.labeling.conftest import Room


def page(room: Room, user: Any, name: str = "comments/") -> Any:
    client = Client()
    client.force_login(user)
    return client.get(f"/studies/{room.study.pk}/{name}")


def test_a_lead_reads_all_comments_newest_first_each_with_its_crop_and_author(room: Room) -> None:
    words = ["two nuclei?", "<b>out of focus</b>", "look at the edge"]
    for reader, crop, text in zip((room.bob, room.dora, room.bob), room.crops, words):
        add_comment(room.study, reader, crop, text)
    shown = page(room, room.alice).content.decode()
    places = [shown.index(text) for text in ("look at the edge", "&lt;b&gt;out of focus", "two nuclei?")]
    assert places == sorted(places) and "<b>out" not in shown
    for crop in room.crops[:3]:
        assert f'href="/studies/{room.study.pk}/crops/{crop.pk}/"' in shown
    assert shown.count(">bob<") == 2 and shown.count(">dora<") == 1
    pictures = json.loads(re.search(r'id="pictures"[^>]*>(.*?)</script>', shown, re.DOTALL)[1])
    assert set(pictures) == {str(crop.pk) for crop in room.crops[:3]}
    assert all(set(one) == {"pixels", "channels", "is_rgb"} for one in pictures.values())


def test_the_overview_leads_there_with_the_count_and_annotators_get_neither(room: Room) -> None:
    assert "comments/" not in page(room, room.alice, "").content.decode()
    for reader in (room.bob, room.dora):
        add_comment(room.study, reader, room.crops[0], "thin")
    link = f'href="/studies/{room.study.pk}/comments/">2 comments'
    assert link in page(room, room.alice, "").content.decode()
    for is_blind in (True, False):
        Study.objects.update(is_blind=is_blind)
        assert page(room, room.bob).status_code == 403
        assert "/comments/" not in page(room, room.bob, "").content.decode()


def test_long_lists_come_in_pages_and_each_comment_on_one_of_them(room: Room, monkeypatch: Any) -> None:
    monkeypatch.setattr(page_of_comments, "PAGE", 4)
    for number in range(10):
        add_comment(room.study, room.bob, room.crops[number], f"said {number}.")
    shown = [page(room, room.alice, f"comments/?page={number}").content.decode() for number in (1, 2, 3)]
    assert re.findall(r"said \d", "".join(shown)) == [f"said {number}" for number in range(9, -1, -1)]


def test_the_page_of_a_crop_shows_what_was_written_on_it_to_those_who_may_read_it(room: Room) -> None:
    Study.objects.update(is_blind=False)
    for reader, crop in ((room.dora, room.crops[0]), (room.bob, room.crops[1])):
        add_comment(room.study, reader, crop, f"written by {reader.username}")
    name = f"crops/{room.crops[0].pk}/"
    lead = page(room, room.alice, name).content.decode()
    assert "written by dora" in lead and "written by bob" not in lead and "/comments/" in lead
    # An opinion before one's own.
    assert "written by dora" not in page(room, room.bob, name).content.decode()
    answer(room.study, room.bob, room.crops[0])
    told = page(room, room.bob, name).content.decode()
    assert "written by dora" in told and f'href="/studies/{room.study.pk}/comments/"' not in told
