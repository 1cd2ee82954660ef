"""The grid's pages equal plain computations over rows; nobody sees more of a crop than they may."""

import json
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone

from imaging.models import Crop
from labeling.models import Annotation, LabelClass, Membership, QueueEntry, Ranked, Study
from labeling.services.classes import move_class
from labeling.services.decisions import decide
from labeling.services.exclusions import exclude
from labeling.services.reads import STREAM
from tests.factories import add_reader, answer, answer_all, kind_of, make_user, submission
from tests.training.conftest import Bench
from training.learning.grid import inside, page_in_order, polygon_area, scattered, shrunk
from training.services.embedding_maps import request_map
from training.worker.embedding_map import make_map
from training.worker.page_pool import page_pool
from training.worker.ranking import RankingWorker


@pytest.fixture
def ranked(bench: Bench) -> Bench:
    """Eight answers by Bob, ranked: probabilities of both classes stand for all 48 crops."""
    answer_all(bench.study, bench.bob, bench.crops[:8])
    assert RankingWorker().rank(bench.study)
    return bench


def client_of(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def ask(bench: Bench, user: Any = None, part: str = "", **query: Any) -> Any:
    return client_of(user or bench.alice).get(f"/api/v1/studies/{bench.study.pk}/grid/{part}", query)


def ids(response: Any) -> list[int]:
    assert response.status_code == 200, response.content
    return [crop["id"] for crop in response.json()["crops"]]


def files(study: Study) -> tuple[Any, Any, Any]:
    from imaging.services.storage import fetch
    from training.worker.saving import RANKINGS, file_names

    digest = Ranked.objects.get(study=study).digest
    return tuple(np.load(fetch(RANKINGS, name)) for name in file_names(digest))


def test_sorts_equal_a_plain_computation(ranked: Bench) -> None:
    scores, probabilities, crops = files(ranked.study)
    order = np.lexsort((crops, -scores))
    assert ids(ask(ranked, sort="uncertain")) == crops[order].tolist()
    assert ids(ask(ranked, sort="uncertain", reverse=True)) == crops[np.lexsort((crops, scores))].tolist()
    ring = probabilities[:, 1].astype(float)
    assert ids(ask(ranked, sort="probability", label="ring")) == crops[np.lexsort((crops, -ring))].tolist()
    likeliest = probabilities.max(axis=1).astype(float)
    assert ids(ask(ranked, sort="probability")) == crops[np.lexsort((crops, -likeliest))].tolist()
    by_field = Crop.objects.order_by("image__sample__experiment_id", "image_id", "id").values_list("pk", flat=True)
    assert ids(ask(ranked, sort="field")) == list(by_field)


def test_likeness_and_outliers_equal_distances_in_the_embedding(ranked: Bench) -> None:
    known = page_pool(ranked.study)
    rows = (np.asarray(known.pool.features[np.arange(48)]) - known.norm.mean) / known.norm.scale
    between = np.sqrt(((rows[:, None] - rows[None]) ** 2).mean(axis=2))
    pin = int(known.pool.crop_ids[5])
    near = known.pool.crop_ids[np.argsort(between[5], kind="stable")]
    found = ids(ask(ranked, sort="similar", pin=pin))
    assert found[0] == pin and found == near.tolist()
    # Pinned: on top whatever the filter says.
    assert ids(ask(ranked, sort="similar", pin=pin, state="labelled"))[0] == pin
    assert ask(ranked, sort="outlier").status_code == 400
    make_map(request_map(ranked.study, ranked.alice).pk)
    others = np.sort(between + np.diag(np.full(48, np.inf)), axis=1)[:, :10].mean(axis=1)
    shown = ask(ranked, sort="outlier").json()["crops"]
    assert [crop["id"] for crop in shown] == known.pool.crop_ids[np.argsort(-others, kind="stable")].tolist()
    assert np.allclose([crop["value"] for crop in shown], -np.sort(-others), atol=1e-3)


def test_size_is_the_area_of_the_outline_or_the_box_in_um2(ranked: Bench) -> None:
    crop = ranked.crops[3]
    Crop.objects.filter(pk=crop.pk).update(contour=[[0, 0], [10, 0], [10, 4], [0, 4]])
    found = ask(ranked, sort="size").json()
    areas = {row["id"]: row["value"] for row in found["crops"]}
    assert found["unit"] == "µm²"
    assert areas[crop.pk] == pytest.approx(40 * 0.25)
    other = ranked.crops[4]
    assert areas[other.pk] == pytest.approx((other.x1 - other.x0) * (other.y1 - other.y0) * 0.25)
    assert [row["value"] for row in found["crops"]] == sorted(areas.values(), reverse=True)


def test_filters_equal_queries(ranked: Bench) -> None:
    bob, study = ranked.bob, ranked.study
    answer(study, ranked.alice, ranked.crops[0], "")
    wrong = "ring" if kind_of(ranked.crops[9]) == "disc" else "disc"
    answer(study, ranked.alice, ranked.crops[9], wrong)
    _, probabilities, crops = files(study)
    predicted = dict(zip(crops.tolist(), np.array(["disc", "ring"])[probabilities.argmax(axis=1)]))
    standing = Annotation.objects.current().filter(study=study)
    labels = standing.filter(answer="label").values_list("crop", "labels__label_class__key")
    answered = set(standing.values_list("crop", flat=True))
    expected = {
        "unlabelled": set(crops.tolist()) - answered,
        "labelled": {crop for crop, _ in labels},
        "not_sure": {ranked.crops[0].pk},
        "discordant": {crop for crop, key in labels if predicted[crop] != key},
    }
    assert expected["discordant"]
    for state, wanted in expected.items():
        assert set(ids(ask(ranked, state=state))) == wanted, state
    assert set(ids(ask(ranked, reader=bob.pk))) == {crop.pk for crop in ranked.crops[:8]}
    assert set(ids(ask(ranked, reader=bob.pk, state="unlabelled"))) == set(crops.tolist()) - {
        crop.pk for crop in ranked.crops[:8]
    }
    assert set(ids(ask(ranked, predicted="ring"))) == {crop for crop, key in predicted.items() if key == "ring"}
    assert set(ids(ask(ranked, given="disc"))) == {crop for crop, key in labels if key == "disc"}
    experiment = ranked.crops[0].image.sample.experiment_id
    inside_it = Crop.objects.filter(image__sample__experiment=experiment).values_list("pk", flat=True)
    assert set(ids(ask(ranked, experiment=experiment))) == set(inside_it)


def test_answers_given_after_the_first_look_are_seen(ranked: Bench) -> None:
    before = set(ids(ask(ranked, state="labelled")))
    answer(ranked.study, ranked.bob, ranked.crops[20])
    assert set(ids(ask(ranked, state="labelled"))) == before | {ranked.crops[20].pk}
    Annotation.objects.filter(crop=ranked.crops[20]).first()
    from labeling.services.answers import undo

    undo(ranked.study, ranked.bob, uuid4())
    assert set(ids(ask(ranked, state="labelled"))) == before


def test_pages_do_not_shift_while_the_pool_is_ranked_anew(ranked: Bench) -> None:
    whole = ids(ask(ranked, sort="uncertain"))
    first = ask(ranked, sort="uncertain", count=10).json()
    answer_all(ranked.study, ranked.bob, ranked.crops[8:14])
    assert RankingWorker().rank(ranked.study)
    second = ask(ranked, sort="uncertain", count=10, start=10, ranking=first["ranking"]).json()
    assert [crop["id"] for crop in second["crops"]] == whole[10:20]
    assert not second["is_newest"]
    assert ask(ranked, sort="uncertain").json()["is_newest"]
    # A ranking that is gone, or was never there: the newest one, and the page says which.
    assert ask(ranked, ranking="no such").json()["ranking"] == Ranked.objects.get().digest


def test_before_the_first_ranking_the_page_says_what_it_waits_for(bench: Bench) -> None:
    response = ask(bench)
    assert response.status_code == 400 and "not been ranked yet" in response.content.decode()
    page = client_of(bench.alice).get(f"/studies/{bench.study.pk}/grid/").content.decode()
    assert "Not ranked yet" in page


def test_annotators_of_an_open_study_see_predictions_and_their_own_answers_alone(ranked: Bench) -> None:
    dora = add_reader(ranked.study, "dora")
    assert ids(ask(ranked, dora, state="labelled")) == []
    shown = ask(ranked, dora).json()["crops"]
    assert all(crop["predicted"] and crop["answer"] is None for crop in shown)
    assert ask(ranked, dora, reader=ranked.bob.pk).status_code == 400


def test_random_checks_are_not_offered_to_those_who_have_yet_to_read_them(ranked: Bench) -> None:
    check = QueueEntry.objects.filter(study=ranked.study).last()
    assert check is not None
    QueueEntry.objects.filter(pk=check.pk).update(why=STREAM)
    kept = QueueEntry.objects.filter(study=ranked.study, why=STREAM).count()
    for query in ({}, {"sort": "similar", "pin": ranked.crops[0].pk}):
        shown = ask(ranked, ranked.bob, **query)
        assert check.crop_id not in ids(shown)
        # How many are kept back is told, and is the same whatever the filters are.
        assert shown.json()["hidden"] == kept > 0
        assert shown.json()["total"] == 48 - kept
    assert check.crop_id in ids(ask(ranked, ranked.alice))
    assert ask(ranked, ranked.alice).json()["hidden"] == 0
    answer(ranked.study, ranked.bob, check.crop_id, "disc")
    assert check.crop_id in ids(ask(ranked, ranked.bob))
    assert ask(ranked, ranked.bob).json()["hidden"] == kept - 1


def test_the_value_that_sorts_by_uncertainty_falls_and_is_shown(ranked: Bench) -> None:
    values = [crop["value"] for crop in ask(ranked, sort="uncertain").json()["crops"]]
    assert None not in values and values == sorted(values, reverse=True)
    assert len(set(values)) > 40


SECRETS = ("predicted", "probability")


def test_blind_annotators_learn_neither_predictions_nor_others_nor_where_a_crop_is_from(ranked: Bench) -> None:
    Study.objects.filter(pk=ranked.study.pk).update(is_blind=True)
    dora = add_reader(ranked.study, "dora")
    hidden = [
        {"sort": "uncertain"}, {"sort": "probability"}, {"sort": "outlier"}, {"sort": "field"},
        {"state": "discordant"}, {"predicted": "disc"}, {"reader": ranked.bob.pk},
        {"experiment": ranked.crops[0].image.sample.experiment_id}, {"lasso": "0,0 1,0 1,1", "layout": "pca"},
    ]  # fmt: skip
    assert {ask(ranked, dora, **query).status_code for query in hidden} == {400}
    assert ask(ranked, dora, "map/", layout="pca").status_code == 403
    assert ask(ranked, dora, "map/state/").status_code == 403
    shown = ask(ranked, dora).json()
    assert all(crop[name] is None for crop in shown["crops"] for name in SECRETS)
    # The order of numbers would tell which crops are of one image.
    assert [crop["id"] for crop in shown["crops"]] != sorted(crop["id"] for crop in shown["crops"])
    page = client_of(dora).get(f"/studies/{ranked.study.pk}/grid/").content.decode()
    assert "plate" not in page and "bob" not in page and "probability" not in page
    assert ask(ranked, dora, sort="similar", pin=ranked.crops[0].pk).status_code == 403
    answer(ranked.study, dora, ranked.crops[0])
    assert ids(ask(ranked, dora, sort="similar", pin=ranked.crops[0].pk))[0] == ranked.crops[0].pk
    assert {ask(ranked, ranked.alice, **query).status_code for query in hidden[:2]} == {200}


def test_blind_readers_are_not_shown_answers_that_may_be_asked_again(ranked: Bench) -> None:
    Study.objects.update(is_blind=True, reread_share=0.1, reread_after_items=3)
    newest = {crop.pk for crop in ranked.crops[5:8]}
    for query in ({"state": "labelled"}, {"given": "disc"}, {"given": "ring"}):
        assert set(ids(ask(ranked, ranked.bob, **query))) <= newest
    shown = {crop["id"] for crop in ask(ranked, ranked.bob, count=1000).json()["crops"] if crop["answer"]}
    assert shown == set(ids(ask(ranked, ranked.bob, state="labelled"))) == newest
    assert len(ids(ask(ranked, ranked.alice, state="labelled"))) == 8
    address = f"/studies/{ranked.study.pk}/grid/"
    assert "their crops look unlabelled" in client_of(ranked.bob).get(address).content.decode()
    assert "their crops look unlabelled" not in client_of(ranked.alice).get(address).content.decode()


def test_pixels_of_many_crops_come_in_one_reply_for_members_alone(ranked: Bench) -> None:
    from imaging.services.pixels import crop_pixels

    wanted = [ranked.crops[30], ranked.crops[2], ranked.crops[11]]
    given = ",".join(str(crop.pk) for crop in wanted)
    response = ask(ranked, ranked.bob, "pixels/", crops=given, side=1024)
    length = int.from_bytes(response.content[:4], "little")
    header = json.loads(response.content[4 : 4 + length])
    for number, (dtype, shape, offset) in zip(header["meta"]["crops"], header["blocks"]):
        start = 4 + length + offset
        assert start % 8 == 0
        pixels = np.frombuffer(response.content, dtype, int(np.prod(shape)), start).reshape(shape)
        assert (pixels == crop_pixels(Crop.objects.get(pk=number))).all()
    assert sorted(header["meta"]["crops"]) == sorted(crop.pk for crop in wanted)
    ranked.study.experiments.remove(ranked.crops[30].image.sample.experiment)
    again = ask(ranked, ranked.bob, "pixels/", crops=given)
    assert str(ranked.crops[30].pk).encode() not in again.content[: 4 + length].partition(b"blocks")[0]
    assert ask(ranked, make_user("eve"), "pixels/", crops=given).status_code == 404
    for bad in ("", "1;2", "-1", ",".join(map(str, range(200)))):
        assert ask(ranked, ranked.bob, "pixels/", crops=bad).status_code == 400


def test_the_lasso_keeps_the_points_inside_it(ranked: Bench) -> None:
    make_map(request_map(ranked.study, ranked.alice).pk)
    response = ask(ranked, part="map/", layout="pca")
    length = int.from_bytes(response.content[:4], "little")
    blocks = json.loads(response.content[4 : 4 + length])["blocks"]
    arrays = [
        np.frombuffer(response.content, dtype, int(np.prod(shape)), 4 + length + offset).reshape(shape)
        for dtype, shape, offset in blocks
    ]
    numbers, places = arrays[0], arrays[1]
    assert len(numbers) == 48 and places.min() >= 0 and places.max() <= 1
    wanted = numbers[places[:, 0] < 0.5].astype(int).tolist()
    assert 0 < len(wanted) < 48
    found = ask(ranked, lasso="-1,-1 0.5,-1 0.5,2 -1,2", layout="pca")
    assert sorted(ids(found)) == sorted(wanted)
    assert ask(ranked, lasso="a,b").status_code == 400
    assert ask(ranked, lasso="0,0 1,nan 1,1", layout="pca").status_code == 400


def test_leads_find_crops_by_the_class_that_was_decided_and_without_readers_who_are_left_out(ranked: Bench) -> None:
    make_map(request_map(ranked.study, ranked.alice).pk)
    study, crop = ranked.study, next(crop for crop in ranked.crops[:8] if kind_of(crop) == "disc")
    carol = add_reader(study, "carol")
    answer(study, carol, crop, "ring")
    decide(study, ranked.alice, submission(crop, "ring"))
    places = {label: set(ids(ask(ranked, given=label))) for label in ("disc", "ring")}
    assert (crop.pk in places["disc"], crop.pk in places["ring"]) == (False, True)
    (tile,) = (row for row in ask(ranked, given="ring").json()["crops"] if row["id"] == crop.pk)
    assert tile["answer"] is None
    assert crop.pk in ids(ask(ranked, reader=ranked.bob.pk, given="disc"))
    assert mapped(ranked)[crop.pk] == "ring"
    exclude(study, ranked.bob, ranked.alice, "hasty")
    assert set(mapped(ranked)) == {crop.pk} == set(ids(ask(ranked, state="labelled")))
    assert crop.pk in ids(ask(ranked, ranked.bob, given="disc"))


def mapped(bench: Bench) -> dict[int, str]:
    """The class of each labelled crop on the map that a lead sees."""
    response = ask(bench, part="map/", layout="pca")
    length = int.from_bytes(response.content[:4], "little")
    meta = json.loads(response.content[4 : 4 + length])
    numbers, _, _, _, label = (
        np.frombuffer(response.content, dtype, int(np.prod(shape)), 4 + length + offset)
        for dtype, shape, offset in meta["blocks"]
    )
    return {int(number): ("disc", "ring")[place] for number, place in zip(numbers, label) if place >= 0}


def test_a_class_that_came_after_the_ranking_hides_its_probabilities(ranked: Bench) -> None:
    LabelClass.objects.create(study=ranked.study, key="other", name="other", color="#000000", position=7)
    assert ask(ranked, sort="probability").status_code == 400
    assert all(crop["predicted"] is None for crop in ask(ranked).json()["crops"])


def predicted_of(bench: Bench) -> dict[int, tuple[str | None, float | None]]:
    return {crop["id"]: (crop["predicted"], crop["probability"]) for crop in ask(bench, count=1000).json()["crops"]}


def test_a_class_that_moves_on_the_keyboard_keeps_its_predictions(ranked: Bench) -> None:
    before = predicted_of(ranked)
    move_class(ranked.study.classes.get(key="disc"), ranked.alice, 2)
    assert [row.key for row in ranked.study.classes.order_by("position")] == ["ring", "disc"]
    assert predicted_of(ranked) == before
    assert {label for label, _ in before.values()} == {"disc", "ring"}


def test_a_class_that_takes_the_place_of_another_takes_no_predictions_over(ranked: Bench) -> None:
    ring = ranked.study.classes.get(key="ring")
    LabelClass.objects.create(
        study=ranked.study, key="other", name="other", color="#000000", position=ring.position + 1
    )
    LabelClass.objects.filter(pk=ring.pk).update(retired_at=timezone.now())
    assert set(predicted_of(ranked).values()) == {(None, None)}
    assert ids(ask(ranked, predicted="other")) == []


def test_crops_of_an_experiment_that_left_the_study_are_gone(ranked: Bench) -> None:
    experiment = ranked.crops[0].image.sample.experiment
    ranked.study.experiments.remove(experiment)
    left = Crop.objects.exclude(image__sample__experiment=experiment).values_list("pk", flat=True)
    assert set(ids(ask(ranked))) == set(left)


def test_only_those_who_see_opinions_ask_for_a_map_and_only_leads_stop_it(ranked: Bench) -> None:
    address = f"/studies/{ranked.study.pk}/grid/map/"
    assert client_of(ranked.bob).post(f"{address}make/").status_code == 302
    assert client_of(ranked.bob).post(f"{address}stop/").status_code == 403
    assert client_of(ranked.alice).post(f"{address}stop/").status_code == 302
    assert ranked.study.embedding_maps.get().status == "cancelled"
    Study.objects.filter(pk=ranked.study.pk).update(is_blind=True)
    assert client_of(ranked.bob).post(f"{address}make/").status_code == 403
    assert Membership.objects.filter(study=ranked.study, user=ranked.bob).exists()


@pytest.mark.parametrize("descending", [False, True])
def test_order_is_total_and_keeps_nan_last(descending: bool) -> None:
    rng, sign = np.random.default_rng(5), -1 if descending else 1
    for count in range(1, 40):
        values = rng.choice([0.0, 1.0, 2.0, np.nan], count).astype(np.float32)
        numbers, allowed = rng.permutation(count), rng.random(count) < 0.7

        def key(at: int, values: Any = values, numbers: Any = numbers) -> tuple[bool, float, int]:
            return bool(np.isnan(values[at])), sign * float(np.nan_to_num(values[at])), int(numbers[at])

        plain = sorted(np.flatnonzero(allowed).tolist(), key=key)
        assert page_in_order(values, numbers, allowed, 0, count, descending=descending).tolist() == plain


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    "kind",
    ["distinct", "half precision", "ties", "all the same", "none", "infinite", "whole numbers", "large numbers"],
)
def test_a_page_is_what_the_full_sort_cuts_out(kind: str, descending: bool) -> None:
    rng = np.random.default_rng(11)
    for count in (1, 2, 7, 60, 500):
        drawn: dict[str, Any] = {
            "distinct": rng.normal(size=count).astype(np.float32),
            "half precision": rng.random(count).astype(np.float16),
            "ties": rng.choice([0.0, -0.0, 0.5, np.nan], count),
            "all the same": np.full(count, 0.25),
            "none": np.full(count, np.nan),
            "infinite": rng.choice([np.inf, -np.inf, np.nan, 1.0], count),
            "whole numbers": rng.integers(0, 9, count),
            # Beyond what double precision tells apart.
            "large numbers": scattered(np.arange(count), 3),
        }
        values, numbers, allowed = drawn[kind], rng.permutation(count) + 5, rng.random(count) < 0.8
        sort = -values.astype(np.float64) if descending else values
        whole = np.flatnonzero(allowed)[np.lexsort((numbers[allowed], sort[allowed]))]
        for start in {0, 1, count // 3, count - 1, count, count + 9}:
            for size in (1, 3, count // 2 + 1, 2**63):
                page = page_in_order(values, numbers, allowed, start, size, descending=descending)
                assert page.tolist() == whole[start : start + size].tolist()


def test_pages_put_together_are_the_whole_whatever_sorts_and_filters(ranked: Bench) -> None:
    make_map(request_map(ranked.study, ranked.alice).pk)
    pin = ranked.crops[7].pk
    sorts: list[dict[str, Any]] = [
        {"sort": "uncertain"}, {"sort": "probability", "label": "ring"}, {"sort": "similar", "pin": pin},
        {"sort": "outlier"}, {"sort": "size"}, {"sort": "field"}, {"sort": "mixed"},
    ]  # fmt: skip
    filters: list[dict[str, Any]] = [{}, {"state": "unlabelled"}, {"predicted": "disc", "reverse": True}]
    for query in ({**sort, **some} for sort in sorts for some in filters):
        whole = ids(ask(ranked, count=1000, **query))
        pages = [ask(ranked, count=7, start=start, **query).json() for start in range(0, len(whole) + 7, 7)]
        assert [crop["id"] for page in pages for crop in page["crops"]] == whole, query
        assert {page["total"] for page in pages} == {len(whole)}
        assert len(set(whole)) == len(whole)


def test_points_in_a_polygon_equal_a_library() -> None:
    from matplotlib.path import Path as Outline

    rng = np.random.default_rng(0)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 40))
    polygon = 0.5 + rng.uniform(0.1, 0.5, (40, 1)) * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = rng.random((5000, 2))
    assert (inside(points, polygon) == Outline(polygon).contains_points(points)).all()
    assert not inside(points, polygon[:2]).any()
    assert not inside(np.full((3, 2), np.nan), polygon).any()


def test_small_things_of_the_grid() -> None:
    assert polygon_area(np.array([[0, 0], [4, 0], [4, 3]])) == 6
    block = np.arange(2 * 1 * 4 * 6, dtype=np.uint16).reshape(2, 1, 4, 6)
    assert shrunk(block, 4) is block
    assert shrunk(block, 2)[1, 0, 1, 2] == round(block[1, 0, 2:4, 4:6].mean())
    assert shrunk(block, 2).dtype == np.uint16
    mixed = scattered(np.arange(1000), 0)
    assert len(set(mixed.tolist())) == 1000
    assert abs(np.corrcoef(mixed, np.arange(1000))[0, 1]) < 0.1
    assert (scattered(np.arange(1000), 1) != mixed).any()
