import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import cohen_kappa_score

from labeling.agreement import figures
from labeling.agreement.coefficients import (
    alpha_per_class,
    brennan_prediger,
    conger_kappa,
    fleiss_error,
    fleiss_kappa,
    fleiss_per_class,
    generalised_fleiss_kappa,
    gwet_ac,
    krippendorff_alpha,
    percent_agreement,
)
from labeling.agreement.counts import label_counts, patterns, shared_items
from labeling.agreement.intervals import standard_error
from labeling.agreement.pairs import cohen_errors, cohen_kappa, confusion, kappa_interval, pairwise, scott_pi
from labeling.agreement.table import from_codes, read_csv
from labeling.agreement.weights import agreement_weights
from tests.labeling import plain_agreement as plain

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


def counted(text: str) -> np.ndarray:
    """Reads behind rows of counts, separated by slashes or line ends."""
    rows = text.strip().replace("\n", "/").split("/")
    return from_counts([[int(n) for n in row.split()] for row in rows])


def weighted_alpha(codes: np.ndarray, weights) -> float:
    """Krippendorff's alpha with 1 - agreement weights as distances, as irrCAC computes it."""
    units = plain.units_of(codes)
    matrix = agreement_weights(int(codes.max()) + 1, weights)
    return plain.alpha(units, lambda a, b, uses: 1 - matrix[a, b])


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
# Published two-reader tables (Krippendorff, Feinstein and Cicchetti 1990, Gwet 2002 and 2014, Cohen 1960, SAS).
# rows of the first reader; share of agreement, Cohen's kappa, alpha, AC1, Scott's pi, Brennan-Prediger
TWO_READER_TABLES = [
    ([[20, 5], [10, 15]], 0.7, 0.4, 0.4, 0.405941, 0.393939, 0.4),
    ([[45, 15], [25, 15]], 0.6, 0.130435, 0.125275, 0.266055, 0.120879, 0.2),
    ([[25, 35], [5, 35]], 0.6, 0.259259, 0.195960, 0.207921, 0.191919, 0.2),
    ([[40, 9], [6, 45]], 0.85, 0.699519, 0.700752, 0.700748, 0.699248, 0.7),
    ([[80, 10], [5, 5]], 0.85, 0.318182, 0.317714, 0.808, 0.314286, 0.7),
    ([[118, 5], [2, 0]], 0.944, -0.023392, -0.024691, 0.940776, -0.028807, 0.888),
    ([[88, 10, 2], [14, 40, 6], [18, 10, 12]], 0.70, 0.491525, 0.488462, 0.575972, 0.487179, 0.55),
    ([[13, 0, 0], [0, 20, 7], [0, 4, 56]], 0.89, 0.796409, 0.797258, 0.849331, 0.796240, 0.835),
    (
        [[40, 4, 4, 17], [6, 25, 2, 13], [4, 1, 21, 12], [15, 5, 9, 45]],
        *(0.587444, 0.431501, 0.431618, 0.456158, 0.430341, 0.449925),
    ),
    ([[0, 4, 1], [0, 8, 0], [0, 1, 5]], 0.684211, 0.484163, 0.467626, 0.555988, 0.453237, 0.526316),
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


@pytest.mark.parametrize(("table", "agreement", "kappa", "alpha", "ac1", "pi", "bp"), TWO_READER_TABLES)
def test_two_reader_tables_give_their_published_coefficients(table, agreement, kappa, alpha, ac1, pi, bp):
    a, b = two_readers(table)
    codes = np.stack([a, b], axis=1)
    found = percent_agreement(codes), cohen_kappa(a, b), krippendorff_alpha(codes), gwet_ac(codes), scott_pi(a, b)
    assert found == pytest.approx((agreement, kappa, alpha, ac1, pi), abs=1e-6)
    assert brennan_prediger(codes) == pytest.approx(bp, abs=1e-6)
    assert fleiss_kappa(codes) == pytest.approx(pi, abs=1e-6)  # for two readers Fleiss' kappa is Scott's pi
    assert conger_kappa(codes) == pytest.approx(kappa, abs=1e-6)  # and Conger's is Cohen's


# Standard error of Cohen's kappa, and the one without agreement, of the same tables
ERRORS = [
    (0.12699606, 0.13856406),
    (0.09866154, 0.09760845),
    (0.07715973, 0.08314795),
    (0.07139360, 0.09981926),
    (0.13345652, 0.09738311),
    (0.01228676, 0.08038075),
    (0.05100182, 0.05197894),
    (0.05891072, 0.07600602),
    (0.04596918, 0.03976134),
    (0.13801358, 0.14839828),
]


@pytest.mark.parametrize(("row", "errors"), list(zip(TWO_READER_TABLES, ERRORS)))
def test_the_standard_errors_of_kappa_equal_those_published(row, errors):
    assert cohen_errors(np.array(row[0])) == pytest.approx(errors, abs=1e-7)


def test_the_standard_error_of_weighted_kappa_equals_cohen_1968_and_sas():
    weights = np.array([[0, 1, 3], [1, 0, 6], [3, 6, 0]])
    errors = cohen_errors(np.array(TWO_READER_TABLES[6][0]), weights)
    assert errors == pytest.approx((0.07550401525482295, 0.059719993559526126), abs=1e-9)
    assert cohen_errors(np.array(TWO_READER_TABLES[9][0]), "linear")[0] == pytest.approx(0.1457, abs=5e-5)


def test_the_interval_of_kappa_lies_around_it_and_perfect_agreement_is_not_certain():
    found = kappa_interval(np.array(TWO_READER_TABLES[3][0]))
    assert found.value - 2.6 * 0.0714 < found.low < found.value < found.high < found.value + 2.6 * 0.0714
    perfect = kappa_interval(np.diag([20, 20]))
    assert (perfect.value, perfect.high) == (1.0, 1.0)
    assert 0.7 < perfect.low < 0.9


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


# Fleiss 1971, table 1: 30 patients, 6 psychiatrists; depression, personality disorder, schizophrenia, neurosis, other
FLEISS = counted("""
0 0 0 6 0/0 3 0 0 3/0 1 4 0 1/0 0 0 0 6/0 3 0 3 0/2 0 4 0 0/0 0 4 0 2/2 0 3 1 0/2 0 0 4 0/0 0 0 0 6/1 0 0 5 0
1 1 0 4 0/0 3 3 0 0/1 0 0 5 0/0 2 0 3 1/0 0 5 0 1/3 0 0 1 2/5 1 0 0 0/0 2 0 4 0/1 0 2 0 3/0 0 0 0 6/0 1 0 5 0
0 2 0 1 3/2 0 0 4 0/1 0 0 4 1/0 5 0 1 0/4 0 0 0 2/0 2 0 4 0/1 0 5 0 0/0 0 0 0 6""")
# 10 items, 14 readers, 5 labels: the example of Wikipedia's article on Fleiss' kappa
WIKIPEDIA = counted("""
0 0 0 0 14/0 2 6 4 2/0 0 3 5 6/0 3 9 2 0/2 2 8 1 1/7 7 0 0 0/3 2 6 3 0/2 5 3 2 2/6 5 2 1 0/0 2 2 3 7""")
# irrCAC 0.4.4 on three tables: AC, Fleiss, Krippendorff, Conger, Brennan-Prediger under each set of weights
IRRCAC = {
    ("C", None): (0.775444, 0.761169, 0.743421, 0.762067, 0.772727),
    ("C", "linear"): (0.858739, 0.817945, 0.800384, 0.813137, 0.848485),
    ("C", "quadratic"): (0.914001, 0.864935, 0.849107, 0.857168, 0.901515),
    ("C", "ordinal"): (0.89894, 0.850206, 0.833638, 0.843082, 0.886364),
    ("C of Gwet", None): (0.775444, 0.761169, 0.743421, 0.762817, 0.772727),
    ("C of Gwet", "linear"): (0.858739, 0.817945, 0.800384, 0.813776, 0.848485),
    ("C of Gwet", "quadratic"): (0.914001, 0.864935, 0.849107, 0.857711, 0.901515),
    ("C of Gwet", "ordinal"): (0.89894, 0.850206, 0.833638, 0.84366, 0.886364),
    ("Fleiss", None): (0.447885, 0.430245, 0.43341, 0.441809, 0.444444),
    ("Fleiss", "linear"): (0.385474, 0.327938, 0.331671, 0.356903, 0.3625),
    ("Fleiss", "quadratic"): (0.380228, 0.284072, 0.28805, 0.325849, 0.333889),
    ("Fleiss", "ordinal"): (0.381689, 0.296779, 0.300686, 0.334742, 0.342063),
}


def test_fleiss_1971_gives_its_published_kappa_and_that_of_each_class():
    assert percent_agreement(FLEISS) == pytest.approx(0.5555555556, abs=1e-9)
    assert fleiss_kappa(FLEISS) == pytest.approx(0.43024452006, abs=1e-9)
    assert fleiss_error(FLEISS) == pytest.approx(0.0243739, abs=1e-7)
    assert fleiss_kappa(FLEISS) / fleiss_error(FLEISS) == pytest.approx(17.65183, abs=1e-5)
    assert krippendorff_alpha(FLEISS) == pytest.approx(0.43340982828, abs=1e-9)
    assert conger_kappa(FLEISS) == pytest.approx(0.44180854, abs=1e-8)
    assert gwet_ac(FLEISS) == pytest.approx(0.447885, abs=1e-6)
    assert brennan_prediger(FLEISS) == pytest.approx(0.44444444, abs=1e-8)
    assert fleiss_per_class(FLEISS, 5) == pytest.approx([0.2448, 0.2448, 0.52, 0.4711, 0.5661], abs=5e-5)


@pytest.mark.parametrize(("data", "weights"), IRRCAC)
def test_every_coefficient_equals_irrcac_under_every_weights(data, weights):
    c_of_gwet = KRIPPENDORFF_C.copy()
    c_of_gwet[11, 1:3] = c_of_gwet[11, 2:0:-1]
    codes = {"C": KRIPPENDORFF_C, "C of Gwet": c_of_gwet, "Fleiss": FLEISS}[data]
    alpha = weighted_alpha(codes, weights)
    found = gwet_ac(codes, weights), generalised_fleiss_kappa(codes, weights), alpha
    found += conger_kappa(codes, weights), brennan_prediger(codes, weights)
    assert found == pytest.approx(IRRCAC[data, weights], abs=1e-6)


def test_the_jackknife_error_of_ac1_is_near_gwets_own_where_no_read_is_missing():
    found, frequencies = patterns(label_counts(FLEISS))
    assert standard_error(figures.gwet(found), frequencies) == pytest.approx(0.055662, rel=0.01)


def test_the_anxiety_ratings_give_the_published_fleiss_and_conger():
    assert fleiss_kappa(ANXIETY) == pytest.approx(-0.04107648725, abs=1e-9)
    assert conger_kappa(ANXIETY) == pytest.approx(-0.0187110187, abs=1e-9)


def test_ben_and_gerry_with_one_read_missing():
    # Krippendorff 2011 B without Gerry's unit 10: .665, .661 and .649 as printed by irrCAC
    codes = ALPHAS["2011 B"][0].copy()
    codes[9, 1] = -1
    found = krippendorff_alpha(codes), gwet_ac(codes), generalised_fleiss_kappa(codes)
    assert found == pytest.approx((0.665, 0.661, 0.649), abs=5e-4)
    assert np.isnan(fleiss_kappa(codes))


def test_counts_of_many_readers_give_the_published_figures_of_wikipedia():
    codes = WIKIPEDIA
    assert fleiss_kappa(codes) == pytest.approx(0.20993070442, abs=1e-9)
    assert fleiss_per_class(codes, 5) == pytest.approx([0.2013, 0.0797, 0.1716, 0.0304, 0.5077], abs=5e-5)
    assert krippendorff_alpha(codes) == pytest.approx(0.21557405653, abs=1e-9)
    assert percent_agreement(codes) == pytest.approx(0.378021978, abs=1e-9)


def test_pairs_have_their_own_number_of_items():
    found = [(p.n, p.agreement, p.kappa.value) for p in pairwise(from_codes(KRIPPENDORFF_C, "12345"))]
    expected = [(9, 0.888889, 0.844828), (8, 0.625, 0.478261), (9, 0.888889, 0.85)]
    expected += [(9, 0.666667, 0.542373), (10, 0.9, 0.870130), (10, 0.7, 0.615385)]
    assert found == [pytest.approx(row, abs=1e-6) for row in expected]


def test_alpha_of_each_class_against_the_rest():
    expected = [0.7204301, 0.6666667, 0.74, 0.7771429, 1.0]
    assert alpha_per_class(KRIPPENDORFF_C, 5) == pytest.approx(expected, abs=1e-6)
    assert gwet_ac(KRIPPENDORFF_C) == pytest.approx(0.775444, abs=1e-6)


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


CODES = st.tuples(st.integers(1, 12), st.integers(1, 4)).flatmap(
    lambda shape: hnp.arrays(np.int64, shape, elements=st.integers(-1, 3))
)


@settings(max_examples=150, deadline=None)
@given(CODES)
def test_every_coefficient_equals_its_definition_in_plain_loops(codes):
    units = plain.units_of(codes)
    for found, expected in (
        (percent_agreement(codes), plain.percent(units)),
        (generalised_fleiss_kappa(codes), plain.fleiss(units)),
        (gwet_ac(codes), plain.gwet(units)),
        (brennan_prediger(codes), plain.brennan_prediger(units)),
        (conger_kappa(codes), plain.conger(codes)),
        (krippendorff_alpha(codes), plain.alpha(units, plain.nominal)),
        (krippendorff_alpha(codes, "ordinal"), plain.alpha(units, plain.ordinal)),
        (krippendorff_alpha(codes, "interval"), plain.alpha(units, plain.interval)),
        (krippendorff_alpha(codes, "ratio"), plain.alpha(units, plain.ratio)),
        (cohen_kappa(codes[:, 0], codes[:, -1]), plain.cohen(codes[:, 0], codes[:, -1])),
        (scott_pi(codes[:, 0], codes[:, -1]), plain.scott(codes[:, 0], codes[:, -1])),
    ):
        assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(CODES, st.sampled_from(["linear", "quadratic", "ordinal"]))
def test_weighted_coefficients_equal_their_definition_in_plain_loops(codes, weights):
    units, matrix = plain.units_of(codes), agreement_weights(4, weights)

    def weight(a: int, b: int) -> float:
        return matrix[a, b]

    for found, expected in (
        (generalised_fleiss_kappa(codes, matrix), plain.fleiss(units, weight)),
        (gwet_ac(codes, matrix), plain.gwet(units, weight)),
        (brennan_prediger(codes, matrix), plain.brennan_prediger(units, weight)),
        (conger_kappa(codes, matrix), plain.conger(codes, weight)),
    ):
        assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_confusion_counts_what_one_says_where_the_other_says_something():
    a, b = two_readers(TWO_READER_TABLES[6][0])
    assert confusion(a, b).tolist() == TWO_READER_TABLES[6][0]
    assert confusion(np.array([0, -1, 1]), np.array([1, 1, -1]), 2).tolist() == [[0, 1], [0, 0]]


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
    kappas = [pair.kappa.value for pair in pairwise(table)]
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
    assert gwet_ac(codes) == pytest.approx(fleiss["gwet_ac1"], abs=1e-6)
    assert fleiss_kappa(codes) == pytest.approx(fleiss["kappa"], abs=1e-9)
    assert conger_kappa(codes) == pytest.approx(fleiss["conger_exact"], abs=1e-8)


@pytest.mark.shared_data
def test_the_observers_of_dawid_and_skene_agree_as_computed(shared_data):
    table = read_csv(shared_data / "06_multirater_tables" / "anesthesia_5raters.csv")
    assert krippendorff_alpha(table.codes) == pytest.approx(0.5842911877394636, abs=1e-9)
    assert krippendorff_alpha(table.codes, "ordinal") == pytest.approx(0.8118922563970095, abs=1e-9)
