"""The page of agreement: what it shows of a report, where its numbers lead, and what it says before there is one."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.agreement.shape import AgreementData
from labeling.models import AgreementReport, Annotation
from labeling.services.agreement_shown import Matrix, disputed_of, matrix_of, steps_of, time_plot, word_of
from labeling.services.exclusions import exclude, put_back
from labeling.services.next_steps import TOO_FEW_RARE
from labeling.services.progress import NOT_SURE_LABEL
from labeling.services.reads import STREAM
from labeling.worker.agreement import make_report
from tests.factories import answer
from tests.labeling.conftest import Room


def figure(value: float | None, n: int = 50, reach: float = 0.05, reason: str = "") -> dict[str, Any]:
    low, high = (None, None) if value is None else (value - reach, value + reach)
    return {"value": value, "low": low, "high": high, "n": n, "reason": reason}


def data_of(**parts: Any) -> AgreementData:
    """A report that holds these parts only."""
    empty: Any = {
        "labels": {"a": "alpha & co", "b": "beta", "c": "gamma"},
        "confusions": {"labels": [], "pairs": [], "left_out": 0},
        "per_class": [],
        "readers": [],
        "suspects": [],
    }
    return empty | parts


def confusions(
    counts: list[list[int]], *more: list[list[int]], labels: tuple[str, ...] = ("a", "b")
) -> dict[str, Any]:
    pairs = [{"a": "x", "b": str(at), "n": 0, "counts": rows} for at, rows in enumerate((counts, *more))]
    return {"labels": list(labels), "pairs": pairs, "left_out": 0}


def test_the_matrix_sums_the_pairs_of_readers_in_both_directions() -> None:
    matrix = matrix_of(data_of(confusions=confusions([[10, 2], [3, 5]], [[1, 0], [4, 0]])))
    assert isinstance(matrix, Matrix)
    assert [[cell.count for cell in row.cells] for row in matrix.rows] == [[11, 9], [9, 5]]
    assert matrix.names == ["alpha & co", "beta"]
    assert [row.n for row in matrix.rows] == [20, 14]
    assert matrix.rows[0].equal == pytest.approx(11 / 20)


def test_shading_grows_with_the_count_and_leaves_the_diagonal_alone() -> None:
    rows = matrix_of(
        data_of(confusions=confusions([[90, 1, 8], [0, 90, 4], [0, 0, 90]], labels=("a", "b", "c")))
    ).rows
    shades = {cell.count: cell.shade for row in rows for cell in row.cells if not cell.is_equal}
    assert shades == {1: 1, 8: 4, 4: 2}
    assert all(cell.shade == 0 for row in rows for cell in row.cells if cell.is_equal)


def test_there_is_no_matrix_without_a_shared_crop() -> None:
    assert matrix_of(data_of(confusions=confusions([[0, 0], [0, 0]]))) is None
    assert matrix_of(data_of()) is None


def test_the_worst_cells_are_to_be_discussed_first_and_not_sure_is_none_of_them() -> None:
    labels = ("a", "b", NOT_SURE_LABEL)
    data = data_of(confusions=confusions([[50, 6, 40], [0, 50, 2], [0, 0, 1]], labels=labels))
    steps = steps_of(data, matrix_of(data))
    assert [step.text for step in steps] == ["Discuss beta against alpha & co"]
    assert steps[0].query == "?a=b&b=a"


def test_a_couple_of_crops_is_no_step_and_classes_nobody_tells_apart_may_be_merged() -> None:
    few = data_of(confusions=confusions([[50, 2], [0, 50]]))
    assert steps_of(few, matrix_of(few)) == []
    mixed = data_of(confusions=confusions([[10, 30], [0, 10]]))
    assert "merge the two" in steps_of(mixed, matrix_of(mixed))[0].text


def test_only_classes_that_are_surely_hard_are_to_be_sharpened() -> None:
    rows = [
        {"key": "a", "name": "alpha", "reads": 9, **figure(0.5)},
        {"key": "b", "name": "beta", "reads": 9, **figure(0.5, reason="too few")},
        {"key": "c", "name": "gamma", "reads": 9, **figure(0.65)},
        {"key": NOT_SURE_LABEL, "name": "not sure", "reads": 9, **figure(0.0)},
    ]
    assert [step.text for step in steps_of(data_of(per_class=rows), None)] == ["Sharpen the guideline of alpha"]


def test_of_two_classes_one_is_named_as_each_is_the_rest_of_the_other() -> None:
    rows = [{"key": key, "name": key, "reads": reads, **figure(0.4)} for key, reads in (("a", 90), ("b", 10))]
    assert [step.text for step in steps_of(data_of(per_class=rows), None)] == ["Sharpen the guideline of b"]


def test_who_stands_out_is_shown_with_the_reader_to_look_at() -> None:
    found = {"annotator": "zoe", "kind": "drift", "text": "zoe: drifts"}
    data = data_of(suspects=[found, {"annotator": "gone", "text": "gone: spam"}], readers=[{"id": 7, "name": "zoe"}])
    assert [(step.reader, step.text) for step in steps_of(data, None)] == [(7, "zoe: drifts")]


def windows(*values: float | None, basis: str = "all") -> list[Any]:
    return [
        {"basis": basis, "start": "2026-01-01", "end": "2026-01-02", "crops": 50, **figure(value)} for value in values
    ]


def test_the_plot_runs_from_left_to_right_and_better_is_higher() -> None:
    plot = time_plot(windows(0.2, None, 0.9))
    assert plot is not None
    first, last = plot.points
    assert first.x < last.x
    assert first.y > last.y
    assert last.high < last.y < last.low


def test_random_crops_are_followed_where_there_are_two_windows_of_them() -> None:
    rows = [*windows(0.5, 0.6, basis="random"), *windows(0.1, 0.2, 0.3)]
    assert time_plot(rows).basis == "random"
    assert time_plot(rows[1:]).basis == "all"
    assert time_plot(windows(0.5)) is None


@pytest.fixture
def read(room: Room) -> Room:
    """Bob and Dora read all crops and differ on four of them."""
    for place, crop in enumerate(room.crops):
        answer(room.study, room.bob, crop, "disc" if place % 2 else "ring")
        answer(room.study, room.dora, crop, "ring" if place < 4 else "disc" if place % 2 else "ring")
    return room


def page(room: Room, client: Client, name: str = "agreement") -> str:
    client.force_login(room.alice)
    reply = client.get(reverse(f"labeling:{name}", args=[room.study.pk]))
    assert reply.status_code == 200
    return reply.content.decode()


def test_before_there_is_a_report_the_page_says_so_and_rings(
    read: Room, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[int] = []
    monkeypatch.setattr("labeling.views.agreement.ring_for_agreement", rung.append)
    assert "computed in the background" in page(read, client)
    assert rung == [read.study.pk]


def test_a_study_without_answers_says_what_it_needs(room: Room, client: Client) -> None:
    assert "Nobody has answered yet" in page(room, client)
    assert "Nobody has answered yet" in page(room, client, "overview")


def test_the_page_shows_the_kept_figures_and_links_the_crops_of_a_cell(read: Room, client: Client) -> None:
    make_report(read.study.pk)
    shown = page(read, client)
    headline = AgreementReport.objects.get(study=read.study).data["headline"]
    assert f"{headline['alpha']['value']:.2f}" in shown
    assert f"{reverse('labeling:discuss', args=[read.study.pk])}?a=" in shown
    for table in ("rows", "not-sure", "per-class", "pairs", "readers", "confusions"):
        assert reverse("labeling-api:study-agreement-table", args=[read.study.pk, table]) in shown
    assert reverse("labeling:reader", args=[read.study.pk, read.bob.pk]) in shown


def test_newer_answers_are_counted_on_the_page_and_change_no_figure(read: Room, client: Client) -> None:
    make_report(read.study.pk)
    before = AgreementReport.objects.get(study=read.study).data
    answer(read.study, read.alice, read.crops[0])
    assert "1 newer answer" in page(read, client)
    assert AgreementReport.objects.get(study=read.study).data == before


def test_annotators_get_no_page_of_agreement(read: Room, client: Client) -> None:
    client.force_login(read.bob)
    assert client.get(reverse("labeling:agreement", args=[read.study.pk])).status_code == 403


def test_names_of_classes_and_readers_are_text(read: Room, client: Client) -> None:
    read.study.classes.filter(key="disc").update(name="<i>disc</i>, “x” & co")
    read.bob.username = "<b>bob</b>"
    read.bob.save()
    make_report(read.study.pk)
    shown = page(read, client)
    assert "<i>disc" not in shown and "<b>bob" not in shown
    assert "&lt;i&gt;disc" in shown and "&lt;b&gt;bob" in shown


def test_votes_on_disputed_crops_name_the_classes_as_people_do() -> None:
    row = {"crop": 7, "experiment": "plate 1", "votes": {"a": 2, NOT_SURE_LABEL: 1}}
    (shown,) = disputed_of(data_of(consensus={"counts": {}, "disputed": [row]}))
    assert (shown["crop"], shown["votes"]) == (7, "2 × alpha & co, 1 × not sure")


@pytest.mark.parametrize("name", ["agreement", "overview"])
def test_figures_say_that_who_counts_has_changed_since(read: Room, client: Client, name: str) -> None:
    make_report(read.study.pk)
    assert "has changed since" not in page(read, client, name)
    for change in (exclude, put_back):
        change(read.study, read.dora, read.alice, "a test")
        # Put back before anything was computed the figures hold again, as nothing but the same people count.
        assert ("who counts has changed since" in page(read, client, name)) == (change is exclude)
    exclude(read.study, read.dora, read.alice, "again")
    make_report(read.study.pk)
    assert "has changed since" not in page(read, client, name)
    put_back(read.study, read.dora, read.alice, "back")
    assert "who counts has changed since" in page(read, client, name)


def test_overview_and_agreement_ask_for_the_same(read: Room, client: Client) -> None:
    make_report(read.study.pk)
    texts = []
    for name in ("agreement", "overview"):
        page(read, client, name)
        reply = client.get(reverse(f"labeling:{name}", args=[read.study.pk]))
        texts.append([(step["text"], step["url"]) for step in reply.context["steps"]])
        assert texts[-1] and "lack nothing" not in reply.content.decode()
    assert texts[0] == texts[1]


def test_too_few_says_whether_crops_or_rarer_answers_are_lacking() -> None:
    def head(n: int, word: str = "too few") -> AgreementData:
        return data_of(headline={"word": word, "alpha": figure(0.9, n)})

    assert [word_of(head(n)) for n in (29, 30)] == ["too few", TOO_FEW_RARE]
    assert word_of(head(30, "firm")) == "firm"


def test_the_headline_names_what_it_rests_on_and_how_many_crops(read: Room, client: Client) -> None:
    make_report(read.study.pk)
    head = AgreementReport.objects.get(study=read.study).data["headline"]
    assert f"now rests on: {head['name'].lower()}, n {head['alpha']['n']}." in page(read, client)


def test_a_headline_that_rests_on_something_else_now_says_on_what_it_rested(read: Room, client: Client) -> None:
    make_report(read.study.pk)
    assert "Before, it rested on" not in page(read, client)
    first = AgreementReport.objects.get(study=read.study).data["headline"]
    assert first["basis"] == "queue"
    Annotation.objects.filter(study=read.study).update(why_asked=STREAM)
    for times in range(2):
        # Also the report after the next one says so.
        answer(read.study, read.alice, read.crops[times])
        make_report(read.study.pk)
        assert AgreementReport.objects.get(study=read.study).data["headline"]["basis"] == "random"
        assert f"Before, it rested on: {first['name'].lower()}" in page(read, client)
