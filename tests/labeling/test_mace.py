"""The model of readers who know or guess: it finds who guesses, and equals a plain writing of its formulas."""

import numpy as np
import pytest

from labeling.agreement.dawid_skene import consensus
from labeling.agreement.mace import mace
from labeling.agreement.table import from_codes, from_long


def _table(competence, items=300, classes=3, missing=0.0, seed=0):
    """Readers who copy the truth with their competence and else say label 0 half of the time."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    habit = np.full(classes, 0.5 / (classes - 1))
    habit[0] = 0.5
    columns = [
        np.where(rng.random(items) < share, truth, rng.choice(classes, items, p=habit)) for share in competence
    ]
    codes = np.stack(columns, axis=1)
    codes[rng.random(codes.shape) < missing] = -1
    return truth, from_codes(codes, [str(k) for k in range(classes)])


def test_competence_is_recovered():
    wanted = [0.95, 0.8, 0.6, 0.3, 0.0]
    _, table = _table(wanted, items=3000)
    np.testing.assert_allclose(mace(table).competence, wanted, atol=0.05)


def test_who_guesses_is_last_and_their_habit_is_named():
    _, table = _table([0.9, 0.85, 0.0, 0.8], items=600, missing=0.3)
    found = mace(table)
    assert found.competence.argmin() == 2
    assert found.competence[2] < 0.2
    assert found.habit[2].argmax() == 0


def test_the_truth_is_found_where_most_readers_guess():
    truth, table = _table([0.9, 0.85, 0.02, 0.02, 0.02], items=500)
    votes = np.array([np.bincount(row, minlength=3).argmax() for row in table.codes])
    ours = mace(table).posterior.argmax(axis=1)
    assert (ours == truth).mean() > (votes == truth).mean() + 0.1


def _likelihood(table, competence, habit):
    """The log-likelihood item by item and read by read, as the paper writes it."""
    total = 0.0
    for row in table.codes:
        chances = []
        for k in range(len(table.labels)):
            chance = 1.0 / len(table.labels)
            for annotator, label in enumerate(row):
                if label >= 0:
                    guess = (1 - competence[annotator]) * habit[annotator, label]
                    chance *= competence[annotator] * (label == k) + guess
            chances.append(chance)
        if (row >= 0).any():
            total += np.log(sum(chances))
    return total


def test_the_likelihood_is_that_of_the_plain_formula_and_no_nearby_point_is_likelier():
    _, table = _table([0.9, 0.6, 0.2], items=60, missing=0.2)
    found = mace(table, smoothing=0.0)
    best = _likelihood(table, found.competence, found.habit)
    assert found.log_likelihood == pytest.approx(best, abs=1e-4)
    for annotator in range(3):
        for step in (-0.02, 0.02):
            moved = found.competence.copy()
            moved[annotator] = np.clip(moved[annotator] + step, 0.0, 1.0)
            assert _likelihood(table, moved, found.habit) <= best + 1e-6


def test_agrees_with_dawid_and_skene_on_good_readers():
    _, table = _table([0.9, 0.85, 0.8, 0.9], items=300)
    fit = consensus(table).fit
    assert (mace(table).posterior.argmax(axis=1) == fit.posterior.argmax(axis=1)).mean() > 0.97


def test_the_order_of_readers_and_items_does_not_matter():
    _, table = _table([0.9, 0.5, 0.7], items=100, missing=0.2)
    turned = from_codes(table.codes[::-1, ::-1], table.labels)
    np.testing.assert_allclose(
        mace(turned, restarts=1).competence[::-1], mace(table, restarts=1).competence, atol=1e-6
    )


def test_not_sure_is_no_class_and_a_second_read_counts():
    rows = [("a", "x", "G1"), ("a", "y", "G1"), ("b", "x", "S"), ("b", "y", "not_sure"), ("a", "x", "G1")]
    found = mace(from_long([*rows, ("c", "x", "S"), ("c", "y", "S")]))
    assert found.posterior.shape == (3, 2)
    assert found.reason == ""


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([("a", "x", "G1"), ("b", "x", "S")], "needs 2 annotators; 1 gave"),
        ([("a", "x", "G1"), ("b", "y", "S")], "no item has reads from two"),
        ([("a", "x", "G1"), ("a", "y", "G1")], "only one label"),
        ([], "0 gave reads"),
    ],
)
def test_what_cannot_be_told_has_a_reason(rows, word):
    found = mace(from_long(rows))
    assert word in found.reason
    assert found.log_likelihood is None
