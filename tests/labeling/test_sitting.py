"""How a reader sits: staying at a place, a ceiling, easy crops, a pause, crops that are put aside."""

from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from audit.models import AuditEvent
from imaging.models import Crop
from labeling.models import Lease, Membership, QueueEntry, Sitting, SkippedCrop, Study
from labeling.services.queue import LEASED_AHEAD, NewEntry, RankingInfo, next_crops, release, replace_queue, serve
from labeling.services.reads import EASY, RE_READ, SAME_PLACE, STREAM
from labeling.services.sitting import SittingRefused, change_sitting, resume, sitting_of, skip
from tests.factories import add_reader, answer, crops_of, fill_queue, make_experiment, make_study, make_user
from tests.labeling.conftest import Room


@pytest.fixture
def two(db: None, tmp_path: Path) -> Room:
    """Two plates of twelve crops each; the queue takes one crop from each in turn."""
    plates = [make_experiment(tmp_path, f"plate {number}", crops=12, seed=number) for number in (1, 2)]
    alice = make_user("alice")
    study = make_study(alice, *plates)
    crops = [crop for pair in zip(*map(crops_of, plates)) for crop in pair]
    fill_queue(study, crops)
    return Room(study, alice, add_reader(study, "bob"), add_reader(study, "dora"), crops)


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(room: Room, name: str) -> str:
    return f"/api/v1/studies/{room.study.pk}/{name}/"


def ids(room: Room, user: Any, count: int = 12) -> list[int]:
    return [row.crop_id for row in next_crops(room.study, user, count)]


def plate(crop_id: int) -> str:
    return Crop.objects.values_list("image__sample__experiment__name", flat=True).get(pk=crop_id)


def read(room: Room, user: Any, count: int) -> list[int]:
    """The crops that the user reads one after the other."""
    seen = []
    for _ in range(count):
        crop = ids(room, user)[0]
        answer(room.study, user, crop)
        seen.append(crop)
    return seen


@pytest.mark.parametrize("kind", ["experiment", "sample", "image"])
def test_a_reader_stays_for_as_many_crops_as_they_chose_and_then_moves_on(two: Room, kind: str) -> None:
    change_sitting(two.study, two.bob, {"stay_on": kind, "stay_for": 5})
    where = [plate(crop) for crop in read(two, two.bob, 15)]
    assert [len(set(where[start : start + 5])) for start in (0, 5, 10)] == [1, 1, 1]
    assert where[0] != where[7] or where[7] != where[12] or len(set(where)) == 1


def test_crops_of_a_place_come_in_the_order_of_the_queue_and_each_once(two: Room) -> None:
    change_sitting(two.study, two.bob, {"stay_on": "experiment", "stay_for": 12})
    assert read(two, two.bob, 12) == [crop.pk for crop in two.crops[::2]]


def test_a_place_with_few_queued_crops_goes_on_with_its_other_unread_ones(two: Room) -> None:
    fill_queue(two.study, [*two.crops[:2], *two.crops[3::2]])
    answer(two.study, two.dora, two.crops[2])
    change_sitting(two.study, two.bob, {"stay_on": "image", "stay_for": 8})
    seen = read(two, two.bob, 8)
    assert {plate(crop) for crop in seen} == {"plate 1"}
    assert two.crops[2].pk not in seen and len(set(seen)) == 8
    assert two.study.annotations.filter(annotator=two.bob, why_asked=SAME_PLACE).count() == 7


def test_a_place_that_is_read_to_its_end_is_left_early(two: Room) -> None:
    change_sitting(two.study, two.bob, {"stay_on": "image", "stay_for": 50})
    assert [plate(crop) for crop in read(two, two.bob, 24)] == ["plate 1"] * 12 + ["plate 2"] * 12
    assert ids(two, two.bob) == []


def test_what_is_left_counts_down_with_every_answer_also_after_a_break(two: Room) -> None:
    change_sitting(two.study, two.bob, {"stay_on": "experiment", "stay_for": 6})
    left = []
    for number in range(6):
        if number == 2:
            release(two.study, two.bob)
        if number == 4:
            Lease.objects.update(expires_at=two.study.created_at)
        served = serve(two.study, two.bob, 12)
        left.append(served.left)
        answer(two.study, two.bob, served.crops[0].crop_id)
    assert left == [6, 5, 4, 3, 2, 1]
    assert serve(two.study, two.bob, 12).left == 6


def test_rereads_and_easy_crops_stay_at_the_place_and_count(two: Room) -> None:
    for crop in two.crops[:8]:
        answer(two.study, two.bob, crop)
    Study.objects.filter(pk=two.study.pk).update(reread_share=0.5, reread_after_items=0)
    two.study.refresh_from_db()
    change_sitting(two.study, two.bob, {"stay_on": "experiment", "stay_for": 7})
    lefts, where = [], []
    for _ in range(7):
        served = serve(two.study, two.bob, 12)
        lefts.append(served.left)
        where.append(plate(served.crops[0].crop_id))
        answer(two.study, two.bob, served.crops[0].crop_id)
    assert len(set(where)) == 1
    assert lefts == [7, 6, 5, 4, 3, 2, 1]


def test_other_readers_are_served_as_before(two: Room) -> None:
    change_sitting(two.study, two.bob, {"stay_on": "experiment", "stay_for": 6})
    ids(two, two.bob)
    taken = set(Lease.objects.filter(user=two.bob).values_list("crop_id", flat=True))
    assert ids(two, two.dora)[:4] == [crop.pk for crop in two.crops if crop.pk not in taken][:4]


def test_a_blind_reader_learns_that_a_place_is_kept_and_not_which(two: Room) -> None:
    Study.objects.update(is_blind=True)
    client = client_of(two.bob)
    reply = client.patch(
        url(two, "sitting"), {"stay_on": "image", "stay_for": 4}, content_type="application/json"
    ).json()
    assert (reply["stay_on"], reply["left"]) == ("image", 0)
    state = client.get(url(two, "next"))
    assert state.json()["sitting"]["left"] == 4
    assert "plate" not in state.content.decode() and "stay_at" not in state.json()["sitting"]


def with_odds(room: Room, odds: list[float | None], whys: dict[int, str] | None = None) -> None:
    rows = [
        NewEntry(crop.pk, 1.0, (whys or {}).get(place, "uncertain"), None, odds[place])
        for place, crop in enumerate(room.crops[: len(odds)])
    ]
    replace_queue(room.study, rows, RankingInfo("ef" * 32, "uherding", "handcrafted", len(rows), 0))


def test_a_ceiling_leaves_out_what_will_probably_not_be_told_but_no_random_check(room: Room) -> None:
    with_odds(room, [0.9, 0.1, None, 0.31, 0.8, 0.3], {4: STREAM})
    change_sitting(room.study, room.bob, {"not_sure_ceiling": 0.3})
    assert ids(room, room.bob) == [room.crops[place].pk for place in (1, 2, 4, 5)]
    assert ids(room, room.dora)[0] == room.crops[0].pk


@pytest.mark.parametrize("kind", ["experiment", "image"])
def test_a_ceiling_holds_at_a_place_that_is_kept_too(room: Room, kind: str) -> None:
    with_odds(room, [0.9, 0.1, None, 0.31, 0.8, 0.3], {4: STREAM})
    change_sitting(room.study, room.bob, {"not_sure_ceiling": 0.3, "stay_on": kind, "stay_for": 20})
    # Those that the queue does not hold come too: nothing is expected of them.
    assert ids(room, room.bob) == [room.crops[place].pk for place in (1, 2, 4, 5, *range(6, 12))]


def test_who_has_only_crops_above_the_ceiling_left_is_told_so(room: Room) -> None:
    with_odds(room, [0.9, 0.8])
    change_sitting(room.study, room.bob, {"not_sure_ceiling": 0.3})
    served = serve(room.study, room.bob, 12)
    assert (served.crops, served.held_back) == ([], True)
    change_sitting(room.study, room.bob, {"not_sure_ceiling": None})
    assert len(ids(room, room.bob)) == 2


def test_nothing_is_held_back_from_who_has_read_all_that_is_above_the_ceiling(room: Room) -> None:
    with_odds(room, [0.9, 0.8])
    read(room, room.bob, 2)
    change_sitting(room.study, room.bob, {"not_sure_ceiling": 0.3})
    assert serve(room.study, room.bob, 12).held_back is False


@pytest.mark.parametrize("probe", [{"not_sure_ceiling": 0.0}, {"not_sure_ceiling": 0.5}, {"easy_share": 0.1}])
def test_a_blind_reader_cannot_ask_by_a_ceiling_or_easy_crops_what_the_model_expects(
    room: Room, probe: dict[str, float]
) -> None:
    Study.objects.update(is_blind=True)

    def asks(user: Any, wish: dict[str, Any]) -> Any:
        return client_of(user).patch(url(room, "sitting"), wish, content_type="application/json")

    reply = asks(room.bob, probe)
    assert reply.status_code == 400 and "This study is blind" in reply.json()["errors"][0]["detail"]
    assert not Sitting.objects.exists()
    usual = {"stay_on": "image", "not_sure_ceiling": None, "easy_share": 0.0}
    assert [asks(room.bob, usual).status_code, asks(room.alice, probe).status_code] == [200, 200]


def test_what_a_reader_chose_by_the_model_holds_no_more_once_the_study_is_blind(room: Room) -> None:
    with_odds(room, [0.9, 0.8, None, None], {2: EASY, 3: EASY})
    change_sitting(room.study, room.bob, {"not_sure_ceiling": 0.3, "easy_share": 1.0})
    assert ids(room, room.bob) == [room.crops[2].pk, room.crops[3].pk]
    release(room.study, room.bob)
    Study.objects.update(is_blind=True)
    room.study.refresh_from_db()
    state = client_of(room.bob).get(url(room, "next")).json()
    assert [crop["id"] for crop in state["crops"]] == [crop.pk for crop in room.crops[:4]]
    assert (state["sitting"]["not_sure_ceiling"], state["sitting"]["easy_share"]) == (None, 0.0)


def test_easy_crops_go_to_those_who_asked_and_to_others_only_when_nothing_else_is_left(room: Room) -> None:
    with_odds(room, [None] * 12, dict.fromkeys(range(8, 12), EASY))
    easy = {crop.pk for crop in room.crops[8:]}
    assert easy.isdisjoint(ids(room, room.dora, 8))
    assert ids(room, room.dora, 12)[8:] == [crop.pk for crop in room.crops[8:]]
    release(room.study, room.dora)
    change_sitting(room.study, room.bob, {"easy_share": 1.0})
    assert set(ids(room, room.bob, 4)) == easy
    change_sitting(room.study, room.bob, {"easy_share": 0.0})
    assert easy.isdisjoint(ids(room, room.bob, 8)[1:])


def test_a_pause_gives_the_crops_back_and_hands_out_none_until_it_ends(room: Room) -> None:
    held = ids(room, room.bob, LEASED_AHEAD)
    client = client_of(room.bob)
    assert client.post(url(room, "pause"), content_type="application/json").json()["paused"] is True
    assert ids(room, room.dora, LEASED_AHEAD) == held
    state = client.get(url(room, "next")).json()
    assert (state["crops"], state["sitting"]["paused"]) == ([], True)
    answer(room.study, room.bob, room.crops[5])
    reply = client.post(url(room, "pause"), {"paused": False}, content_type="application/json").json()
    assert reply["paused"] is False
    assert len(ids(room, room.bob, LEASED_AHEAD)) == LEASED_AHEAD


def test_who_opens_the_reading_room_is_back_from_the_pause(room: Room) -> None:
    change_sitting(room.study, room.bob, {"paused": True})
    assert client_of(room.bob).get(f"/studies/{room.study.pk}/read/").status_code == 200
    assert sitting_of(room.study, room.bob).paused_at is None
    resume(room.study, room.dora)
    assert not Sitting.objects.filter(user=room.dora).exists()


def test_a_change_keeps_the_crop_on_screen_and_holds_from_the_next(two: Room) -> None:
    first = ids(two, two.bob)[0]
    change_sitting(two.study, two.bob, {"stay_on": "experiment", "stay_for": 5})
    after = ids(two, two.bob)
    assert after[0] == first
    assert {plate(crop) for crop in after[:5]} == {plate(first)}
    assert {plate(crop) for crop in after[5:10]} == {"plate 2"}


def test_the_crop_on_screen_counts_for_the_place_where_a_reader_begins_to_stay(two: Room) -> None:
    ids(two, two.bob)
    change_sitting(two.study, two.bob, {"stay_on": "image", "stay_for": 3})
    assert serve(two.study, two.bob, 12).left == 3
    assert [plate(crop) for crop in read(two, two.bob, 6)] == ["plate 1"] * 3 + ["plate 2"] * 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"stay_for": 0},
        {"stay_for": 10_001},
        {"stay_on": "planet"},
        {"easy_share": 1.5},
        {"easy_share": "most"},
        {"not_sure_ceiling": -0.1},
        {"stay_at": 3},
    ],
)
def test_a_sitting_that_cannot_be_is_refused_and_nothing_is_changed(room: Room, wrong: dict[str, Any]) -> None:
    with pytest.raises(SittingRefused):
        change_sitting(room.study, room.bob, wrong)
    assert not Sitting.objects.exists()
    if "stay_at" not in wrong:
        reply = client_of(room.bob).patch(url(room, "sitting"), wrong, content_type="application/json")
        assert reply.status_code == 400


def test_changes_are_audited_once_and_the_same_wish_again_changes_nothing(room: Room) -> None:
    for _ in range(2):
        change_sitting(room.study, room.bob, {"easy_share": 0.2})
    event = AuditEvent.objects.get(action="sitting.changed")
    assert event.detail == {"study": room.study.pk, "easy_share": [0.0, 0.2]}


def test_a_crop_that_was_put_aside_comes_back_last_and_to_its_reader_only_then(room: Room) -> None:
    first, second = ids(room, room.bob)[:2]
    reply = client_of(room.bob).post(url(room, "skip"), {"crop": first}, content_type="application/json")
    assert reply.status_code == 200
    assert next(crop["id"] for crop in reply.json()["crops"]) == second
    assert ids(room, room.dora)[0] == first
    release(room.study, room.dora)
    assert ids(room, room.bob)[-1] == first
    assert len(read(room, room.bob, 12)) == 12
    assert room.study.annotations.last().crop_id == first


def test_a_crop_of_another_pool_cannot_be_put_aside(room: Room) -> None:
    reply = client_of(room.bob).post(url(room, "skip"), {"crop": 10**9}, content_type="application/json")
    assert reply.status_code == 400
    assert not SkippedCrop.objects.exists()


def test_a_wish_for_a_crop_ends_when_it_is_put_aside(room: Room) -> None:
    room.study.requested.create(user=room.bob, crop=room.crops[7], like=room.crops[0])
    assert ids(room, room.bob)[0] == room.crops[7].pk
    skip(room.study, room.bob, room.crops[7].pk)
    assert ids(room, room.bob)[0] != room.crops[7].pk


def test_the_goal_for_the_day_comes_with_the_progress(room: Room) -> None:
    client = client_of(room.bob)
    assert client.get(url(room, "next")).json()["progress"]["goal"] is None
    Membership.objects.filter(user=room.bob).update(daily_goal=40)
    answer(room.study, room.bob, room.crops[0])
    assert client.get(url(room, "next")).json()["progress"] == {"answered": 1, "total": 12, "today": 1, "goal": 40}


def test_readers_see_and_change_their_own_sitting_only(room: Room) -> None:
    change_sitting(room.study, room.bob, {"easy_share": 0.4})
    assert client_of(room.dora).get(url(room, "sitting")).json()["easy_share"] == 0.0
    assert client_of(make_user("eve")).get(url(room, "sitting")).status_code == 404


def test_what_a_study_does_not_use_costs_no_query(room: Room) -> None:
    ids(room, room.bob)
    with CaptureQueriesContext(connection) as found:
        ids(room, room.bob)
    assert len([row for row in found if not row["sql"].startswith(("SAVEPOINT", "RELEASE", "BEGIN"))]) <= 8
    tables = " ".join(row["sql"] for row in found)
    assert RE_READ not in tables.replace(f"'{RE_READ}'", "") and QueueEntry._meta.db_table in tables
