import json

import numpy as np
import pytest

from labeling.agreement.intervals import Estimate
from labeling.agreement.report import full_report
from labeling.agreement.summary import summarise, word
from labeling.agreement.table import from_codes, from_long, read_csv
from tests.labeling import plain_agreement as plain
from tests.labeling.anaesthetists import anaesthetists


def test_the_report_has_the_keys_that_the_command_prints():
    report = summarise(from_long([("i", "ann", "x"), ("i", "bob", "y"), ("j", "ann", "x")]))
    assert (report["n_items"], report["n_annotators"], report["n_shared"]) == (2, 2, 1)
    assert report["percent_agreement"] == 0.0
    alpha = report["alpha_nominal"]
    assert (alpha["value"], alpha["low"], alpha["high"], alpha["n"]) == (0.0, None, None, 1)
    (pair,) = report["pairwise"]
    assert (pair["a"], pair["b"], pair["n"], pair["agreement"], pair["kappa"]) == ("ann", "bob", 1, 0.0, 0.0)


def test_undefined_figures_are_null_in_json():
    report = summarise(from_long([("i", "ann", "x"), ("j", "bob", "x")]))
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["percent_agreement"] is None
    pair = report["pairwise"][0]
    assert (pair["n"], pair["agreement"], pair["kappa"]) == (0, None, None)
    assert pair["reason"] == "the two read no item in common"
    assert report["word"] == "not computable"


def test_a_table_without_reads_gives_a_report():
    report = summarise(from_long([]))
    assert (report["n_items"], report["pairwise"], report["percent_agreement"]) == (0, [], None)


def test_items_without_a_read_are_not_counted():
    assert summarise(from_long([("i", "ann", ""), ("j", "ann", "x")]))["n_items"] == 1


def test_not_sure_is_shown_three_ways():
    reads = [[1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3]]
    reads += [[0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0]]
    table = from_codes(np.array(reads).T - 1, ("1", "2", "not_sure", "4", "5"), "not_sure")
    unsure = summarise(table)["not_sure"]
    views = [unsure[name]["value"] for name in ("as_class", "as_missing", "sure_unsure")]
    assert views == pytest.approx([0.743421052631579, 0.7646103896103896, 0.74])
    assert (unsure["n"], unsure["share"]) == (11, pytest.approx(11 / 41))


def test_ordered_classes_add_an_ordinal_alpha_that_leaves_not_sure_out():
    rows = [(str(i), a, "low" if i < 5 else "high") for i in range(10) for a in "ab"] + [("0", "c", "not_sure")]
    assert summarise(from_long(rows), ordered=["low", "high"])["alpha_ordinal"]["value"] == 1.0
    with pytest.raises(ValueError, match="leaves out high"):
        summarise(from_long(rows), ordered=["low"])


def test_repeats_are_counted_and_said():
    report = summarise(from_long([("i", "ann", "x"), ("i", "ann", "x"), ("i", "bob", "x")]))
    assert report["repeats"]["n"] == 1
    assert "1 repeated reads" in report["repeats"]["text"]


@pytest.mark.parametrize(
    ("low", "n", "expected"),
    [(0.85, 99, "firm"), (0.7, 99, "tentative"), (0.5, 99, "low"), (None, 1, "too few")],
)
def test_the_word_is_judged_by_the_lower_end(low, n, expected):
    assert word(Estimate(0.9, low, 0.95, n)) == expected


@pytest.mark.shared_data
def test_seven_pathologists_on_118_slides(shared_data):
    report = summarise(read_csv(shared_data / "06_multirater_tables" / "carcinoma_7pathologists.csv"))
    assert (report["n_items"], report["n_annotators"], len(report["pairwise"])) == (118, 7, 21)
    alpha = report["alpha_nominal"]
    assert alpha["value"] == pytest.approx(0.5123079279788835)
    assert alpha["low"] < alpha["value"] < alpha["high"]
    assert report["word"] == "low"


def test_three_sessions_of_one_observer_give_their_agreement_with_themselves():
    # Observer 1 of Dawid and Skene 1979 on three patients: alike, alike, and one of three differs
    rows = [(i, "1", k) for i, reads in (("a", "111"), ("b", "222"), ("c", "112")) for k in reads]
    intra = summarise(from_long([*rows, ("a", "2", "1"), ("a", "3", "1")]))["intra"]
    assert list(intra) == ["1"]
    assert (intra["1"]["n"], intra["1"]["reads"]) == (3, 9)
    assert intra["1"]["all_equal"] == pytest.approx(2 / 3)
    assert intra["1"]["percent"]["value"] == pytest.approx((1 + 1 + 1 / 3) / 3)
    assert intra["1"]["alpha"]["value"] == pytest.approx(1 - 8 * 2 / (2 * 5 * 4))


def test_not_sure_has_three_readings_also_where_nobody_said_it():
    unsure = summarise(from_long([("i", "ann", "x"), ("i", "bob", "y")]))["not_sure"]
    assert unsure["as_class"]["value"] == unsure["as_missing"]["value"] == 0.0
    assert unsure["sure_unsure"]["value"] is None
    assert unsure["sure_unsure"]["reason"] == "nobody said not sure"


def test_labels_that_are_numbers_have_an_order_and_a_scale_of_their_own():
    rows = [
        (str(i), a, label) for i, pair in enumerate(("1 1", "10 2", "2 2")) for a, label in zip("ab", pair.split())
    ]
    report = summarise(from_long([*rows, ("p", "c", "unsure")], not_sure="unsure"))
    expected = plain.alpha([[1, 1], [10, 2], [2, 2]], lambda a, b, uses: float((a - b) ** 2))
    assert report["alpha_interval"]["value"] == pytest.approx(expected)
    named = summarise(from_long([("i", "a", "x"), ("i", "b", "y")]))
    assert named["alpha_ordinal"]["value"] is named["alpha_ratio"]["value"] is None
    assert "no declared order" in named["alpha_ordinal"]["reason"]
    assert "not numbers" in named["alpha_ratio"]["reason"]


def test_each_class_has_its_alpha_with_an_interval_and_the_number_of_its_reads():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 80)
    rows = [(str(i), a, "xy"[k ^ (rng.random() < 0.1)]) for i, k in enumerate(truth) for a in "abc"]
    found = summarise(from_long(rows))["per_class"]
    assert found["x"]["low"] < found["x"]["value"] < found["x"]["high"]
    assert found["x"]["reads"] + found["y"]["reads"] == 240


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("i", "ann", "x")],
        [("i", "ann", "x"), ("j", "bob", "x")],
        [("i", a, "x") for a in "abc"],
        [("i", a, "not_sure") for a in "abc"],
        [("i", "ann", "x, y"), ("i", "ann", "ß"), ("i", "bob", "x, y"), ("i", "cy", "ß")],
        [(str(i), a, "xy"[i % 2]) for i in range(40) for a in "abc"],
        [("many", str(a), "xy"[a % 2]) for a in range(20)] + [("one", "1", "x")],
    ],
)
def test_every_figure_that_is_null_has_a_plain_reason_beside_it(rows):
    report = full_report(from_long(rows))
    assert json.loads(json.dumps(report, allow_nan=False)) == json.loads(json.dumps(report))
    for figure in figures_in(report):
        assert figure["value"] is not None or figure["reason"]
    assert report["dawid_skene"]["log_likelihood"] is not None or report["dawid_skene"]["reason"]


def figures_in(value):
    """Every {value, low, high} in a report."""
    if isinstance(value, dict):
        if "value" in value and "low" in value:
            yield value
        for part in value.values():
            yield from figures_in(part)


def test_the_consensus_model_leaves_not_sure_out():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 60)
    rows = [(str(i), a, "xy"[k ^ (rng.random() < 0.1)]) for i, k in enumerate(truth) for a in "abc"]
    sure = full_report(from_long(rows))["dawid_skene"]
    assert full_report(from_long([*rows, ("0", "d", "not_sure")]))["dawid_skene"]["prevalence"] == sure["prevalence"]
    assert set(sure["prevalence"]) == {"x", "y"}


def test_the_observer_of_1979_who_read_thrice_agrees_with_themselves_as_computed_elsewhere():
    own = summarise(anaesthetists())["intra"]["1"]
    found = own["all_equal"], own["alpha"]["value"], own["alpha_ordinal"]["value"]
    assert own["n"] == 45
    assert found == pytest.approx((0.7111111111111111, 0.6959860383944154, 0.8179279001555211))
