import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import cohen_kappa_score

from labeling.agreement.coefficients import (
    alpha_per_class,
    cohen_kappa,
    gwet_ac1,
    krippendorff_alpha,
    pairwise,
    percent_agreement,
    shared_items,
)
from labeling.agreement.table import from_codes, read_csv

METRICS = ("nominal", "ordinal", "interval", "ratio")


def reads(text: str) -> np.ndarray:
    """Codes (items, annotators) from one line per annotator, `.` for missing, labels 1.. or a.."""
    names = {".": -1, **{c: i for i, c in enumerate("abcdefg")}, **{str(i): i - 1 for i in range(1, 8)}}
    return np.array([[names[c] for c in line.split()] for line in text.strip().splitlines()]).T


def two_readers(table: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """The two columns of reads behind a contingency table."""
    a, b = np.nonzero(np.ones_like(table))
    times = np.ravel(table)
    return np.repeat(a, times), np.repeat(b, times)


def from_counts(counts: list[list[int]]) -> np.ndarray:
    return np.array([np.repeat(np.arange(len(row)), row) for row in counts])


KRIPPENDORFF_C = reads("""
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .""")
ALPHAS = {
    "2011 A": (reads("1 2 1 1 1 1 1 1 2 1\n2 2 2 1 1 2 1 1 1 1"), "nominal", 0.09523809523809534),
    "2011 B": (reads("a a b b d c c c e d d a\nb a b b b c c c e d d d"), "nominal", 0.6919642857142858),
    "2011 C nominal": (KRIPPENDORFF_C, "nominal", 0.743421052631579),
    "2011 C ordinal": (KRIPPENDORFF_C, "ordinal", 0.8153875037548814),
    "2011 C interval": (KRIPPENDORFF_C, "interval", 0.8491071428571428),
    "2011 C ratio": (KRIPPENDORFF_C, "ratio", 0.7974027747116121),
}
THREE_CODERS = reads("""
. . . . . 3 4 1 2 1 1 3 3 . 3
1 . 2 1 3 3 4 3 . . . . . . .
. . 2 1 3 4 4 . 2 1 1 3 3 . 4""")
ANXIETY = reads("""
3 3 3 4 5 5 2 3 5 2 2 6 1 5 2 2 1 2 4 3
3 6 4 6 2 4 2 4 3 3 2 3 3 3 2 2 1 3 3 4
2 1 4 4 3 2 1 6 1 1 1 2 3 3 1 1 3 3 2 2""")
# rows of the first reader; share of agreement, Cohen's kappa, alpha, AC1
TWO_READER_TABLES = [
    ([[20, 5], [10, 15]], 0.7, 0.4, 0.4, 0.405941),
    ([[45, 15], [25, 15]], 0.6, 0.130435, 0.125275, 0.266055),
    ([[25, 35], [5, 35]], 0.6, 0.259259, 0.195960, 0.207921),
    ([[40, 9], [6, 45]], 0.85, 0.699519, 0.700752, 0.700748),
    ([[80, 10], [5, 5]], 0.85, 0.318182, 0.317714, 0.808),
    ([[118, 5], [2, 0]], 0.944, -0.023392, -0.024691, 0.940776),
    ([[88, 10, 2], [14, 40, 6], [18, 10, 12]], 0.70, 0.491525, 0.488462, 0.575972),
    ([[13, 0, 0], [0, 20, 7], [0, 4, 56]], 0.89, 0.796409, 0.797258, 0.849331),
    (
        [[40, 4, 4, 17], [6, 25, 2, 13], [4, 1, 21, 12], [15, 5, 9, 45]],
        *(0.587444, 0.431501, 0.431618, 0.456158),
    ),
    ([[0, 4, 1], [0, 8, 0], [0, 1, 5]], 0.684211, 0.484163, 0.467626, 0.555988),
]


@pytest.mark.parametrize("name", ALPHAS)
def test_alpha_equals_the_published_examples(name):
    codes, metric, expected = ALPHAS[name]
    assert krippendorff_alpha(codes, metric) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("metric", "expected"), list(zip(METRICS, (0.6913580, 0.8067214, 0.8108449, 0.8089437))))
def test_alpha_of_three_coders_with_many_missing_reads(metric, expected):
    assert krippendorff_alpha(THREE_CODERS, metric) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("metric", "expected"), list(zip(METRICS, (-0.023725212, 0.228386945, 0.170098608))))
def test_alpha_of_the_anxiety_ratings(metric, expected):
    assert krippendorff_alpha(ANXIETY, metric) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("table", "agreement", "kappa", "alpha", "ac1"), TWO_READER_TABLES)
def test_two_reader_tables_give_their_published_coefficients(table, agreement, kappa, alpha, ac1):
    a, b = two_readers(table)
    codes = np.stack([a, b], axis=1)
    found = percent_agreement(codes), cohen_kappa(a, b), krippendorff_alpha(codes), gwet_ac1(codes)
    assert found == pytest.approx((agreement, kappa, alpha, ac1), abs=1e-6)


def test_weighted_kappa_equals_cohen_1968_and_sas():
    a, b = two_readers(TWO_READER_TABLES[6][0])
    assert cohen_kappa(a, b, np.array([[0, 1, 3], [1, 0, 6], [3, 6, 0]])) == pytest.approx(0.3478260869565216)
    assert cohen_kappa(*two_readers(TWO_READER_TABLES[9][0]), "linear") == pytest.approx(0.470120, abs=1e-6)
    assert cohen_kappa(*two_readers(TWO_READER_TABLES[8][0]), "linear") == pytest.approx(0.406811, abs=1e-6)
    assert cohen_kappa(*two_readers(TWO_READER_TABLES[8][0]), "quadratic") == pytest.approx(0.383186, abs=1e-6)


@pytest.mark.parametrize(
    ("weights", "kappa"), [(None, -0.006289308), ("linear", 0.1459075), ("quadratic", 0.2520325)]
)
def test_weighted_kappa_of_the_anxiety_ratings_by_rank(weights, kappa):
    # R's irr drops the unused level 5, so the weights are distances between ranks.
    ranks = np.unique(ANXIETY[:, 1:], return_inverse=True)[1].reshape(20, 2)
    assert cohen_kappa(ranks[:, 0], ranks[:, 1], weights) == pytest.approx(kappa, abs=1e-7)


def test_counts_of_many_raters_give_the_published_alpha_of_fleiss_and_wikipedia():
    rows = "0 0 0 0 14/0 2 6 4 2/0 0 3 5 6/0 3 9 2 0/2 2 8 1 1/"
    rows += "7 7 0 0 0/3 2 6 3 0/2 5 3 2 2/6 5 2 1 0/0 2 2 3 7"
    codes = from_counts([[int(n) for n in row.split()] for row in rows.split("/")])
    assert krippendorff_alpha(codes) == pytest.approx(0.21557405653, abs=1e-9)
    assert percent_agreement(codes) == pytest.approx(0.378021978, abs=1e-9)


def test_pairs_have_their_own_number_of_items():
    found = [(p.n, p.agreement, p.kappa) for p in pairwise(from_codes(KRIPPENDORFF_C, "12345"))]
    expected = [(9, 0.888889, 0.844828), (8, 0.625, 0.478261), (9, 0.888889, 0.85)]
    expected += [(9, 0.666667, 0.542373), (10, 0.9, 0.870130), (10, 0.7, 0.615385)]
    assert found == [pytest.approx(row, abs=1e-6) for row in expected]


def test_alpha_of_each_class_against_the_rest():
    expected = [0.7204301, 0.6666667, 0.74, 0.7771429, 1.0]
    assert alpha_per_class(KRIPPENDORFF_C, 5) == pytest.approx(expected, abs=1e-6)
    assert gwet_ac1(KRIPPENDORFF_C) == pytest.approx(0.775444, abs=1e-6)


def test_an_item_with_a_single_read_changes_nothing():
    without = KRIPPENDORFF_C[:-1]
    assert shared_items(KRIPPENDORFF_C) == shared_items(without) == 11
    assert krippendorff_alpha(KRIPPENDORFF_C) == krippendorff_alpha(without)


@pytest.mark.parametrize("codes", [np.zeros((5, 3), int), np.full((5, 3), -1), np.empty((0, 0), int)])
def test_alpha_is_undefined_with_one_label_or_no_reads(codes):
    assert np.isnan(krippendorff_alpha(codes))


def test_unknown_metrics_and_weights_are_named():
    with pytest.raises(ValueError, match="'cubic'"):
        krippendorff_alpha(KRIPPENDORFF_C, "cubic")
    with pytest.raises(ValueError, match="'cubic'"):
        cohen_kappa(KRIPPENDORFF_C[:, 0], KRIPPENDORFF_C[:, 1], "cubic")


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.int64, st.tuples(st.integers(2, 12), st.integers(2, 4)), elements=st.integers(-1, 3)))
def test_alpha_ignores_the_order_of_items_annotators_and_the_names_of_labels(codes):
    renamed = np.array([2, 0, 3, 1, -1])[codes]
    expected = krippendorff_alpha(codes)
    for same in (codes[::-1], codes[:, ::-1], renamed):
        assert krippendorff_alpha(same) == pytest.approx(expected, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.int64, (15, 2), elements=st.integers(0, 3)))
def test_kappa_equals_scikit_learn(codes):
    a, b = codes.T
    if len(np.unique(codes)) > 1:
        for weights in (None, "linear", "quadratic"):
            expected = cohen_kappa_score(a, b, weights=weights, labels=np.arange(4))
            assert cohen_kappa(a, b, weights) == pytest.approx(expected, nan_ok=True)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    "name",
    [
        "carcinoma_7pathologists",
        "krippendorff_4observers",
        "amibr_atypical_3experts",
        "amibr_subclass8_2experts",
    ],
)
def test_real_tables_give_the_expected_figures(shared_data, name):
    folder = shared_data / "06_multirater_tables"
    expected = json.loads((folder / "expected.json").read_text())[name]
    table = read_csv(folder / f"{name}.csv")
    kappas = [pair.kappa for pair in pairwise(table)]
    assert table.codes.shape == (expected["items"], expected["annotators"])
    alpha = expected.get("krippendorff_alpha_nominal") or expected["computed"]["alpha_nominal"]
    assert krippendorff_alpha(table.codes) == pytest.approx(alpha, abs=1e-9)
    wanted = expected.get("mean_pairwise_cohen", np.mean(kappas)), expected.get("cohen_kappa", kappas[0])
    assert (np.mean(kappas), kappas[0]) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.shared_data
def test_every_typed_table_of_the_reference_file_is_reproduced(shared_data):
    oracles = json.loads((shared_data / "06_multirater_tables" / "agreement_oracles.json").read_text())
    for oracle in oracles["two_rater_tables"].values():
        a, b = two_readers(np.array(oracle["table"], dtype=int).tolist())
        for weights, key in ((None, "kappa"), ("linear", "kappa_linear"), ("quadratic", "kappa_quadratic")):
            if key in oracle:
                assert cohen_kappa(a, b, weights) == pytest.approx(oracle[key], abs=1e-9)
        assert krippendorff_alpha(np.stack([a, b], axis=1)) == pytest.approx(oracle["alpha"], abs=1e-9)
    fleiss = oracles["fleiss_1971_30x6x5"]
    codes = from_counts(fleiss["counts"])
    assert krippendorff_alpha(codes) == pytest.approx(fleiss["krippendorff_nominal"], abs=1e-9)
    assert percent_agreement(codes) == pytest.approx(fleiss["Pbar"], abs=1e-9)
    assert gwet_ac1(codes) == pytest.approx(fleiss["gwet_ac1"], abs=1e-6)


@pytest.mark.shared_data
def test_the_observers_of_dawid_and_skene_agree_as_computed(shared_data):
    table = read_csv(shared_data / "06_multirater_tables" / "anesthesia_5raters.csv")
    assert krippendorff_alpha(table.codes) == pytest.approx(0.5842911877394636, abs=1e-9)
    assert krippendorff_alpha(table.codes, "ordinal") == pytest.approx(0.8118922563970095, abs=1e-9)
