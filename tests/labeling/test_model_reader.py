"""A model among the readers: the test's parts against a plain writing, and what must follow."""

import numpy as np
import pytest
from scipy import stats

from labeling.agreement.model_reader import MARGIN, model_beside
from labeling.agreement.table import from_codes, from_long

LABELS = ("G1", "S", "G2")


def _said(right, truth, rng, missing=0.0):
    said = np.where(rng.random(len(truth)) < right, truth, rng.integers(0, len(LABELS), len(truth)))
    return np.where(rng.random(len(truth)) < missing, -1, said)


def _study(model=0.9, readers=(0.85, 0.85, 0.85), items=300, missing=0.0, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(LABELS), items)
    codes = np.stack([_said(right, truth, rng, missing) for right in readers], axis=1)
    return from_codes(codes, LABELS), _said(model, truth, rng)


def _plain_duels(codes, predicted, place):
    """Wins and holds item by item, as the paper defines them."""
    wins, holds = [], []
    for row, guess in zip(codes, predicted):
        others = [label for at, label in enumerate(row) if at != place and label >= 0]
        if row[place] < 0 or not others or guess < 0:
            continue
        of_model = np.mean([label == guess for label in others])
        of_reader = np.mean([label == row[place] for label in others])
        wins.append(of_model >= of_reader)
        holds.append(of_reader >= of_model)
    return np.array(wins, float), np.array(holds, float)


def test_wins_and_p_are_those_of_the_paper():
    table, predicted = _study(missing=0.2)
    found = model_beside(table, predicted)
    for place, one in enumerate(found.against):
        wins, holds = _plain_duels(table.codes, predicted, place)
        assert one.wins == pytest.approx(wins.mean())
        assert one.holds == pytest.approx(holds.mean())
        expected = stats.ttest_1samp(holds - wins, MARGIN, alternative="less").pvalue
        assert one.p == pytest.approx(expected)


def test_which_readers_it_could_replace_is_corrected_for_several_tests():
    table, predicted = _study(model=0.6, readers=(0.9, 0.85, 0.75, 0.6, 0.5), items=120)
    found = model_beside(table, predicted)
    p = np.array([one.p for one in found.against])
    kept = stats.false_discovery_control(p, method="by") <= 0.05
    assert [one.replaces for one in found.against] == kept.tolist()


def test_a_good_model_passes_and_a_guessing_one_does_not():
    assert model_beside(*_study(model=0.95)).passes is True
    assert model_beside(*_study(model=0.0)).passes is False


def test_a_model_that_copies_a_reader_agrees_with_them_wholly():
    table, _ = _study()
    found = model_beside(table, table.codes[:, 1])
    assert found.against[1].kappa.value == 1.0
    assert found.against[1].model_with_others == found.against[1].annotator_with_others


def test_more_right_is_never_less_agreement():
    advantages = [
        np.mean([model_beside(*_study(model=right, seed=seed)).advantage for seed in range(5)])
        for right in (0.2, 0.5, 0.8, 1.0)
    ]
    assert advantages == sorted(advantages)


def test_alpha_with_and_without_the_model_is_over_the_same_items():
    table, predicted = _study(items=200)
    predicted[:100] = -1
    found = model_beside(table, predicted)
    assert found.without.n == found.with_model.n == 100


def test_a_perfect_model_lifts_alpha_and_a_guessing_one_lowers_it():
    good, bad = model_beside(*_study(model=1.0)), model_beside(*_study(model=0.0))
    assert good.with_model.value > good.without.value
    assert bad.with_model.value < bad.without.value


def test_not_sure_reads_are_missing_and_predictions_follow_the_labels():
    rows = [
        (str(i), name, label) for i in range(40) for name, label in (("x", "S"), ("y", "not_sure" if i % 4 else "G1"))
    ]
    table = from_long(rows)
    predicted = np.full(40, table.labels.index("S"))
    found = {one.annotator: one for one in model_beside(table, predicted).against}
    assert found["x"].n == 40
    assert found["y"].n == 10
    assert found["y"].kappa.value is None or found["y"].kappa.value <= 0


def test_too_few_items_are_not_tested():
    found = model_beside(*_study(items=20))
    assert found.winning_rate is None
    assert found.passes is None
    assert all(np.isnan(one.p) for one in found.against)


def test_one_reader_has_nobody_to_be_compared_with():
    table, predicted = _study(readers=(0.8,))
    found = model_beside(table, predicted)
    assert found.winning_rate is None
    assert found.against[0].n == 300
    assert found.against[0].n_others == 0


def test_the_ceiling_is_the_mean_of_the_highest_chance():
    table, predicted = _study(items=2)
    assert model_beside(table, predicted, np.array([[0.5, 0.3, 0.2], [0.1, 0.9, 0.0]])).ceiling == pytest.approx(0.7)


def test_as_many_predictions_as_items_are_needed():
    table, predicted = _study()
    with pytest.raises(ValueError, match="300 items need as many predictions, got 299"):
        model_beside(table, predicted[:-1])
