"""Readers over HTTP: what leads get, what leaving out changes and what it leaves, and who is refused."""

import pytest
from django.test import Client

from labeling.models import Annotation
from labeling.services.exclusions import exclude
from tests.factories import answer
from tests.labeling.conftest import Room


@pytest.fixture
def lead(room: Room) -> Client:
    """Alice's client, after Bob and Dora have read four crops and differ on one."""
    for place, crop in enumerate(room.crops[:4]):
        answer(room.study, room.bob, crop, "disc")
        answer(room.study, room.dora, crop, "ring" if place == 0 else "disc")
    client = Client()
    client.force_login(room.alice)
    return client


def base(room: Room) -> str:
    return f"/api/v1/studies/{room.study.pk}"


def post(client: Client, address: str, **body: str) -> tuple[int, dict]:
    reply = client.post(address, body, content_type="application/json")
    return reply.status_code, reply.json()


def test_readers_are_listed_by_name_with_their_figures(room: Room, lead: Client) -> None:
    rows = lead.get(f"{base(room)}/readers/").json()
    assert [(row["name"], row["left_out"]) for row in rows] == [("bob", None), ("dora", None)]
    figures = lead.get(f"{base(room)}/readers/{room.bob.pk}/").json()["figures"]
    assert figures["reads"] == 4
    assert figures["not_sure"]["value"] == 0.0 and figures["not_sure"]["n"] == 4


def test_leaving_out_and_putting_back_is_said_and_keeps_every_answer(room: Room, lead: Client) -> None:
    before = Annotation.objects.count()
    address = f"{base(room)}/readers/{room.bob.pk}"
    for _ in range(2):
        status, said = post(lead, f"{address}/leave-out/", reason="another question in mind")
        assert status == 200 and said["left_out"]["reason"] == "another question in mind"
    assert Annotation.objects.counted().filter(study=room.study, annotator=room.bob).count() == 0
    status, said = post(lead, f"{address}/put-back/", reason="talked it over")
    assert (status, said["left_out"]) == (200, None)
    assert Annotation.objects.counted().filter(study=room.study, annotator=room.bob).count() == 4
    assert Annotation.objects.count() == before


def test_who_was_left_out_by_a_command_is_listed_without_a_name(room: Room, lead: Client) -> None:
    exclude(room.study, room.bob, None, "by command")
    row = lead.get(f"{base(room)}/readers/").json()[0]
    assert (row["left_out"]["reason"], row["left_out"]["by"]) == ("by command", None)


def test_a_reason_is_asked_for_and_somebody_without_answers_is_refused(room: Room, lead: Client) -> None:
    assert post(lead, f"{base(room)}/readers/{room.bob.pk}/leave-out/")[0] == 400
    status, said = post(lead, f"{base(room)}/readers/{room.alice.pk}/leave-out/", reason="x")
    assert status == 409 and "no answer" in str(said)
    assert post(lead, f"{base(room)}/readers/{2**70}/leave-out/", reason="x")[0] == 404


def test_progress_has_no_cost_without_a_rate_and_refuses_nonsense(room: Room, lead: Client) -> None:
    told = lead.get(f"{base(room)}/progress/?target=8").json()
    assert told["left"]["target"] == 8 and told["left"]["answered"] == 4
    assert told["cost"] is None
    assert lead.get(f"{base(room)}/progress/?rate=120").status_code == 200
    for query in ("target=0", "rate=-1", "target=many"):
        assert lead.get(f"{base(room)}/progress/?{query}").status_code == 400


def test_annotators_learn_nothing_of_readers(room: Room, lead: Client) -> None:
    client = Client()
    client.force_login(room.bob)
    for path in ("readers/", f"readers/{room.dora.pk}/", f"readers/{room.bob.pk}/", "progress/"):
        assert client.get(f"{base(room)}/{path}").status_code == 403
    assert post(client, f"{base(room)}/readers/{room.dora.pk}/leave-out/", reason="x")[0] == 403
