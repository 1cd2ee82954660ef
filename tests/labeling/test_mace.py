"""The model of competence, on reads that were made by it and on published ones."""

from pathlib import Path

import numpy as np
import pytest

from labeling.agreement.dawid_skene import consensus, labels_of
from labeling.agreement.mace import competence_intervals, competences
from labeling.agreement.table import from_codes, read_csv
from tests.labeling.agreement_columns import columns, noisy, report


def said(truth: np.ndarray, competence: list[float], habit: list[list[float]], seed: int) -> np.ndarray:
    """Reads that the model itself makes."""
    rng = np.random.default_rng(seed)
    looks = rng.random((len(truth), len(competence))) < np.array(competence)
    blind = np.stack([rng.choice(len(row), len(truth), p=row) for row in habit], axis=1)
    return np.where(looks, truth[:, None], blind)


def test_competence_and_habit_come_out_as_they_were_put_in() -> None:
    truth = np.random.default_rng(0).choice(3, 4000, p=[0.5, 0.3, 0.2])
    competence, habit = [0.95, 0.8, 0.5, 0.1], [[0.4, 0.3, 0.3]] * 3 + [[0.1, 0.1, 0.8]]
    found = competences(from_codes(said(truth, competence, habit, 1), ("a", "b", "c")))
    assert found.competence == pytest.approx(competence, abs=0.05)
    assert found.habit[3] == pytest.approx(habit[3], abs=0.05)
    assert found.prevalence == pytest.approx([0.5, 0.3, 0.2], abs=0.03)
    assert (found.posterior.argmax(axis=1) == truth).mean() > 0.95
    assert found.posterior.sum(axis=1) == pytest.approx(1.0)


def test_it_does_not_mind_the_order_of_readers_and_items() -> None:
    reads = noisy(np.tile([0, 1], 100), 0.85, 4, seed=2)
    reads[::3, 1] = -1
    rng = np.random.default_rng(3)
    items, readers = rng.permutation(200), rng.permutation(4)
    first = competences(from_codes(reads, ("a", "b")))
    second = competences(from_codes(reads[items][:, readers], ("a", "b")))
    assert second.competence == pytest.approx(first.competence[readers], abs=1e-4)
    assert second.posterior == pytest.approx(first.posterior[items], abs=1e-3)


def test_the_intervals_cover_the_competence_and_shrink_with_more_items() -> None:
    competence, covered, widths = [0.9, 0.8, 0.7, 0.6], 0, {}
    for items in (150, 600):
        wide = []
        for seed in range(15):
            truth = np.random.default_rng(seed).integers(0, 2, items)
            table = from_codes(said(truth, competence, [[0.5, 0.5]] * 4, 100 + seed), ("a", "b"))
            found = competence_intervals(table)
            covered += sum(one.low <= true <= one.high for one, true in zip(found, competence, strict=True))
            wide += [one.high - one.low for one in found]
        widths[items] = np.mean(wide)
    assert covered >= 0.88 * 120
    assert widths[600] < 0.7 * widths[150]


def test_one_who_always_says_the_same_has_no_competence() -> None:
    truth = np.random.default_rng(5).integers(0, 2, 300)
    reads = noisy(truth, 0.95, 4, seed=6)
    reads[:, 3] = 0
    readers = report(columns(reads))["readers"]
    spam = readers[3]["competence"]
    assert spam["value"] < 0.1 and spam["n"] == 300
    assert all(row["competence"]["low"] > spam["high"] for row in readers[:3])


def test_where_the_consensus_model_is_not_identifiable_neither_is_this() -> None:
    readers = report(columns(noisy(np.tile([0, 1], 50), 0.9, 2)))["readers"]
    assert all(row["competence"]["value"] is None and row["competence"]["reason"] for row in readers)


def test_on_published_reads_it_names_the_classes_that_dawid_and_skene_do(shared_data: Path) -> None:
    table = read_csv(shared_data / "06_multirater_tables" / "carcinoma_7pathologists.csv")
    fit = consensus(table).fit
    assert fit is not None
    assert (competences(table).posterior.argmax(axis=1) == labels_of(fit)).mean() > 0.9
