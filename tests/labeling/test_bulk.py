"""One answer to many crops: stored once, marked, conflicts named, left out of what must be independent."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from labeling.models import Annotation, Lease, QueueEntry, Study
from labeling.services.answers import AnswerRefused
from labeling.services.bulk import BulkItem, BulkResult, BulkStep, Outcome, submit_bulk, undo_bulk
from labeling.services.counts import count
from labeling.services.progress import left_out_of_agreement, reads_table
from labeling.services.queue import next_crops
from labeling.services.reads import SECOND_READ, STREAM, awaiting_reads
from labeling.services.stream import stream_crops
from labeling.services.summary import agreement_of
from labeling.services.workload import workload
from labeling.worker.agreement import make_report
from tests.factories import add_reader, answer, make_experiment, make_user
from tests.labeling.conftest import Room
from training.services.labels import FURTHER_READS, standing_answers


def step(crops: Any, label: str = "disc", **more: Any) -> BulkStep:
    items = tuple(BulkItem(uuid4(), crop.pk) for crop in crops)
    answer, classes = ("label", (label,)) if label else ("not_sure", ())
    given: dict[str, Any] = {"answer": answer, "classes": classes, "items": items, "answered_at": timezone.now()}
    return BulkStep(**(given | more))


def outcomes(results: list[BulkResult]) -> list[Outcome]:
    return [row.outcome for row in results]


def test_a_step_is_stored_marked_and_written_down_once(room: Room) -> None:
    given = step(room.crops[:5], window=[{"low": 1, "high": 2, "on": True}], ranking="ab")
    first = submit_bulk(room.study, room.bob, given)
    again = submit_bulk(room.study, room.bob, given)
    assert outcomes(first) == [Outcome.SAVED] * 5
    assert [row.annotation for row in again] == [row.annotation for row in first]
    rows = Annotation.objects.filter(study=room.study)
    assert rows.count() == 5
    assert all(row.is_bulk and row.window == given.window and row.why_asked == "" for row in rows)
    events = AuditEvent.objects.filter(action="answers.bulk")
    assert events.get().detail["crops"] == [crop.pk for crop in room.crops[:5]]


def test_the_same_id_with_another_answer_is_a_conflict(room: Room) -> None:
    given = step(room.crops[:2])
    submit_bulk(room.study, room.bob, given)
    other = BulkStep("label", timezone.now(), given.items, ("ring",))
    assert outcomes(submit_bulk(room.study, room.bob, other)) == [Outcome.CONFLICT] * 2
    assert outcomes(submit_bulk(room.study, room.dora, given)) == [Outcome.CONFLICT] * 2


def test_an_answer_to_one_crop_is_never_replaced(room: Room) -> None:
    single = answer(room.study, room.bob, room.crops[1], "ring")
    results = submit_bulk(room.study, room.bob, step(room.crops[:3]))
    assert outcomes(results) == [Outcome.SAVED, Outcome.CONFLICT, Outcome.SAVED]
    assert results[1].annotation == single.pk and "by itself" in results[1].message
    items = (BulkItem(uuid4(), room.crops[1].pk, standing=single.pk),)
    assert outcomes(submit_bulk(room.study, room.bob, step([], items=items))) == [Outcome.CONFLICT]


def test_a_bulk_answer_is_replaced_only_by_who_saw_it(room: Room) -> None:
    [first] = submit_bulk(room.study, room.bob, step(room.crops[:1]))
    assert outcomes(submit_bulk(room.study, room.bob, step(room.crops[:1], "ring"))) == [Outcome.CONFLICT]
    items = (BulkItem(uuid4(), room.crops[0].pk, standing=first.annotation),)
    [second] = submit_bulk(room.study, room.bob, step([], "ring", items=items))
    standing = Annotation.objects.current().get()
    assert standing.pk == second.annotation and standing.supersedes_id == first.annotation
    assert standing.labels.get().label_class.key == "ring"


def test_what_stands_twice_or_outside_is_named_and_the_rest_is_stored(room: Room, tmp_path: Any) -> None:
    outside = make_experiment(tmp_path, "elsewhere", crops=2, seed=9)
    stranger = outside.samples.get().images.get().crops.first()
    once = uuid4()
    items = (
        BulkItem(once, room.crops[0].pk), BulkItem(uuid4(), room.crops[0].pk), BulkItem(once, room.crops[2].pk),
        BulkItem(uuid4(), stranger.pk), BulkItem(uuid4(), 10**12), BulkItem(uuid4(), room.crops[1].pk),
    )  # fmt: skip
    results = submit_bulk(room.study, room.bob, step([], items=items))
    conflict, refused = Outcome.CONFLICT, Outcome.REFUSED
    assert outcomes(results) == [Outcome.SAVED, conflict, conflict, refused, refused, Outcome.SAVED]
    assert Annotation.objects.count() == 2


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"classes": ("nothing",)}, "no open class"),
        ({"classes": ()}, "takes 1 class"),
        ({"answer": "not_sure"}, "takes 0 class"),
        ({"answer": "withdrawn"}, "not an answer"),
        ({"items": ()}, "1 to 500"),
    ],
)
def test_a_step_that_does_not_fit_the_study_is_refused_whole(room: Room, more: dict[str, Any], words: str) -> None:
    with pytest.raises(AnswerRefused, match=words):
        submit_bulk(room.study, room.bob, step(room.crops[:2], **more))
    assert not Annotation.objects.exists()


def test_a_step_is_timed_by_the_servers_clock_where_the_senders_is_wrong(room: Room) -> None:
    fast = timezone.now() + timedelta(hours=3)
    given = step(room.crops[:2], answered_at=fast - timedelta(minutes=5), sent_at=fast)
    submit_bulk(room.study, room.bob, given)
    for row in Annotation.objects.all():
        assert row.received_at - row.answered_at == pytest.approx(timedelta(minutes=5), abs=timedelta(seconds=5))
    detail = AuditEvent.objects.get(action="answers.bulk").detail
    assert detail["clock_offset_s"] == pytest.approx(-3 * 3600, abs=5)
    submit_bulk(room.study, room.dora, step(room.crops[:2], answered_at=fast))
    assert all(row.answered_at <= row.received_at for row in Annotation.objects.all())


def test_answers_that_wait_in_a_browser_go_out_under_nobody_elses_name(room: Room) -> None:
    client = Client()
    address = f"/api/v1/studies/{room.study.pk}/bulk/"
    items = [{"client_id": str(uuid4()), "crop": room.crops[0].pk}]
    body = {"items": items, "answer": "label", "classes": ["disc"], "answered_at": timezone.now().isoformat()}
    undo = {"items": [{"client_id": str(uuid4()), "answer": items[0]["client_id"]}]}
    by_bob = {"annotator": room.bob.pk}
    client.force_login(room.dora)
    for part, given in (("", body), ("undo/", undo)):
        refused = client.post(address + part, given | by_bob, content_type="application/json")
        assert refused.status_code == 403 and b"permission_denied" in refused.content
    assert not Annotation.objects.exists()
    client.force_login(room.bob)
    for part, given in (("", body), ("undo/", undo)):
        assert client.post(address + part, given | by_bob, content_type="application/json").json()["saved"] == 1


def test_a_step_is_undone_once_and_nothing_else_with_it(room: Room) -> None:
    single = answer(room.study, room.bob, room.crops[5])
    given = step(room.crops[:3])
    submit_bulk(room.study, room.bob, given)
    pairs = [(uuid4(), item.client_id) for item in given.items] + [(uuid4(), single.client_id)]
    first, again = undo_bulk(room.study, room.bob, pairs), undo_bulk(room.study, room.bob, pairs)
    assert outcomes(first) == [Outcome.SAVED] * 3 + [Outcome.CONFLICT]
    assert [row.annotation for row in again] == [row.annotation for row in first]
    assert list(Annotation.objects.current()) == [single]
    other = [(uuid4(), item.client_id) for item in given.items]
    assert outcomes(undo_bulk(room.study, room.dora, other)) == [Outcome.CONFLICT] * 3
    assert outcomes(submit_bulk(room.study, room.bob, step(room.crops[:3], "ring"))) == [Outcome.SAVED] * 3


def test_a_random_check_is_read_by_itself(room: Room) -> None:
    QueueEntry.objects.filter(study=room.study, crop=room.crops[4]).update(why=STREAM)
    results = submit_bulk(room.study, room.bob, step(room.crops[3:6]))
    assert outcomes(results) == [Outcome.SAVED, Outcome.REFUSED, Outcome.SAVED]
    assert "random check" in results[1].message
    assert stream_crops(room.study) == []
    answer(room.study, room.bob, room.crops[4])
    assert [crop.crop_id for crop in stream_crops(room.study)] == [room.crops[4].pk]
    # Bob's read settles nothing for Dora: hers comes by itself too.
    assert outcomes(submit_bulk(room.study, room.dora, step(room.crops[4:5]))) == [Outcome.REFUSED]


def test_a_bulk_answer_that_came_before_the_check_is_no_read_of_it(room: Room) -> None:
    submit_bulk(room.study, room.dora, step(room.crops[:1], "ring"))
    QueueEntry.objects.filter(study=room.study, crop=room.crops[0]).update(why=STREAM)
    answer(room.study, room.bob, room.crops[0], "disc")
    [crop] = stream_crops(room.study)
    assert [read.annotator for read in crop.reads] == [room.bob.pk]
    Annotation.objects.filter(annotator=room.bob).update(suggested_by="ab")
    assert stream_crops(room.study) == []


def test_agreement_leaves_bulk_and_suggested_answers_out_and_says_how_many(room: Room) -> None:
    for reader in (room.bob, room.dora):
        for crop in room.crops[:4]:
            answer(room.study, reader, crop, "disc")
    before = reads_table(room.study)
    submit_bulk(room.study, room.bob, step(room.crops[4:9], "ring"))
    submit_bulk(room.study, room.dora, step(room.crops[4:9], ""))
    suggested = answer(room.study, room.alice, room.crops[0])
    Annotation.objects.filter(pk=suggested.pk).update(suggested_by="ab")
    assert reads_table(room.study) == before
    assert left_out_of_agreement(room.study) == 11 == agreement_of(room.study)["left_out"]
    make_report(room.study.pk)
    client = Client()
    client.force_login(room.alice)
    assert "11 answers left out" in client.get(f"/studies/{room.study.pk}/").content.decode()


def test_a_shared_crop_that_was_answered_in_bulk_is_read_twice_by_itself(room: Room) -> None:
    """Else agreement would never get its pair."""
    Study.objects.update(overlap_share=1.0)
    room.study.refresh_from_db()
    crop = room.crops[0]
    submit_bulk(room.study, room.bob, step([crop]))
    for reader, others in ((room.dora, 1), (room.alice, 2)):
        assert crop.pk in {row.crop_id for row in next_crops(room.study, reader, 12)}
        assert standing_answers(room.study).further_read[0] == FURTHER_READS.index(SECOND_READ)
        answer(room.study, reader, crop)
        assert len(reads_table(room.study)) == others
    assert awaiting_reads(room.study, {crop.pk: crop.key}) == set()
    assert standing_answers(room.study).further_read[0] == 0
    assert crop.pk not in {row.crop_id for row in next_crops(room.study, add_reader(room.study, "erin"), 12)}


def test_a_page_answered_at_once_is_no_pace(room: Room) -> None:
    submit_bulk(room.study, room.bob, step(room.crops))
    [row] = count(room.study).by_annotator
    assert row["n"] == 12 and row["per_hour"] is None


def test_steps_that_were_taken_back_are_counted_nowhere_as_given(room: Room) -> None:
    given = step(room.crops[:5])
    submit_bulk(room.study, room.bob, given)
    assert workload(room.study).apart == {"given to many crops at once": 5}
    undo_bulk(room.study, room.bob, [(uuid4(), item.client_id) for item in given.items[:3]])
    assert workload(room.study).apart == {"given to many crops at once": 2}
    answer(room.study, room.bob, room.crops[0])
    assert workload(room.study).apart == {"given to many crops at once": 2}


def test_answered_crops_leave_the_queue_and_their_leases_end(room: Room) -> None:
    held = [row.crop_id for row in next_crops(room.study, room.bob, 3)]
    assert Lease.objects.filter(user=room.bob).count() == 3
    submit_bulk(room.study, room.bob, step([crop for crop in room.crops if crop.pk in held]))
    assert not Lease.objects.filter(user=room.bob).exists()
    assert not set(held) & {row.crop_id for row in next_crops(room.study, room.bob, 12)}


def test_what_stands_twice_in_an_undo_or_was_used_before_is_a_conflict(room: Room) -> None:
    given = step(room.crops[:3])
    submit_bulk(room.study, room.bob, given)
    first, second, third = (item.client_id for item in given.items)
    one = uuid4()
    results = undo_bulk(room.study, room.bob, [(one, first), (uuid4(), first), (one, second), (third, third)])
    assert outcomes(results) == [Outcome.SAVED, *[Outcome.CONFLICT] * 3]
    assert {row.client_id for row in Annotation.objects.current()} == {second, third}
    # Sent again, it is still done; the same id for another answer is not.
    again = undo_bulk(room.study, room.bob, [(one, first), (one, second)])
    assert outcomes(again) == [Outcome.SAVED, Outcome.CONFLICT]
    assert again[0].annotation == results[0].annotation


def test_over_http_results_come_per_crop_and_strangers_get_nothing(room: Room) -> None:
    client = Client()
    client.force_login(room.bob)
    answer(room.study, room.bob, room.crops[1])
    items = [{"client_id": str(uuid4()), "crop": crop.pk, "suggested_by": "ab"} for crop in room.crops[:2]]
    body = {"items": items, "answer": "label", "classes": ["disc"], "answered_at": timezone.now().isoformat()}
    address = f"/api/v1/studies/{room.study.pk}/bulk/"
    reply = client.post(address, body, content_type="application/json")
    assert reply.status_code == 200 and reply.json()["saved"] == 1
    assert [row["outcome"] for row in reply.json()["results"]] == ["saved", "conflict"]
    assert Annotation.objects.get(client_id=items[0]["client_id"]).suggested_by == "ab"
    undo = {"items": [{"client_id": str(uuid4()), "answer": items[0]["client_id"]}]}
    assert client.post(f"{address}undo/", undo, content_type="application/json").json()["saved"] == 1
    bad = body | {"classes": ["nothing"]}
    assert client.post(address, bad, content_type="application/json").status_code == 400
    client.force_login(make_user("eve"))
    assert client.post(address, body, content_type="application/json").status_code == 404
    assert Study.objects.get().annotations.current().count() == 1
