"""The interval over readers and items: its sums are those of alpha, and it covers where readers are a sample."""

import numpy as np
import pytest

from labeling.agreement import other_readers
from labeling.agreement.coefficients import krippendorff_alpha
from labeling.agreement.intervals import alpha_interval
from labeling.agreement.other_readers import alpha_of_pairs, alpha_over_readers, alphas_drawn
from labeling.agreement.table import from_codes

LABELS = ("a", "b", "c")


def _study(seed: int, readers: int = 8, items: int = 80, spread: float = 0.1, missing: float = 0.0):
    """Readers drawn from a population that differs in skill."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, items)
    skill = np.clip(rng.normal(0.8, spread, readers), 0.0, 1.0)
    codes = np.where(rng.random((items, readers)) < skill, truth[:, None], rng.integers(0, 3, (items, readers)))
    codes[rng.random(codes.shape) < missing] = -1
    return from_codes(codes, LABELS)


@pytest.mark.parametrize("seed", range(5))
def test_with_everybody_once_the_sums_are_alpha(seed):
    table = _study(seed, missing=0.3)
    assert alpha_of_pairs(table) == pytest.approx(krippendorff_alpha(table.codes), abs=1e-12)


def test_a_draw_equals_alpha_of_the_readers_and_items_written_out():
    """Readers drawn once each, items several times: the same as a table with those rows repeated."""
    table = _study(0, readers=4, items=30, missing=0.2)
    rng = np.random.default_rng(1)
    times = rng.multinomial(30, np.full(30, 1 / 30))

    summed = (table.codes[:, None, :] == np.arange(3)[None, :, None]).sum(axis=2).astype(float)[:, :, None]
    ours = other_readers._alphas(summed, summed, times[:, None].astype(float))[0]
    assert ours == pytest.approx(krippendorff_alpha(np.repeat(table.codes, times, axis=0)), abs=1e-12)


def test_a_reader_drawn_twice_is_not_held_against_themselves():
    """Were a copy of a reader taken for another one, the mean of the draws would lie far above alpha."""
    table = _study(3, readers=6, items=400, spread=0.0)
    value = krippendorff_alpha(table.codes)
    assert np.nanmean(alphas_drawn(table, 400)) == pytest.approx(value, abs=0.02)


def test_it_is_never_narrower_than_the_interval_over_items():
    for seed in range(10):
        table = _study(seed, missing=0.2)
        over, fixed = alpha_over_readers(table, 300), alpha_interval(table)
        assert over.value == fixed.value
        assert over.low <= fixed.low and over.high >= fixed.high


def test_it_covers_the_alpha_of_the_population_where_the_usual_one_does_not():
    target = krippendorff_alpha(_study(99, readers=300, items=4000, spread=0.15).codes)
    ours, usual = 0, 0
    for seed in range(150):
        table = _study(seed, readers=7, items=200, spread=0.15)
        over, fixed = alpha_over_readers(table, 300), alpha_interval(table)
        ours += over.low <= target <= over.high
        usual += fixed.low <= target <= fixed.high
    assert ours / 150 >= 0.9
    assert usual < ours


def test_fewer_than_five_readers_have_no_such_interval():
    found = alpha_over_readers(_study(0, readers=4))
    assert found.low is None
    assert "4 readers say little about others" in found.reason


def test_full_agreement_and_no_overlap_have_their_reasons():
    same = from_codes(np.repeat(np.arange(40)[:, None] % 3, 6, axis=1), LABELS)
    assert alpha_over_readers(same).reason.startswith("too little disagreement")
    alone = from_codes(np.where(np.eye(6, dtype=bool), 0, -1), LABELS)
    assert alpha_over_readers(alone).value is None


def test_the_draws_depend_on_the_seed_alone():
    table = _study(0)
    assert (alphas_drawn(table, 50, seed=1) == alphas_drawn(table, 50, seed=1)).all()
    assert (alphas_drawn(table, 50, seed=1) != alphas_drawn(table, 50, seed=2)).any()
