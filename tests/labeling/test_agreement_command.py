import csv
import json
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from django.core.management import call_command

from tests.factories import answer

pytestmark = pytest.mark.django_db


@pytest.fixture
def expected(shared_data):
    return json.loads((shared_data / "06_multirater_tables" / "expected.json").read_text())


def answered(capsys, path: Path, *options: str) -> dict:
    call_command("agreement", "--table", str(path), "--json", *options)
    return json.loads(capsys.readouterr().out)


def written(path: Path, rows) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("item", "annotator", "label"), *rows])
    return path


@pytest.mark.shared_data
def test_seven_pathologists_on_carcinoma_slides(capsys, shared_data, expected):
    found = answered(capsys, shared_data / "06_multirater_tables" / "carcinoma_7pathologists.csv")
    wanted = expected["carcinoma_7pathologists"]
    kappas = [pair["kappa"] for pair in found["pairwise"]]
    assert (found["n_items"], found["n_annotators"]) == (wanted["items"], wanted["annotators"])
    assert found["fleiss_kappa"]["value"] == pytest.approx(wanted["fleiss_kappa"], abs=1e-9)
    assert found["alpha_nominal"]["value"] == pytest.approx(wanted["krippendorff_alpha_nominal"], abs=1e-9)
    span = wanted["mean_pairwise_cohen"], wanted["min_pairwise_cohen"], wanted["max_pairwise_cohen"]
    assert (np.mean(kappas), min(kappas), max(kappas)) == pytest.approx(span, abs=1e-9)
    likelihood = wanted["computed"]["ds_loglik_majority_start"]
    assert found["dawid_skene"]["log_likelihood"] == pytest.approx(likelihood, abs=1e-6)
    prior = [found["dawid_skene"]["prevalence"][label] for label in ("no", "yes")]
    assert prior == pytest.approx(wanted["computed"]["ds_prior_no_yes"], abs=1e-5)


@pytest.mark.shared_data
def test_five_anaesthetists_one_of_whom_read_thrice(capsys, shared_data, expected):
    found = answered(capsys, shared_data / "06_multirater_tables" / "anesthesia_5raters.csv", "--order", "1,2,3,4")
    wanted = expected["anesthesia_5raters"]["computed"]
    assert found["dawid_skene"]["log_likelihood"] == pytest.approx(wanted["loglik"], abs=1e-6)
    assert list(found["dawid_skene"]["prevalence"].values()) == pytest.approx(wanted["class_prior"], abs=1e-6)
    assert found["alpha_ordinal"]["value"] == pytest.approx(0.8118922563970095, abs=1e-9)
    assert list(found["intra"]) == ["1"]


@pytest.mark.shared_data
def test_four_observers_with_missing_reads(capsys, shared_data, expected):
    found = answered(capsys, shared_data / "06_multirater_tables" / "krippendorff_4observers.csv")
    for key, value in expected["krippendorff_4observers"]["computed"].items():
        assert found[key]["value"] == pytest.approx(value, abs=1e-9)


@pytest.mark.shared_data
@pytest.mark.parametrize("name", ["amibr_atypical_3experts", "amibr_subclass8_2experts"])
def test_experts_on_mitotic_figures(capsys, shared_data, expected, name):
    found = answered(capsys, shared_data / "06_multirater_tables" / f"{name}.csv")
    wanted = expected[name]
    assert found["alpha_nominal"]["value"] == pytest.approx(wanted["krippendorff_alpha_nominal"], abs=1e-9)
    kappas = [pair["kappa"] for pair in found["pairwise"]]
    if name == "amibr_subclass8_2experts":
        assert kappas == pytest.approx([wanted["cohen_kappa"]], abs=1e-9)
        assert found["percent_agreement"] == pytest.approx(wanted["percent_agreement"], abs=1e-9)
        assert "not identifiable" in found["dawid_skene"]["reason"]
    else:
        assert kappas == pytest.approx([wanted["cohen"][pair] for pair in ("1-2", "1-3", "2-3")], abs=1e-9)
        assert found["fleiss_kappa"]["value"] == pytest.approx(wanted["fleiss_kappa"], abs=1e-9)
        assert found["dawid_skene"]["prevalence"] == pytest.approx(wanted["computed_dawid_skene"]["prior"], abs=1e-5)


@pytest.mark.shared_data
def test_counts_of_six_readers(capsys, shared_data, expected, tmp_path):
    with (shared_data / "06_multirater_tables" / "irrCAC_distrib.6raters.csv").open(encoding="utf-8") as stream:
        header, *rows = list(csv.reader(stream))
    said = {row[0]: chain.from_iterable([name] * int(n) for name, n in zip(header[1:], row[1:])) for row in rows}
    reads = [(item, str(a), label) for item, labels in said.items() for a, label in enumerate(labels)]
    found, wanted = answered(capsys, written(tmp_path / "t.csv", reads)), expected["irrCAC_distrib.6raters"]
    for key, name in (
        ("fleiss_kappa", "fleiss_kappa"),
        ("alpha_nominal", "krippendorff_alpha"),
        ("gwet_ac1", "gwet_ac1"),
        ("brennan_prediger", "brennan_prediger"),
    ):
        assert found[key]["value"] == pytest.approx(wanted["published"][name], abs=1e-6)
    assert found["percent_agreement"] == pytest.approx(wanted["published"]["percent_agreement"], abs=1e-6)


@pytest.mark.shared_data
def test_the_table_of_two_abstractors(capsys, shared_data, expected, tmp_path):
    with (shared_data / "06_multirater_tables" / "irrCAC_cont3x3abstractors.csv").open(encoding="utf-8") as stream:
        header, *rows = list(csv.reader(stream))
    pairs = [(row[0], other) for row in rows for other, n in zip(header[1:], row[1:]) for _ in range(int(n))]
    reads = [(str(i), str(a), label) for i, pair in enumerate(pairs) for a, label in enumerate(pair)]
    found = answered(capsys, written(tmp_path / "t.csv", reads))
    wanted = expected["irrCAC_cont3x3abstractors"]["published"]
    assert found["pairwise"][0]["kappa"] == pytest.approx(wanted["cohen_kappa"], abs=1e-6)
    assert found["fleiss_kappa"]["value"] == pytest.approx(wanted["scott_pi"], abs=1e-6)
    assert found["gwet_ac1"]["value"] == pytest.approx(wanted["gwet_ac1"], abs=1e-6)
    assert found["alpha_nominal"]["value"] == pytest.approx(wanted["krippendorff_alpha"], abs=1e-6)
    assert found["percent_agreement"] == pytest.approx(wanted["percent_agreement"], abs=1e-6)


def test_an_order_may_hold_labels_with_commas(capsys, tmp_path):
    rows = [("1", "a", "low, early"), ("1", "b", "high"), ("2", "a", "high"), ("2", "b", "high")]
    found = answered(capsys, written(tmp_path / "t.csv", rows), "--order", '"low, early",high')
    assert found["alpha_ordinal"]["value"] == pytest.approx(0.0)


def test_a_study_is_reported_with_the_consensus_model_and_its_order(room, capsys):
    for reader, labels in ((room.bob, ("disc", "ring", "disc")), (room.dora, ("disc", "ring", "ring"))):
        for crop, label in zip(room.crops, labels):
            answer(room.study, reader, crop, label)
    call_command("agreement", str(room.study.pk), "--json", "--order", "disc,ring")
    found = json.loads(capsys.readouterr().out)
    assert found["n_shared"] == 3
    assert found["alpha_ordinal"]["value"] == pytest.approx(found["alpha_nominal"]["value"])
    assert "not identifiable" in found["dawid_skene"]["reason"]
    assert found["suspects"] == []
