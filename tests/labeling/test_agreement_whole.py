"""The whole report on reads with known answers."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.agreement_experiments import coverage
from labeling.agreement import figures
from labeling.agreement.bases import Design, bases
from labeling.agreement.coefficients import krippendorff_alpha
from labeling.agreement.columns import Columns, counts_of
from labeling.agreement.counts import patterns
from labeling.agreement.shape import AgreementData, Row
from labeling.agreement.shares import share
from labeling.agreement.table import read_csv
from labeling.agreement.units import over_units
from labeling.agreement.votes import model_of, verdicts_of
from tests.labeling.agreement_columns import NOT_SURE, columns, marked, noisy, report

KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
).T - 1  # fmt: skip


def basis(data: AgreementData, name: str) -> Row:
    return next(row for row in data["rows"] if row["basis"] == name)


def test_krippendorffs_own_example_comes_out_three_ways() -> None:
    data = report(columns(KRIPPENDORFF, labels=("1", "2", NOT_SURE, "4", "5")))
    ways = data["not_sure"]["all"]
    found = [ways[name]["value"] for name in ("as_class", "as_missing", "sure_unsure")]
    assert found == pytest.approx([0.7434211, 0.7646104, 0.74], abs=1e-6)
    assert basis(data, "blind")["ac1"]["value"] == pytest.approx(0.775444, abs=1e-6)
    pairs = {(pair["a"][-1], pair["b"][-1]): (pair["n"], pair["kappa"]["value"]) for pair in data["pairs"]}
    assert pairs["0", "1"] == (9, pytest.approx(0.844828, abs=1e-6))
    assert pairs["2", "3"] == (10, pytest.approx(0.615385, abs=1e-6))
    assert data["not_sure"]["rate"]["value"] == pytest.approx(11 / 41)


@pytest.mark.parametrize(
    "file", ["carcinoma_7pathologists.csv", "krippendorff_4observers.csv", "amibr_atypical_3experts.csv"]
)
def test_published_tables_give_the_same_figures_as_the_plain_definition(shared_data: Path, file: str) -> None:
    table = read_csv(shared_data / "06_multirater_tables" / file)
    data = report(columns(table.codes, labels=table.labels))
    assert basis(data, "blind")["alpha"]["value"] == pytest.approx(krippendorff_alpha(table.codes), abs=1e-12)
    for pair in data["confusions"]["pairs"]:
        counts = np.array(pair["counts"])
        equal = next(row["agreement"] for row in data["pairs"] if (row["a"], row["b"]) == (pair["a"], pair["b"]))
        assert counts.sum() == pair["n"] and np.trace(counts) / pair["n"] == pytest.approx(equal["value"])


def test_the_consensus_model_reaches_the_published_likelihood(shared_data: Path) -> None:
    table = read_csv(shared_data / "06_multirater_tables" / "carcinoma_7pathologists.csv")
    part = report(columns(table.codes, labels=table.labels))["dawid_skene"]
    assert part["log_likelihood"] == pytest.approx(-317.2568, abs=1e-3)
    assert len(part["readers"]) == 7 and not part["left_out"]


def test_what_the_queue_chose_does_not_move_the_headline() -> None:
    """A queue that picks hard crops makes agreement look worse; random crops tell what it is."""
    rng = np.random.default_rng(3)
    truth, hard = rng.integers(0, 2, 4000), rng.random(4000) < 0.3
    reads = noisy(truth, np.where(hard, 0.65, 0.97), 2, seed=4)
    honest = krippendorff_alpha(reads)
    stream = rng.random(4000) < 0.15
    asked = stream | hard
    given = columns(np.where(asked[:, None], reads, -1))
    data = report(marked(given, stream=stream[given.item]))
    head = data["headline"]["alpha"]
    assert data["headline"]["is_random"] and head["low"] < honest < head["high"]
    assert basis(data, "queue")["alpha"]["high"] < honest and basis(data, "blind")["alpha"]["high"] < honest


def test_the_next_best_row_leads_where_random_crops_are_few_and_is_called_what_it_is() -> None:
    truth = np.tile([0, 1], 100)
    given = columns(noisy(truth, 0.9, 2), shared=True)
    data = report(marked(given, stream=given.item < 5))
    head = data["headline"]
    assert (head["basis"], head["is_random"], head["alpha"]["n"]) == ("shared", False, 195)
    assert "Only 5 crops" in head["note"] and head["name"].lower() in head["note"]


def test_a_lot_stands_for_the_pool_once_all_of_it_is_read_and_not_before() -> None:
    given = columns(noisy(np.tile([0, 1], 50), 0.9, 2), shared=True)
    for answered, is_census in ((100, True), (99, False)):
        chosen, census = bases(given, Design(twice=False, pool=100, answered=answered))
        assert census is is_census and chosen["random"].any() == is_census


def test_planned_second_reads_stand_for_nothing_until_all_are_there() -> None:
    """They come last, and those after a "not sure" at once: at first the crops read twice are the doubtful ones."""
    reads = noisy(np.tile([0, 1], 50), 0.9, 2)
    reads[:40, 0] = 2
    reads[50:, 1] = -1
    given = columns(reads)
    half, census = bases(given, Design(twice=True, pool=100, answered=100))
    assert not census and not half["shared"].any() and half["routed"].sum() == 80
    reads[50:, 1] = 0
    given = columns(reads)
    whole, census = bases(given, Design(twice=True, pool=100, answered=100))
    assert census and whole["random"].all() and not whole["routed"].any()


def test_a_lot_stands_for_nothing_while_second_reads_lack() -> None:
    reads = noisy(np.tile([0, 1], 50), 0.9, 2)
    reads[:6, 1] = -1
    given = columns(reads, shared=True)
    assert not bases(given, Design(False, 100, 100))[1], "6 of 100 lack the second read"
    closed = frozenset({"crop 0", "crop 1"})
    assert bases(given, Design(False, 100, 100, closed))[1], "two of them need none"


@st.composite
def some_columns(draw: st.DrawFn) -> Columns:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    reads = rng.integers(-1, 3, (draw(st.integers(1, 12)), draw(st.integers(1, 4))))
    given = columns(reads, experiments=2)
    flags = {name: rng.random(given.size) < 0.3 for name in ("stream", "adjudication", "dependent", "imported")}
    given = marked(given, **flags, reread=rng.random(given.size) < 0.1)
    given.items.shared[:] = rng.random(len(reads)) < 0.5
    return given


@given(some_columns(), st.booleans(), st.integers(0, 12))
def test_every_blind_read_is_in_one_row_and_the_others_never_lead(given_: Columns, twice: bool, pool: int) -> None:
    chosen, _ = bases(given_, Design(twice, pool, len(given_.items.keys)))
    blind, kinds = chosen["blind"], given_.kinds
    drawn = given_.items_with(kinds.stream & ~kinds.reread)[given_.item] & blind
    parts = np.stack([drawn, chosen["queue"], chosen["routed"]])
    assert (parts.sum(axis=0) == blind).all()
    assert not (chosen["random"] & ~blind).any() and not (chosen["shared"] & ~chosen["queue"]).any()
    assert not (chosen["adjudicated"] & (kinds.dependent | kinds.imported | kinds.reread)).any()
    assert not (chosen["all"] & kinds.reread).any()


@given(some_columns())
def test_the_report_of_any_reads_is_plain_json_with_intervals_around_its_figures(given_: Columns) -> None:
    data = report(given_)
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    groups = [*data["by_experiment"], *data["by_why"], *data["per_class"], *data["over_time"]]
    for row in [*groups, *(row["alpha"] for row in data["rows"]), *data["not_sure"]["by_reader"]]:
        assert row["reason"] or (row["low"] is not None and row["n"] > 0)
        if row["low"] is not None:
            assert row["low"] <= row["value"] + 1e-9 and row["value"] <= row["high"] + 1e-9
    assert sum(row["all"]["n"] for row in data["by_experiment"]) == basis(data, "blind")["alpha"]["n"]
    assert sum(row["all"]["n"] for row in data["by_why"]) == basis(data, "blind")["alpha"]["n"]


def test_the_interval_over_experiments_is_that_of_leaving_each_out() -> None:
    rng = np.random.default_rng(5)
    reads, units = noisy(rng.integers(0, 2, 300), 0.9, 2, seed=6), np.repeat(np.arange(6), 50)
    reads[units == 2] = noisy(rng.integers(0, 2, 50), 0.6, 2, seed=7)
    given = columns(reads)
    counts = counts_of(given, np.ones(given.size, dtype=bool))
    found = over_units(figures.alpha(counts), units, 6)
    without = np.array([krippendorff_alpha(reads[units != unit]) for unit in range(6)])
    value = krippendorff_alpha(reads)
    error = np.sqrt(5 / 6 * ((without - without.mean()) ** 2).sum())
    reach = 2.570581835636314 * error / (1 - value)  # t, 97.5 %, 5 degrees of freedom
    assert found.value == pytest.approx(value) and found.n == 6
    assert found.low == pytest.approx(1 - (1 - value) * np.exp(reach))
    assert found.high == pytest.approx(1 - (1 - value) * np.exp(-reach))
    by_items = report(columns(reads))["rows"]
    narrow = next(row["alpha"] for row in by_items if row["basis"] == "blind")
    assert found.high - found.low > narrow["high"] - narrow["low"], "one experiment is unlike the others"


def test_the_interval_over_experiments_covers_where_that_over_items_does_not() -> None:
    over, items, _ = coverage(6, 0.6, 150)
    assert over >= 0.9 and items <= 0.8


def test_one_experiment_has_no_interval_over_experiments() -> None:
    given = columns(noisy(np.tile([0, 1], 50), 0.9, 2))
    head = report(given)["headline"]["over_experiments"]
    assert head["value"] is not None and head["low"] is None and "one experiment" in head["reason"]


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"), [(0, 10, 0.0, 0.27753), (5, 10, 0.23659, 0.76341), (81, 263, 0.25529, 0.36621)]
)
def test_shares_have_wilsons_interval(hits: int, n: int, low: float, high: float) -> None:
    found = share(hits, n)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-5), pytest.approx(high, abs=1e-5))


def test_a_share_of_nothing_is_no_figure() -> None:
    assert share(0, 0).value is None and share(0, 0).reason


def test_a_weak_reader_is_the_least_reliable_and_the_interval_covers_their_skill() -> None:
    truth = np.random.default_rng(8).integers(0, 2, 600)
    reads = np.concatenate([noisy(truth, 0.99, 4, seed=9), noisy(truth, 0.7, 1, seed=10)], axis=1)
    readers = report(columns(reads))["readers"]
    weak = readers[-1]["reliability"]
    assert weak["low"] < 0.7 < weak["high"] and weak["n"] > 590 and not weak["reason"]
    assert all(row["reliability"]["low"] > weak["high"] for row in readers[:-1])
    matrix = np.array(readers[-1]["confusion"])
    assert np.trace(matrix) / matrix.sum() == pytest.approx(weak["value"])


def test_reliability_against_one_other_reader_says_that_it_is_no_more_than_that() -> None:
    readers = report(columns(noisy(np.tile([0, 1], 50), 0.9, 2)))["readers"]
    assert all("one other reader" in row["reliability"]["reason"] for row in readers)
    assert readers[0]["reliability"]["value"] == readers[1]["reliability"]["value"]


def test_not_sure_is_counted_for_the_class_that_the_others_name() -> None:
    truth = np.repeat([0, 1], 100)
    reads = np.stack([truth, truth, truth], axis=1)
    reads[100:140, 2] = 2
    rates = {row["key"]: (row["value"], row["n"]) for row in report(columns(reads))["not_sure"]["by_class"]}
    assert rates == {"disc": (0.0, 300), "ring": (pytest.approx(40 / 300), 300)}


def test_agreement_that_falls_over_time_shows_in_the_windows() -> None:
    truth = np.random.default_rng(11).integers(0, 2, 400)
    reads = noisy(truth, np.repeat([0.98, 0.75], 200), 2, seed=12)
    found = [row for row in report(columns(reads))["over_time"] if row["basis"] == "all"]
    assert len(found) == 8 and sum(row["crops"] for row in found) == 400
    assert min(row["value"] for row in found[:4]) > max(row["value"] for row in found[4:])
    assert [row["start"] for row in found] == sorted(row["start"] for row in found)


def test_many_windows_become_longer_ones() -> None:
    found = report(columns(noisy(np.tile([0, 1], 4000), 0.9, 2)))["over_time"]
    assert len(found) <= 61 and sum(row["crops"] for row in found) == 8000


def test_the_consensus_model_needs_three_readers_who_share_thirty_crops() -> None:
    truth = np.tile([0, 1], 60)
    reads = noisy(truth, 0.9, 4, seed=13)
    reads[29:, 3] = -1
    given = columns(reads)
    model = model_of(given)
    assert model.left_out == ("reader 3",) and model.table.annotators == ("reader 0", "reader 1", "reader 2")
    posterior = verdicts_of(given, np.ones(given.size, dtype=bool), {}, model).posterior
    assert posterior[:, :2].sum(axis=1) == pytest.approx(1.0) and np.isnan(posterior[:, 2]).all()
    assert (posterior[:, :2].argmax(axis=1) == truth).mean() > 0.95
    few = model_of(columns(np.where(np.arange(120)[:, None] < 29, reads, -1)))
    assert few.found.fit is None and "not identifiable" in few.found.reason and len(few.left_out) == 4


def test_majority_is_more_votes_than_any_other_and_what_was_decided_stands() -> None:
    reads = np.array([[0, 0, 1], [0, 1, -1], [2, 2, 0], [2, 2, -1], [1, -1, -1]])
    given = columns(reads)
    every = np.ones(given.size, dtype=bool)
    found = verdicts_of(given, every, {}, model_of(given))
    assert found.label.tolist() == [0, -1, 0, -1, 1]
    assert found.disputed.tolist() == [False, True, False, False, False]
    assert verdicts_of(given, every, {1: "ring", 2: ""}, model_of(given)).label.tolist() == [0, 1, -1, -1, 1]
    counts = report(given)["consensus"]["counts"]
    assert counts == {
        "agreed": 0, "majority": 2, "disputed": 1, "not_sure": 1, "single": 1, "with_posterior": 0,
    }  # fmt: skip


def test_patterns_and_columns_count_the_same() -> None:
    given = columns(KRIPPENDORFF, labels=("1", "2", "3", "4", "5"))
    found, frequencies = patterns(counts_of(given, np.ones(given.size, dtype=bool)))
    assert frequencies @ found.sum(axis=1) == given.size == 41
