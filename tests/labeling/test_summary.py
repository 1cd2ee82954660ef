import json

import numpy as np
import pytest

from labeling.agreement.intervals import Estimate
from labeling.agreement.summary import summarise, word
from labeling.agreement.table import from_codes, from_long, read_csv


def test_the_report_has_the_keys_that_the_command_prints():
    report = summarise(from_long([("i", "ann", "x"), ("i", "bob", "y"), ("j", "ann", "x")]))
    assert (report["n_items"], report["n_annotators"], report["n_shared"]) == (2, 2, 1)
    assert report["percent_agreement"] == 0.0
    alpha = report["alpha_nominal"]
    assert (alpha["value"], alpha["low"], alpha["high"], alpha["n"]) == (0.0, None, None, 1)
    assert report["pairwise"] == [{"a": "ann", "b": "bob", "n": 1, "agreement": 0.0, "kappa": 0.0}]


def test_undefined_figures_are_null_in_json():
    report = summarise(from_long([("i", "ann", "x"), ("j", "bob", "x")]))
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["percent_agreement"] is None
    assert report["pairwise"][0] == {"a": "ann", "b": "bob", "n": 0, "agreement": None, "kappa": None}
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
