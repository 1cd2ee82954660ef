import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labeling.agreement.dawid_skene import consensus, labels_of, latent_classes
from labeling.agreement.table import ReadTable, from_codes, from_long, read_csv
from tests.labeling.anaesthetists import anaesthetists

# The likeliest grade of each patient under the published fit
LABELS = "142222132243121111222222112111131224233111212"


def plain(table: ReadTable, rounds: int) -> float:
    """Log-likelihood after some rounds from vote shares, in loops over votes."""
    codes, again = table.codes, table.again
    votes = [[(a, int(k)) for a, k in enumerate(row) if k >= 0] for row in codes]
    for item, annotator, code in zip(again.items, again.annotators, again.codes):
        votes[item].append((int(annotator), int(code)))
    votes, size = [vote for vote in votes if vote], len(table.labels)
    posterior = [[sum(k == label for _, k in vote) / len(vote) for label in range(size)] for vote in votes]
    for _ in range(rounds):
        prevalence = [sum(p[k] for p in posterior) / len(posterior) for k in range(size)]
        given: dict[tuple[int, int, int], float] = {}
        total: dict[tuple[int, int], float] = {}
        for vote, p in zip(votes, posterior):
            for annotator, said in vote:
                for k in range(size):
                    given[annotator, k, said] = given.get((annotator, k, said), 0.0) + p[k]
                    total[annotator, k] = total.get((annotator, k), 0.0) + p[k]
        likelihood, posterior = 0.0, []
        for vote in votes:
            joint = [
                prevalence[k] * math.prod(given[a, k, said] / (total[a, k] or 1.0) for a, said in vote)
                for k in range(size)
            ]
            likelihood += math.log(sum(joint))
            posterior.append([value / sum(joint) for value in joint])
    return likelihood


def test_the_published_fit_of_1979_is_reproduced():
    fit = consensus(anaesthetists(), restarts=0).fit
    assert fit.log_likelihood == pytest.approx(-192.89088121421844, abs=1e-6)
    assert fit.prevalence == pytest.approx([0.399555, 0.421983, 0.111795, 0.066667], abs=1e-6)
    first = [[0.8895, 0.1105, 0, 0], [0.0706, 0.8764, 0.0530, 0], [0, 0.3388, 0.6612, 0], [0, 0, 0.5556, 0.4444]]
    assert fit.confusion[0] == pytest.approx(np.array(first), abs=5e-5)
    assert fit.posterior[6] == pytest.approx([0.981, 0.019, 0, 0], abs=5e-4)
    assert "".join(str(label + 1) for label in labels_of(fit)) == LABELS


def test_restarts_tell_of_a_more_likely_maximum_and_replace_nothing():
    found = consensus(anaesthetists())
    assert found.fit.log_likelihood == pytest.approx(-192.890881, abs=1e-6)
    assert found.best_log_likelihood == pytest.approx(-191.568856, abs=1e-4)
    assert found.would_change == (("12", "3", "2"),)
    assert consensus(anaesthetists()).would_change == found.would_change


@settings(max_examples=40, deadline=None)
@given(hnp.arrays(np.int64, (8, 3), elements=st.integers(-1, 2)), st.lists(st.integers(0, 2), max_size=4))
def test_the_likelihood_equals_that_of_plain_loops(codes, repeats):
    rows = [(str(i), str(a), str(k)) for i, row in enumerate(codes) for a, k in enumerate(row) if k >= 0]
    rows += [(*rows[0][:2], str(k)) for k in repeats] if rows else []
    table = from_long(rows)
    fit = consensus(table, restarts=0).fit
    if fit is not None:
        assert fit.log_likelihood == pytest.approx(plain(table, fit.rounds), abs=1e-8)
        assert fit.posterior.sum(axis=1) == pytest.approx(np.ones(len(table.items)))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([("i", "a", "x"), ("i", "b", "y")], "not identifiable: 2 annotators"),
        ([("i", "a", "x"), ("j", "b", "y"), ("k", "c", "x")], "no crop was read by two"),
        ([("i", "a", "x"), ("i", "b", "x"), ("i", "c", "x")], "only one label"),
        ([], "not identifiable: 0 annotators"),
    ],
)
def test_a_table_that_does_not_identify_the_model_is_refused_with_the_reason(rows, reason):
    found = consensus(from_long(rows))
    assert found.fit is None
    assert reason in found.reason


def test_who_shares_few_items_with_others_is_named():
    rows = [(str(i), a, "xy"[i % 2]) for i in range(40) for a in "abc"] + [("0", "dora", "x"), ("99", "dora", "x")]
    found = consensus(from_long(rows), restarts=0)
    assert found.fit is not None
    assert found.reason == "fewer than 30 items shared with others: dora (1)"


def test_an_item_without_reads_has_no_posterior():
    fit = consensus(from_codes(np.array([[0, 0, 1], [1, 1, 1], [-1, -1, -1]]), "xy")).fit
    assert np.isnan(fit.posterior[2]).all()
    assert labels_of(fit)[2] == -1


def test_certain_readers_of_many_items_do_not_underflow():
    codes = np.repeat(np.array([[0] * 40, [1] * 40]), 500, axis=0)
    codes[0, 0] = 1
    fit = consensus(from_codes(codes, "xy"), restarts=2).fit
    assert np.isfinite(fit.log_likelihood)
    assert fit.prevalence == pytest.approx([0.5, 0.5])


@pytest.mark.shared_data
def test_the_reference_tables_give_the_expected_fits(shared_data):
    folder = shared_data / "06_multirater_tables"
    expected = json.loads((folder / "expected.json").read_text())
    anesthesia = consensus(read_csv(folder / "anesthesia_5raters.csv")).fit
    wanted = expected["anesthesia_5raters"]["computed"]
    assert anesthesia.log_likelihood == pytest.approx(wanted["loglik"], abs=1e-6)
    assert anesthesia.prevalence == pytest.approx(wanted["class_prior"], abs=1e-6)
    assert anesthesia.confusion[0] == pytest.approx(np.array(wanted["rater1_error_rates"]), abs=1e-5)
    experts = consensus(read_csv(folder / "amibr_atypical_3experts.csv")).fit
    amibr = expected["amibr_atypical_3experts"]["computed_dawid_skene"]
    assert experts.prevalence == pytest.approx([amibr["prior"][name] for name in ("atypical", "normal")], abs=1e-5)
    for found, name in zip(experts.confusion, ("expert1", "expert2", "expert3")):
        assert found == pytest.approx(np.array(amibr["conf_rows_true_cols_given"][name]), abs=1e-4)


@pytest.mark.shared_data
@pytest.mark.parametrize(("classes", "key"), [(2, "loglik_2_classes"), (3, "loglik_3_classes")])
def test_the_latent_classes_of_the_carcinoma_slides_are_as_published(shared_data, classes, key):
    folder = shared_data / "06_multirater_tables"
    expected = json.loads((folder / "expected.json").read_text())["carcinoma_7pathologists"]
    fit = latent_classes(read_csv(folder / "carcinoma_7pathologists.csv"), classes)
    assert fit.log_likelihood == pytest.approx(expected["published"][key], abs=1e-4)
    assert fit.log_likelihood == pytest.approx(expected["computed"][key], abs=1e-6)
