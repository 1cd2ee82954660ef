"""The protocol of a study of readers on pages and over the API: who sees what, and when."""

import csv
import html
import io
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.forms.presets import preset_named
from labeling.models import AgreementReport, Ranked, ReaderStudy, Study
from labeling.services.queue import next_crops
from labeling.services.reader_study.closing import close_protocol
from labeling.services.reader_study.drafting import cases_came, change_draft, choose_cases, draw_cases, protocol_of
from labeling.services.reader_study.locking import draft_digest, lock_protocol
from labeling.services.settings import change_study
from labeling.worker.agreement import make_report
from tests.factories import add_reader, answer, make_user
from tests.labeling.conftest import Room

RESULTS = (
    ("labeling:exports", "get", ()),
    ("labeling:export", "get", ()),
    ("labeling:download", "get", ("coco",)),
    ("labeling:ambiguous", "get", ()),
    ("labeling:protocol-table", "get", ("readers",)),
    ("training:grid", "get", ()),
    ("training:stream", "get", ()),
    ("training:start", "post", ()),
    ("labeling-api:study-agreement", "get", ()),
    ("labeling-api:study-answers", "get", ()),
    ("training-api:grid", "get", ()),
    ("labeling:agreement", "get", ()),
    ("labeling:discuss", "get", ()),
    ("labeling:comments", "get", ()),
    ("labeling:progress", "get", ()),
    ("labeling:progress-csv", "get", ()),
    ("labeling-api:confusion", "get", ()),
    ("training:runs", "get", ()),
    ("training:advice", "get", ()),
    ("training:model-reader", "get", ()),
)
DRAFT = {
    "question": "How far do two readers agree?", "primary_measure": "percent_agreement", "margin_kind": "half_width",
    "margin": "0.2", "stopping": "all_read", "stops_on": "", "stopping_rule": "", "reread_share": "0",
    "washout_days": "14", "seed": "7",
}  # fmt: skip


@pytest.fixture
def blind(room: Room) -> Room:
    change_study(room.study, room.alice, {"is_blind": True})
    return room


@pytest.fixture
def locked(blind: Room) -> Room:
    change_draft(blind.study, blind.alice, {"question": "How far do two readers agree?", "seed": 7})
    choose_cases(blind.study, blind.alice, [crop.pk for crop in blind.crops[:4]])
    draft = protocol_of(blind.study)
    assert draft is not None
    lock_protocol(blind.study, blind.alice, seen=draft_digest(draft))
    return blind


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(room: Room, name: str, *more: Any) -> str:
    return reverse(name, args=[room.study.pk, *more])


def read_all(room: Room) -> None:
    for user, label in ((room.bob, "disc"), (room.dora, "ring")):
        while found := next_crops(room.study, user, 1):
            answer(room.study, user, found[0].crop_id, label)


def test_a_lead_drafts_draws_locks_and_closes_on_one_page(blind: Room) -> None:
    lead, page = client_of(blind.alice), url(blind, "labeling:protocol")
    assert "Save the draft" in lead.get(page).content.decode()
    assert lead.post(page, DRAFT).status_code == 302
    assert "There are no cases" in lead.get(page).content.decode()
    lead.post(url(blind, "labeling:protocol-cases"), {"count": "4", "crops": ""})
    shown = lead.get(page).content.decode()
    draft = protocol_of(blind.study)
    assert draft is not None and draft_digest(draft) in shown and "Lock the protocol" in shown
    lead.post(url(blind, "labeling:protocol-lock"), {"digest": draft_digest(draft)})
    assert protocol_of(blind.study).locked_at is None, "the box was not ticked"
    lead.post(url(blind, "labeling:protocol-lock"), {"digest": draft_digest(draft), "sure": "1"})
    blind.study.refresh_from_db()
    assert blind.study.is_reader_study
    assert "Close early" in lead.get(page).content.decode()
    read_all(blind)
    assert "The stopping rule is met" in lead.get(page).content.decode()
    lead.post(url(blind, "labeling:protocol-close"), {"reason": ""})
    report = lead.get(page).content.decode()
    for part in ("Agreement in per cent", "Each pair of readers", "None: the study followed its protocol."):
        assert part in report


def test_a_wrong_draft_comes_back_with_what_is_wrong_and_stores_nothing(blind: Room) -> None:
    lead, page = client_of(blind.alice), url(blind, "labeling:protocol")
    for wrong, said in (
        ({"margin": "1.5"}, "it lies between 0 and 1"),
        ({"stopping": "date"}, "say which"),
        ({"question": ""}, "This field is required"),
        ({"primary_measure": "p value"}, "Select a valid choice"),
    ):
        reply = lead.post(page, DRAFT | wrong)
        assert (reply.status_code, said in reply.content.decode()) == (400, True), said
    assert not ReaderStudy.objects.exists()


def test_cases_are_drawn_or_named_and_not_both(blind: Room) -> None:
    lead, cases = client_of(blind.alice), url(blind, "labeling:protocol-cases")
    lead.post(url(blind, "labeling:protocol"), DRAFT)
    for given in ({"count": "3", "crops": "1"}, {"count": "", "crops": ""}, {"count": "", "crops": "one two"}):
        lead.post(cases, given)
        assert not blind.study.reader_cases.exists(), given
    lead.post(cases, {"count": "", "crops": f"{blind.crops[2].pk}, {blind.crops[0].pk}\n{blind.crops[2].pk}"})
    assert list(blind.study.reader_cases.values_list("crop_id", flat=True)) == [blind.crops[2].pk, blind.crops[0].pk]


@pytest.mark.parametrize("name, method, more", RESULTS, ids=[row[0] for row in RESULTS])
def test_results_are_closed_to_leads_until_the_protocol_is_done(
    locked: Room, name: str, method: str, more: tuple[Any, ...]
) -> None:
    lead, address = client_of(locked.alice), url(locked, name, *more)
    read_all(locked)
    before = getattr(lead, method)(address)
    assert before.status_code == 403 and "closed until the protocol is done" in before.content.decode()
    lead.post(url(locked, "labeling:protocol-close"))
    # The grid of a study that nothing has ranked yet says 400.
    assert getattr(lead, method)(address).status_code in (200, 302, 400)


def test_the_pages_that_stay_open_tell_how_far_it_is_and_not_what_was_said(locked: Room) -> None:
    lead = client_of(locked.alice)
    read_all(locked)
    overview = lead.get(url(locked, "labeling:overview")).content.decode()
    assert "closed until its" in overview and "4 of 8" not in overview
    for word in ("Can I trust these labels", "bob", "Not sure"):
        assert word not in overview
    classes = lead.get(url(locked, "labeling:classes")).content.decode()
    assert "closed" in classes and "what is on these pages stays as it is" in classes
    Ranked.objects.filter(study=locked.study).update(expected_not_sure=0.3)
    ranking = url(locked, "labeling-api:study-ranking")
    assert lead.get(ranking).json()["ranking"]["expected_not_sure"] is None
    assert lead.get(url(locked, "labeling:mine"), {"reader": locked.bob.pk}).status_code == 403
    assert "bob" not in lead.get(url(locked, "labeling:mine")).content.decode()
    running = lead.get(url(locked, "labeling:protocol")).content.decode()
    assert "bob" in running and "disc" not in running.split("The protocol</h2>")[0]
    called = lead.get(reverse("labeling:called", args=[locked.study.experiments.get().pk])).content.decode()
    lead.post(url(locked, "labeling:protocol-close"))
    assert called != lead.get(reverse("labeling:called", args=[locked.study.experiments.get().pk])).content.decode()
    assert lead.get(ranking).json()["ranking"]["expected_not_sure"] == 0.3
    opened = lead.get(url(locked, "labeling:overview")).content.decode()
    assert "The report of the protocol" in opened and "bob" in opened


def test_readers_see_the_question_their_own_count_and_the_digest(locked: Room) -> None:
    answer(locked.study, locked.dora, next_crops(locked.study, locked.dora, 1)[0].crop_id)
    shown = client_of(locked.bob).get(url(locked, "labeling:protocol")).content.decode()
    assert "0 of 4 cases read" in shown and "Disc or ring?" in shown
    assert protocol_of(locked.study).digest in shown
    assert "dora" not in shown and "How far do two readers agree?" not in shown
    for name, more in (
        ("labeling:protocol-lock", ()),
        ("labeling:protocol-close", ()),
        ("labeling:protocol-cases", ()),
    ):
        assert client_of(locked.bob).post(url(locked, name, *more)).status_code == 403
    assert client_of(locked.bob).post(url(locked, "labeling:protocol"), DRAFT).status_code == 403
    assert client_of(locked.bob).get(url(locked, "labeling:protocol-table", "pairs")).status_code == 403


def test_strangers_get_404_and_readers_none_of_a_draft(blind: Room) -> None:
    change_draft(blind.study, blind.alice, {})
    stranger = client_of(make_user("stranger"))
    for name in ("labeling:protocol", "labeling-api:protocol"):
        assert stranger.get(url(blind, name)).status_code == 404
        assert client_of(blind.bob).get(url(blind, name)).status_code == 404
    for name in ("labeling:protocol-lock", "labeling:protocol-close", "labeling-api:protocol-lock"):
        assert stranger.post(url(blind, name)).status_code == 404


def test_the_room_gives_cases_without_a_ranking_and_says_why_there_are_none(locked: Room) -> None:
    reader, address = client_of(locked.bob), url(locked, "labeling-api:study-next")
    body = reader.get(address).json()
    assert (len(body["crops"]), body["ranking"], body["progress"]["total"]) == (4, None, 4)
    assert {crop["why"] for crop in body["crops"]} == {None}
    read_all(locked)
    assert "Thank you" in reader.get(address).json()["sitting"]["note"]


def test_a_refused_answer_tells_the_reader_why(locked: Room) -> None:
    reader = client_of(locked.bob)
    body = {
        "client_id": "6f1c0a52-94ae-4f5c-8a3c-0f63a1f7c001", "crop": locked.crops[9].pk, "answer": "label",
        "classes": ["disc"], "answered_at": "2026-01-01T10:00:00Z",
    }  # fmt: skip
    reply = reader.post(url(locked, "labeling-api:study-answers"), body, content_type="application/json")
    assert reply.status_code == 400 and "is no case" in reply.content.decode()


def test_the_api_tells_locks_and_closes(blind: Room) -> None:
    lead = client_of(blind.alice)
    change_draft(blind.study, blind.alice, {"question": "How far?", "seed": 7})
    choose_cases(blind.study, blind.alice, [crop.pk for crop in blind.crops[:4]])
    draft = lead.get(url(blind, "labeling-api:protocol")).json()
    assert (draft["state"], draft["problems"], len(draft["protocol"]["cases"])) == ("draft", [], 4)
    send = {"content_type": "application/json"}
    stale = lead.post(url(blind, "labeling-api:protocol-lock"), {"digest": "0" * 64}, **send)
    assert stale.status_code == 409 and "changed since" in stale.content.decode()
    locked = lead.post(url(blind, "labeling-api:protocol-lock"), {"digest": draft["digest"]}, **send).json()
    assert (locked["state"], locked["digest"], locked["report"]) == ("locked", draft["digest"], None)
    blind.study.refresh_from_db()
    assert client_of(blind.bob).get(url(blind, "labeling-api:protocol")).json() == {
        "state": "locked", "question": "Disc or ring?", "digest": draft["digest"], "read": 0, "cases": 4,
    }  # fmt: skip
    early = lead.post(url(blind, "labeling-api:protocol-close"), {}, **send)
    assert early.status_code == 409 and "not met" in early.content.decode()
    done = lead.post(url(blind, "labeling-api:protocol-close"), {"reason": "moved"}, **send).json()
    assert done["state"] == "closed" and done["deviations"][0] == {"kind": "closed early", "text": "moved"}
    assert {row["key"] for row in done["report"]["tables"]} >= {"pairs", "readers", "classes", "not-sure", "again"}


def test_every_table_leaves_as_csv_and_no_cell_runs_as_a_formula(locked: Room) -> None:
    lead = client_of(locked.alice)
    read_all(locked)
    lead.post(url(locked, "labeling:protocol-close"))
    page = lead.get(url(locked, "labeling:protocol")).content.decode()
    keys = [
        part.split(".csv")[0]
        for part in page.split(f"/studies/{locked.study.pk}/protocol/")[1:]
        if ".csv" in part[:20]
    ]
    assert len(keys) == 7
    for key in keys:
        reply = lead.get(url(locked, "labeling:protocol-table", key))
        rows = list(csv.reader(io.StringIO(reply.content.decode())))
        assert {len(row) for row in rows} == {len(rows[0])}, key
    pairs = list(csv.reader(io.StringIO(lead.get(url(locked, "labeling:protocol-table", "pairs")).content.decode())))
    assert pairs[1][:4] == ["bob", "dora", "4", "0.0"]
    assert lead.get(url(locked, "labeling:protocol-table", "nothing")).status_code == 404


def test_what_leads_type_is_text_and_stands_in_the_report(locked: Room) -> None:
    lead = client_of(locked.alice)
    lead.post(url(locked, "labeling:protocol-close"), {"reason": "=1+1 <script>alert(1)</script>"})
    page = lead.get(url(locked, "labeling:protocol")).content.decode()
    assert "&lt;script&gt;alert(1)" in page and "<script>alert(1)" not in page
    table = lead.get(url(locked, "labeling:protocol-table", "deviations")).content.decode()
    assert "'=1+1" in table


def test_admin_shows_a_locked_study_and_changes_nothing(locked: Room) -> None:
    admin = client_of(make_user("root", is_staff=True, is_superuser=True))
    page = reverse("admin:labeling_study_change", args=[locked.study.pk])
    assert 'name="_save"' not in admin.get(page).content.decode()
    assert admin.post(page, {"name": "other"}).status_code == 403
    late = add_reader(locked.study, "late")
    assert client_of(late).get(url(locked, "labeling:protocol")).status_code == 200


def closed(room: Room) -> str:
    """The overview once everything was read and the protocol is closed."""
    read_all(room)
    lead = client_of(room.alice)
    lead.post(url(room, "labeling:protocol-close"), {"reason": ""})
    return lead.get(url(room, "labeling:overview")).content.decode()


def test_the_overview_of_a_closed_protocol_says_what_its_report_says(locked: Room) -> None:
    shown = closed(locked)
    report = client_of(locked.alice).get(url(locked, "labeling:protocol")).context["report"]
    assert report.verdict in html.unescape(shown) and url(locked, "labeling:protocol") in shown
    for other in ("Can I trust these labels", "What to do next", "were chosen", "Not ranked yet"):
        assert other not in shown
    for name in ("training:stream", "training:embedding"):
        assert f'hx-get="{url(locked, name)}"' not in shown


def test_the_page_of_agreement_says_how_the_cases_came(locked: Room) -> None:
    closed(locked)
    make_report(locked.study.pk)
    shown = client_of(locked.alice).get(url(locked, "labeling:agreement")).content.decode()
    assert "named by a lead" in shown and "nothing is left to do" in shown
    assert "crops were chosen" not in shown and "Chosen crops" not in shown


def test_agreement_of_a_protocol_rests_on_all_its_cases_whatever_share_the_study_has_read_twice(locked: Room) -> None:
    Study.objects.filter(pk=locked.study.pk).update(overlap_share=1.0)
    closed(locked)
    make_report(locked.study.pk)
    shown = AgreementReport.objects.get(study=locked.study).data["headline"]
    report = client_of(locked.alice).get(url(locked, "labeling:protocol")).context["report"]
    assert (shown["basis"], shown["alpha"]["n"]) == ("queue", 4)
    assert shown["alpha"]["value"] == pytest.approx(report.primary["value"])


def test_how_cases_came_is_told_from_the_newest_choice(blind: Room) -> None:
    change_draft(blind.study, blind.alice, {"question": "How far?", "seed": 7})
    choose_cases(blind.study, blind.alice, [blind.crops[0].pk])
    assert "named by a lead" in cases_came(blind.study)
    draw_cases(blind.study, blind.alice, 3)
    assert "drawn at random" in cases_came(blind.study)


def test_readers_see_their_own_cases_of_their_own_and_the_lead_all_reads(locked: Room) -> None:
    (first, *_) = next_crops(locked.study, locked.bob, 1)
    answer(locked.study, locked.bob, first.crop_id, "disc")
    for reader, given in ((locked.bob, 1), (locked.dora, 0)):
        assert (
            f"{given} of your 4 cases read"
            in client_of(reader).get(url(locked, "labeling:overview")).content.decode()
        )
    lead = client_of(locked.alice)
    lead.post(url(locked, "labeling:protocol-close"), {"reason": "enough"})
    shown = lead.get(url(locked, "labeling:progress")).content.decode()
    assert "1 of 8 reads of the protocol" in shown and "missing" not in shown


def test_a_closed_protocol_invites_nobody_to_read_or_change(locked: Room) -> None:
    reader, places = (
        client_of(locked.bob),
        (reverse("home"), url(locked, "labeling:overview"), url(locked, "labeling:mine")),
    )
    read_all(locked)
    assert all("Read crops" in reader.get(place).content.decode() for place in places)
    assert "data-edit" in reader.get(places[2]).content.decode()
    close_protocol(locked.study, locked.alice)
    for place in places:
        seen = reader.get(place).content.decode()
        assert "Read crops" not in seen and "data-edit" not in seen, place


def test_the_room_of_a_protocol_offers_nothing_that_is_closed(locked: Room) -> None:
    room = client_of(locked.bob).get(url(locked, "labeling:room"))
    text = room.content.decode()
    assert room.context["room_config"]["cases"] is True
    assert url(locked, "training:grid") not in text
    assert re.search(r'id="open-sitting"[^>]* hidden', text)


def test_a_study_that_is_meant_for_a_protocol_leads_there_until_somebody_answers(blind: Room) -> None:
    lead, room = client_of(blind.alice), url(blind, "labeling:room")
    preset = preset_named("readers")
    assert preset is not None
    change_study(blind.study, blind.alice, preset.values)

    def leads_there() -> tuple[bool, bool, bool]:
        seen = lead.get(url(blind, "labeling:overview")).content.decode()
        told = lead.get(room).context["room_config"]["awaits_protocol"]
        return "Draw the cases and lock the protocol" in seen, "Read the first crops yourself" not in seen, told

    assert leads_there() == (True, True, True)
    answer(blind.study, blind.bob, blind.crops[0])
    assert leads_there() == (False, True, False)
