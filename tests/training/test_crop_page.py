"""The page of a crop and the search for crops like it: who may open them, what they say, and what they ask for."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from django.test import Client
from django.utils import timezone

from audit.models import AuditEvent
from imaging.models import Crop, Experiment, Image
from imaging.services.pixels import crop_pixels
from imaging.services.storage import local_folder
from labeling.models import Annotation, Ranked, RequestedCrop, Study
from labeling.services.queue import NewEntry, RankingInfo, next_crops, replace_queue
from labeling.services.reads import STREAM
from tests.factories import (
    add_reader,
    answer,
    answer_all,
    box_rows,
    kind_of,
    make_experiment,
    make_study,
    make_user,
    picture,
    take_in,
    write_manifest,
)
from tests.training.conftest import Bench
from training.api.payloads import asked_words, shown_crops, words
from training.learning import explain
from training.learning.handcrafted import HandcraftedEncoder
from training.learning.shards import ShardedRows
from training.learning.similar import standardised_distance
from training.models import EmbeddingSet, Ranking
from training.services.crop_facts import RANKINGS, Asked, asked, still_to_read
from training.services.work import Refused
from training.worker.explanations import Explanation, explanation_of
from training.worker.page_pool import page_pool
from training.worker.ranking import RankingWorker
from training.worker.similar import Wish, similar_crops
from training.worker.study_head import study_head

MARKUP = "<script>alert('µ & \"')</script>"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a page or a route answers."""

    status: int
    text: str
    location: str = ""


def fetch(user: Any, address: str, data: dict[str, Any] | None = None) -> Reply:
    client = Client()
    client.force_login(user)
    found = client.get(address) if data is None else client.post(address, data)
    return Reply(found.status_code, found.content.decode(), found.headers.get("Location", ""))


def page(study: Study, crop: Crop, more: str = "") -> str:
    return f"/studies/{study.pk}/crops/{crop.pk}/{more}"


def route(study: Study, crop: Crop, name: str) -> str:
    return f"/api/v1/studies/{study.pk}/crops/{crop.pk}/{name}/"


def ranked(study: Study) -> Study:
    worker = RankingWorker()
    assert worker.rank(study), worker.refusals
    return study


@pytest.fixture
def known(bench: Bench) -> Bench:
    """Sixteen answers by Bob, ranked."""
    answer_all(bench.study, bench.bob, bench.crops[:16])
    ranked(bench.study)
    return bench


@pytest.fixture
def blind(bench: Bench) -> Bench:
    """The same in a blind study."""
    Study.objects.filter(pk=bench.study.pk).update(is_blind=True)
    bench.study.refresh_from_db()
    answer_all(bench.study, bench.bob, bench.crops[:16])
    ranked(bench.study)
    return bench


def test_the_likeliest_class_is_what_the_crop_shows(known: Bench) -> None:
    for crop in known.crops[20:28]:
        found = explanation_of(known.study, crop)
        best = max(found.classes, key=lambda row: row.probability or 0)
        assert best.key == kind_of(crop) and found.missing == ""
        assert sum(row.probability or 0 for row in found.classes) == pytest.approx(1)


def test_neighbours_carry_the_class_they_stand_under_and_never_the_crop_itself(known: Bench) -> None:
    shown = {crop.pk: kind_of(crop) for crop in known.crops}
    found = explanation_of(known.study, known.crops[0])
    assert found.includes_itself
    for row in found.classes:
        assert {shown[near.crop_id] for near in row.nearest} == {row.key}
        assert known.crops[0].pk not in {near.crop_id for near in row.nearest}
        assert [near.distance for near in row.nearest] == sorted(near.distance for near in row.nearest)


def test_parts_rest_and_bias_add_up_to_the_difference(known: Bench) -> None:
    found = explanation_of(known.study, known.crops[30]).difference
    assert found is not None
    shown = [part.value for part in (*found.speaks_for, *found.speaks_against)]
    assert sum(shown) + found.rest + found.bias == pytest.approx(found.value, rel=1e-6)
    assert len(shown) + found.rest_count == 16


def test_an_answer_changes_the_explanation_at_once(known: Bench) -> None:
    crop = known.crops[30]
    before = explanation_of(known.study, crop)
    answer(known.study, known.bob, crop, kind_of(crop))
    after = explanation_of(known.study, crop)
    assert (before.answered, after.answered) == (16, 17)
    assert after.includes_itself and not before.includes_itself


@pytest.mark.parametrize("soft", [False, True])
def test_the_page_says_of_every_crop_what_the_ranking_says(bench: Bench, soft: bool) -> None:
    Study.objects.filter(pk=bench.study.pk).update(not_sure_as_soft_labels=soft)
    bench.study.refresh_from_db()
    answer_all(bench.study, bench.bob, bench.crops[:16])
    for crop in bench.crops[16:20]:
        answer(bench.study, bench.bob, crop, "")
    ranked(bench.study)
    digest = Ranked.objects.get(study=bench.study).digest
    whole = np.load(local_folder(RANKINGS) / f"{digest}.probabilities.npy")
    crop_ids = np.load(local_folder(RANKINGS) / f"{digest}.crops.npy")
    assert explanation_of(bench.study, bench.crops[0]).answered == (20 if soft else 16)
    for place in (0, 17, 30, 47):
        found = explanation_of(bench.study, Crop.objects.get(pk=crop_ids[place]))
        np.testing.assert_allclose([row.probability for row in found.classes], whole[place], atol=1e-3)


def test_the_head_takes_ridge_and_temperature_from_the_newest_ranking(known: Bench) -> None:
    before = explanation_of(known.study, known.crops[30])
    newest = Ranking.objects.filter(study=known.study).latest("id")
    Ranking.objects.filter(pk=newest.pk).update(
        parameters={"ridge": newest.parameters.get("ridge", 0.05), "temperature": 9.0}
    )
    after = explanation_of(known.study, known.crops[30])
    assert before.margin is not None and after.margin is not None and after.margin < before.margin


def test_the_only_channel_taken_away_leaves_what_the_head_says_of_an_empty_crop(known: Bench) -> None:
    crop = known.crops[30]
    head = study_head(known.study)
    channel = crop.image.sample.experiment.channels[0]
    pixels = crop_pixels(crop)
    edge = np.concatenate([pixels[0, :2].ravel(), pixels[0, -2:].ravel(), pixels[0, 2:-2, [0, 1, -2, -1]].ravel()])
    empty = np.full_like(pixels, np.sort(edge)[len(edge) // 2])[None]
    without = HandcraftedEncoder(1).encode(empty, [(channel["low"], channel["high"])])
    query = head.known.pool.features[30]
    _, _, expected = explain.knock_out(head.explained.head, query, without)
    found = explanation_of(known.study, crop)
    assert [(row.name, row.without) for row in found.channels] == [(channel["name"], pytest.approx(expected[0]))]
    assert found.channels_missing == ""


def test_an_encoder_that_mixes_channels_says_that_none_can_be_taken_away(
    known: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.worker.explanations.DEFAULT_ENCODER", "another")
    monkeypatch.setattr("training.worker.explanations.channel_columns", lambda standing: None)
    found = explanation_of(known.study, known.crops[30])
    assert found.channels == () and "Not available for the handcrafted encoder" in found.channels_missing
    assert "Not available" in fetch(known.alice, page(known.study, known.crops[30])).text


def test_where_each_channel_has_columns_of_its_own_they_become_the_mean(
    known: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    d = page_pool(known.study).pool.features.shape[1]
    monkeypatch.setattr("training.worker.explanations.DEFAULT_ENCODER", "another")
    monkeypatch.setattr("training.worker.explanations.channel_columns", lambda standing: (np.arange(d),))
    monkeypatch.setattr("training.worker.explanations.layout_of", lambda row: row.channels)
    head = study_head(known.study).explained.head
    crop = known.crops[30]
    found = explanation_of(known.study, crop)
    query = page_pool(known.study).pool.features[30]
    _, _, expected = explain.knock_out(head, query, head.mean[None].astype(np.float32))
    assert found.channels[0].without == pytest.approx(expected[0], abs=1e-6)


def test_before_any_answer_the_page_says_what_is_missing(bench: Bench) -> None:
    ranked(bench.study)
    reply = fetch(bench.alice, page(bench.study, bench.crops[0]))
    assert reply.status == 200 and "Nobody has named a class yet" in reply.text
    assert "Nobody has answered this crop yet" in reply.text


def test_without_embeddings_the_pages_say_what_they_wait_for(bench: Bench) -> None:
    for more in ("", "similar/"):
        reply = fetch(bench.alice, page(bench.study, bench.crops[0], more))
        assert reply.status == 200 and "waits for its embeddings" in reply.text
    assert json.loads(fetch(bench.alice, route(bench.study, bench.crops[0], "explanation")).text)["missing"]
    assert fetch(bench.alice, route(bench.study, bench.crops[0], "similar")).status == 400


def test_one_class_only_gives_neighbours_and_no_prediction(bench: Bench) -> None:
    discs = [crop for crop in bench.crops if kind_of(crop) == "disc"]
    answer_all(bench.study, bench.bob, discs[:4])
    ranked(bench.study)
    found = explanation_of(bench.study, bench.crops[1])
    assert "second class" in found.missing and "disc" in found.missing
    assert [len(row.nearest) for row in found.classes] == [4, 0]
    assert fetch(bench.alice, page(bench.study, bench.crops[1])).status == 200


def test_a_retired_class_is_no_candidate_and_its_crops_teach_nothing(known: Bench) -> None:
    known.study.classes.filter(key="ring").update(retired_at=timezone.now())
    found = explanation_of(known.study, known.crops[30])
    assert [row.key for row in found.classes] == ["disc"]
    assert found.answered == 8 and "second class" in found.missing


def test_a_crop_of_a_rejected_image_has_a_page_that_says_so(known: Bench) -> None:
    crop = known.crops[30]
    Image.objects.filter(pk=crop.image_id).update(verdict="reject")
    assert "not in the pool" in explanation_of(known.study, crop).missing
    assert fetch(known.alice, page(known.study, crop)).status == 200
    assert "not in the pool" in fetch(known.alice, page(known.study, crop, "similar/")).text
    with pytest.raises(Refused, match="not in the pool"):
        similar_crops(known.study, crop, Wish())


def test_constant_embeddings_order_by_number_and_explain_without_error(
    known: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat = np.full((24, page_pool(known.study).pool.features.shape[1]), 7, dtype=np.float32)
    monkeypatch.setattr("training.worker.pool.embeddings", lambda experiment, name: ShardedRows([flat]))
    EmbeddingSet.objects.update(created_at=timezone.now())
    found = similar_crops(known.study, known.crops[3], Wish(), 4)
    assert [row.crop_id for row in found] == [crop.pk for crop in known.crops[:5] if crop != known.crops[3]]
    assert {row.distance for row in found} == {0.0}
    assert explanation_of(known.study, known.crops[3]).margin == pytest.approx(0, abs=1e-6)


def test_a_crop_of_twelve_channels_is_explained_channel_by_channel(db: None, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    planes = np.stack([picture(12, seed) for seed in range(12)])
    tifffile.imwrite(folder / "field.ome.tif", planes, metadata={"axes": "CYX"})
    report = take_in(write_manifest(folder, box_rows("field.ome.tif", "many", 12)), pixel_size_um=0.5)
    assert not report.refused, report.refused
    lead = make_user("alice")
    study = make_study(lead, Experiment.objects.get(name="many"))
    crops = list(Crop.objects.order_by("id"))
    answer_all(study, lead, crops[:8])
    ranked(study)
    found = explanation_of(study, crops[9])
    assert len(found.channels) == 12 and all(0 <= row.without <= 1 for row in found.channels)
    assert fetch(lead, page(study, crops[9])).status == 200


def test_outsiders_find_neither_page_nor_route(known: Bench) -> None:
    stranger = make_user("stranger")
    crop = known.crops[0]
    for address in (page(known.study, crop), page(known.study, crop, "similar/")):
        assert fetch(stranger, address).status == 404
    for name in ("explanation", "similar"):
        assert fetch(stranger, route(known.study, crop, name)).status == 404


def test_a_crop_of_another_study_is_not_found(known: Bench, tmp_path: Path) -> None:
    other = make_study(known.alice, make_experiment(tmp_path, "elsewhere"), name="other")
    assert fetch(known.alice, page(other, known.crops[0])).status == 404
    assert fetch(known.alice, route(other, known.crops[0], "explanation")).status == 404


def test_a_blind_reader_is_told_why_not_and_a_lead_is_let_in(blind: Bench) -> None:
    address = page(blind.study, blind.crops[0])
    refused = fetch(blind.bob, address)
    assert refused.status == 403 and "This study is blind" in refused.text
    assert fetch(blind.bob, route(blind.study, blind.crops[0], "explanation")).status == 403
    assert fetch(blind.alice, address).status == 200
    assert fetch(blind.alice, route(blind.study, blind.crops[0], "explanation")).status == 200


def test_a_random_check_is_read_before_the_opinion_on_it_is_seen_also_in_an_open_study(known: Bench) -> None:
    drawn, dora = known.crops[20:22], add_reader(known.study, "dora")
    info = RankingInfo("ab" * 32, "uherding", "handcrafted", 48, 0)
    replace_queue(known.study, [NewEntry(crop.pk, 1.0, STREAM, 0.1) for crop in drawn], info)
    answer(known.study, known.bob, drawn[0])
    replace_queue(known.study, [NewEntry(drawn[1].pk, 1.0, STREAM, 0.1)], info)
    for crop in drawn:
        refused = fetch(dora, page(known.study, crop))
        assert refused.status == 403 and "This crop is a random check" in refused.text
        assert fetch(dora, route(known.study, crop, "explanation")).status == 403
        assert fetch(known.alice, page(known.study, crop)).status == 200
        answer(known.study, dora, crop)
        assert fetch(dora, page(known.study, crop)).status == 200


@pytest.mark.parametrize("per_crop, read", [(2, True), (1, False)], ids=["second read", "first read"])
def test_no_opinion_on_a_crop_that_waits_for_the_readers_own_read(known: Bench, per_crop: int, read: bool) -> None:
    Study.objects.filter(pk=known.study.pk).update(reads_per_crop=per_crop)
    crop, dora = known.crops[0 if read else 30], add_reader(known.study, "dora")
    refused = fetch(dora, page(known.study, crop))
    assert refused.status == 403 and "shown once you have answered" in refused.text
    told = fetch(dora, route(known.study, crop, "explanation"))
    assert told.status == 403 and "probability" not in told.text
    assert fetch(known.alice, page(known.study, crop)).status == 200
    answer(known.study, dora, crop)
    assert fetch(dora, page(known.study, crop)).status == 200
    assert fetch(dora, route(known.study, crop, "explanation")).status == 200


def test_the_class_of_a_crop_that_waits_for_a_second_read_is_told_by_no_neighbour(known: Bench) -> None:
    Study.objects.filter(pk=known.study.pk).update(reads_per_crop=2)
    known.study.refresh_from_db()
    dora = add_reader(known.study, "dora")
    near = {crop.pk for crop in known.crops[:16]}
    assert near & near_drawn(known.alice, known, known.crops[0])
    assert not near & near_drawn(dora, known, known.crops[0])
    answer(known.study, dora, known.crops[0], kind_of(known.crops[0]))
    assert near & near_drawn(dora, known, known.crops[0]) == {known.crops[0].pk}


def test_a_blind_reader_looks_for_more_only_from_a_crop_of_their_own(blind: Bench) -> None:
    dora = add_reader(blind.study, "dora")
    assert fetch(dora, page(blind.study, blind.crops[0], "similar/")).status == 403
    answer(blind.study, dora, blind.crops[0])
    assert fetch(dora, page(blind.study, blind.crops[0], "similar/")).status == 200


def test_a_blind_search_shows_no_experiment_no_answer_of_others_and_no_way_to_opinions(blind: Bench) -> None:
    dora = add_reader(blind.study, "dora")
    answer(blind.study, dora, blind.crops[0])
    text = fetch(dora, page(blind.study, blind.crops[0], "similar/")).text
    assert "plate" not in text and "look closer" not in text and "answered<" not in text
    assert blind.crops[5].key not in text
    assert not re.search(r"ring|disc(?!over)", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))
    hidden = fetch(dora, page(blind.study, blind.crops[0], "similar/?same_experiment=1")).text
    assert "experiments stay hidden" in hidden
    assert fetch(dora, route(blind.study, blind.crops[0], "similar") + "?same_experiment=true").status == 400


def test_unanswered_means_by_anybody_and_for_a_blind_reader_by_themselves(blind: Bench) -> None:
    dora = add_reader(blind.study, "dora")
    answer(blind.study, dora, blind.crops[0])
    address = route(blind.study, blind.crops[0], "similar") + "?unanswered=true&count=200"
    answered = {crop.pk for crop in blind.crops[:16]}
    seen = {
        user: {row["crop"] for row in json.loads(fetch(user, address).text)["crops"]} for user in (blind.alice, dora)
    }
    assert not seen[blind.alice] & answered and len(seen[blind.alice]) == 32
    assert len(seen[dora]) == 47


def test_annotators_of_an_open_study_see_opinions_but_only_their_own_answers(known: Bench) -> None:
    dora = add_reader(known.study, "dora")
    text = fetch(dora, page(known.study, known.crops[0])).text
    assert "What the ranking model expects" in text and "bob" not in text
    assert "bob" in fetch(known.alice, page(known.study, known.crops[0])).text


def test_an_unsettled_random_check_is_no_labelled_neighbour_for_who_has_still_to_read_it(known: Bench) -> None:
    drawn, dora = known.crops[20], add_reader(known.study, "dora")
    info = RankingInfo("ab" * 32, "uherding", "handcrafted", 48, 0)
    replace_queue(known.study, [NewEntry(drawn.pk, 1.0, STREAM, 0.1)], info)
    answer(known.study, known.bob, drawn, kind_of(drawn))
    shown = {user: near_drawn(user, known, drawn) for user in (known.alice, known.bob, dora)}
    assert [drawn.pk in shown[user] for user in (known.alice, known.bob, dora)] == [True, True, False]
    told = json.loads(fetch(dora, route(known.study, known.crops[3], "explanation")).text)
    assert drawn.pk not in {near["crop"] for row in told["classes"] for near in row["nearest"]}
    answer(known.study, dora, drawn, kind_of(drawn))
    assert drawn.pk in near_drawn(dora, known, drawn)
    assert drawn.pk in near_drawn(add_reader(known.study, "eve"), known, drawn)


def near_drawn(user: Any, known: Bench, drawn: Crop) -> set[int]:
    """Labelled crops that the explanation of any crop names to the user."""
    hidden = still_to_read(user, known.study)
    return {number for crop in known.crops[:48] for number in shown_crops(explanation_of(known.study, crop, hidden))}


def test_similar_crops_equal_a_plain_search_over_the_whole_pool(known: Bench) -> None:
    pool, norm = page_pool(known.study).pool, page_pool(known.study).norm
    at = int(pool.rows_of([known.crops[3].pk])[0])
    distance = standardised_distance(np.asarray(pool.features), pool.features[at], norm)
    order = [int(pool.crop_ids[i]) for i in np.lexsort((pool.crop_ids, distance)) if i != at]
    assert [row.crop_id for row in similar_crops(known.study, known.crops[3], Wish(), 10)] == order[:10]


def test_same_experiment_keeps_to_it(known: Bench) -> None:
    found = {row.crop_id for row in similar_crops(known.study, known.crops[3], Wish(same_experiment=True), 100)}
    assert found == {crop.pk for crop in known.crops[:24]} - {known.crops[3].pk}


def test_chosen_crops_come_first_in_the_reading_room_and_are_audited(known: Bench) -> None:
    chosen = [known.crops[40].pk, known.crops[33].pk]
    reply = fetch(known.bob, page(known.study, known.crops[0], "similar/"), {"crops": chosen})
    assert (reply.status, reply.location) == (302, f"/studies/{known.study.pk}/read/")
    assert [row.crop_id for row in next_crops(known.study, known.bob, 2)] == chosen
    assert AuditEvent.objects.filter(action="crops.requested").count() == 1


@pytest.mark.parametrize("chosen", [[], ["x", "²", "9" * 30], ["999999"]])
def test_a_choice_that_cannot_be_read_is_refused_in_words(known: Bench, chosen: list[str]) -> None:
    address = page(known.study, known.crops[0], "similar/")
    reply = fetch(known.bob, address, {"crops": chosen})
    assert reply.status == 302 and reply.location == address
    assert RequestedCrop.objects.count() == 0


def test_a_blind_reader_who_did_not_answer_may_not_ask_either(blind: Bench) -> None:
    dora = add_reader(blind.study, "dora")
    assert fetch(dora, page(blind.study, blind.crops[0], "similar/"), {"crops": [1]}).status == 403
    assert fetch(dora, route(blind.study, blind.crops[0], "similar"), {"crops": [1]}).status == 403


def test_the_route_asks_for_crops_too(known: Bench) -> None:
    address = route(known.study, known.crops[0], "similar")
    client = Client()
    client.force_login(known.bob)
    done = client.post(address, {"crops": [known.crops[40].pk]}, content_type="application/json")
    assert (done.status_code, done.json()) == (201, {"requested": 1})
    refused = client.post(address, {"crops": [999999]}, content_type="application/json")
    assert refused.status_code == 400 and "not in the pool" in refused.json()["errors"][0]["detail"]


def test_the_route_tells_what_the_page_shows(known: Bench) -> None:
    told = json.loads(fetch(known.alice, route(known.study, known.crops[30], "explanation")).text)
    found = explanation_of(known.study, known.crops[30])
    assert told["margin"] == pytest.approx(found.margin) and told["answered"] == 16
    assert [row["probability"] for row in told["classes"]] == [row.probability for row in found.classes]
    assert told["words"]["margin"] and told["asked"]["words"]
    assert told["difference"]["rest_count"] + 10 >= 16


def test_what_people_type_is_never_markup(known: Bench) -> None:
    Study.objects.filter(pk=known.study.pk).update(name=MARKUP, question=MARKUP)
    known.study.classes.update(name=MARKUP)
    known.bob.username = MARKUP
    known.bob.save()
    Experiment.objects.filter(pk=known.crops[0].image.sample.experiment_id).update(name=MARKUP)
    answer(known.study, known.alice, known.crops[0], reason=MARKUP)
    for more in ("", "similar/"):
        assert "<script>alert" not in fetch(known.alice, page(known.study, known.crops[0], more)).text


def test_the_place_in_the_queue_and_the_score_are_those_of_the_newest_ranking(known: Bench) -> None:
    entry = known.study.queue.order_by("rank").first()
    assert entry is not None
    found = asked(known.study, entry.crop)
    assert (found.rank, found.why, found.pool) == (1, entry.why, 48)
    assert found.above is not None and 0 <= found.above < 1
    assert asked(known.study, known.crops[0]).rank is None


def test_words_name_the_margin_and_the_labels_near_by(known: Bench) -> None:
    said = words(explanation_of(known.study, known.crops[30]))
    assert "ring" in said["margin"] or "disc" in said["margin"]
    assert "labelled near here" in said["variance"]
    assert words(Explanation(missing="x")) == {"margin": "", "variance": ""}


def test_a_pool_that_was_never_ranked_says_so() -> None:
    assert asked_words(Asked(), []) == ["The pool has not been ranked yet."]


@pytest.mark.parametrize("why", ["second read", "adjudication", "re-read"])
def test_a_reader_does_not_hear_that_a_crop_was_routed_to_them_and_a_lead_does(bench: Bench, why: str) -> None:
    given = Annotation(why_asked=why)
    queued = Asked(rank=0, queue=5, why=why, pool=9)
    for_reader = " ".join(asked_words(queued, [given], for_lead=False))
    assert why not in for_reader and "uncertain" in for_reader
    assert " ".join(asked_words(queued, [given])).count(why) == 2
