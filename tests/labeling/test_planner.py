"""The planner of studies of readers against formulas and simulations that are not its own."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from labeling.agreement import figures
from labeling.agreement.intervals import alpha_interval
from labeling.agreement.planner import GRID, Assumed, half_width, pattern_chances, plans
from labeling.agreement.table import from_codes
from tests.commands import call
from tests.factories import make_user

CASES = [((0.5, 0.5), 0.8), ((0.7, 0.2, 0.1), 0.85), ((0.9, 0.1), 0.93), ((0.3, 0.3, 0.2, 0.2), 0.6)]


@pytest.mark.parametrize(("shares", "agreement"), CASES)
@pytest.mark.parametrize("readers", [2, 3, 5])
def test_the_assumed_shares_and_agreement_are_what_the_simulated_readers_show(
    shares: tuple[float, ...], agreement: float, readers: int
) -> None:
    assumed = Assumed(shares, agreement)
    patterns, chances = pattern_chances(assumed, readers)
    assert chances.sum() == pytest.approx(1)
    assert (patterns.sum(axis=1) == readers).all()
    assert chances @ patterns / readers == pytest.approx(shares)
    assert figures.percent(patterns).value(chances * 1e9) == pytest.approx(agreement)
    assert figures.alpha(patterns).value(chances * 1e9) == pytest.approx(assumed.beyond_chance, abs=1e-6)
    assert figures.fleiss(patterns).value(chances * 1e9) == pytest.approx(assumed.beyond_chance, abs=1e-6)


@pytest.mark.parametrize(("shares", "agreement"), CASES)
@pytest.mark.parametrize("wanted", [0.05, 0.03])
def test_two_readers_per_cent_agreement_is_a_binomial_share(
    shares: tuple[float, ...], agreement: float, wanted: float
) -> None:
    (plan,) = plans(Assumed(shares, agreement), "percent", wanted, (2,))
    binomial = (1.96 / wanted) ** 2 * agreement * (1 - agreement)
    # With a handful of differing cases the plain formula is too narrow, and how many there are varies by a third.
    most = 1.35 if binomial * (1 - agreement) >= 15 else 1.6
    assert plan.cases is not None and 1.0 <= plan.cases / binomial <= most


@pytest.mark.parametrize("share", [0.5, 0.3, 0.15])
@pytest.mark.parametrize("kappa", [0.4, 0.6, 0.8])
def test_kappa_of_two_readers_and_two_classes_follows_donner_and_eliasziw(share: float, kappa: float) -> None:
    """Donner and Eliasziw 1992, doi 10.1002/sim.4780111109: the variance of kappa with equal margins."""
    spread = 2 * share * (1 - share)
    variance = (1 - kappa) * ((1 - kappa) * (1 - 2 * kappa) + kappa * (2 - kappa) / spread)
    chance = share**2 + (1 - share) ** 2
    (plan,) = plans(Assumed((share, 1 - share), chance + kappa * (1 - chance)), "kappa", 0.08, (2,))
    assert plan.cases is not None and 0.97 <= plan.cases / ((1.96 / 0.08) ** 2 * variance) <= 1.35


def test_four_in_five_studies_of_people_drawn_one_by_one_are_as_narrow_as_planned() -> None:
    assumed, wanted, readers = Assumed((0.6, 0.3, 0.1), 0.8), 0.1, 3
    (plan,) = plans(assumed, "alpha", wanted, (readers,))
    assert plan.cases is not None
    rng = np.random.default_rng(77)
    narrow, covered, studies = 0, 0, 150
    for _ in range(studies):
        truth = rng.choice(3, (plan.cases, 1), p=assumed.prevalence)
        guess = rng.choice(3, (plan.cases, readers), p=assumed.prevalence)
        knows = rng.random((plan.cases, readers)) < np.sqrt(assumed.beyond_chance)
        found = alpha_interval(from_codes(np.where(knows, truth, guess), "abc"))
        narrow += (found.high - found.low) / 2 <= wanted
        covered += found.low <= assumed.beyond_chance <= found.high
    assert 0.65 <= narrow / studies <= 0.95
    assert covered / studies > 0.9


def test_narrower_intervals_and_fewer_readers_never_need_fewer_cases() -> None:
    assumed = Assumed((0.7, 0.2, 0.1), 0.85)
    needed = [[row.cases for row in plans(assumed, "alpha", wanted)] for wanted in (0.2, 0.15, 0.1, 0.07, 0.05)]
    for wide, narrow in pairwise(needed):
        assert all(a <= b for a, b in zip(wide, narrow, strict=True))
    for row in needed:
        assert all(more <= 1.05 * fewer for fewer, more in pairwise(row))
    for row in plans(assumed, "alpha", 0.1):
        assert list(row.widths) == sorted(row.widths, reverse=True)
        assert half_width(assumed, "alpha", row.readers, row.cases) == pytest.approx(0.1, rel=0.12)


def test_the_same_question_has_the_same_answer_and_an_impossible_one_none() -> None:
    assumed = Assumed((0.5, 0.5), 0.9)
    assert plans(assumed, "alpha", 0.1) == plans(assumed, "alpha", 0.1)
    (plan,) = plans(Assumed((0.99, 0.01), 0.985), "alpha", 0.01, (2,))
    assert (plan.cases, plan.reads) == (None, None)
    (easy,) = plans(assumed, "percent", 0.9, (2,))
    assert easy.cases == GRID[0]


@pytest.mark.parametrize(
    ("shares", "agreement"),
    [
        ((1.0,), 0.9),
        ((0.5, 0.4), 0.9),
        ((1.0, 0.0), 0.999),
        ((0.5, 0.5), 0.5),
        ((0.5, 0.5), 1.0),
        ((1 / 7,) * 7, 0.9),
    ],
)
def test_what_cannot_be_assumed_is_refused(shares: tuple[float, ...], agreement: float) -> None:
    with pytest.raises(ValueError, match=r"classes|agree"):
        Assumed(shares, agreement)


@pytest.mark.parametrize(
    ("kind", "wanted", "readers"),
    [("beta", 0.1, (2,)), ("alpha", 0.0, (2,)), ("alpha", 0.1, (1,)), ("alpha", 0.1, ())],
)
def test_what_cannot_be_planned_is_refused(kind: Any, wanted: float, readers: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"plan|half-width"):
        plans(Assumed((0.5, 0.5), 0.9), kind, wanted, readers)


def test_the_command_tells_what_the_function_tells(db: None) -> None:
    given = ("plan_readers", "--prevalence", "70,20,10", "--agreement", "0.85", "--half-width", "0.1")
    code, told = call(*given)
    assert code == 0
    found = plans(Assumed((0.7, 0.2, 0.1), 0.85), "alpha", 0.1)
    assert [(row["readers"], row["cases"], row["reads"]) for row in told["plans"]] == [
        (row.readers, row.cases, row.reads) for row in found
    ]
    code, told = call(*given[:4], "0.2", *given[5:])
    assert code == 1 and "guess agree in 54%" in told["error"]


def test_the_page_plans_for_whoever_is_logged_in_and_says_what_cannot_be(db: None) -> None:
    client, page = Client(), reverse("labeling:planner")
    assert client.get(page).status_code == 302
    client.force_login(make_user("erin"))
    assert "What it takes" in client.get(page).content.decode()
    good = {"shares": "70, 20, 10", "agreement": "85", "figure": "alpha", "half_width": "0.1"}
    text = client.get(page, good).content.decode()
    for row in plans(Assumed((0.7, 0.2, 0.1), 0.85), "alpha", 0.1):
        assert f"{row.cases:,}" in text and f"{row.reads:,}" in text
    for wrong, said in (
        ({"shares": "70, 20"}, "must sum to 100"), ({"shares": "a, b"}, "Write numbers"),
        ({"shares": "100"}, "classes"), ({"agreement": "50"}, "This cannot be"), ({"half_width": "0"}, "errorlist"),
        ({"figure": "x"}, "errorlist"), ({"shares": "nan, 1"}, "must sum to 100"),
        ({"shares": "<b>"}, "Write numbers"),
    ):  # fmt: skip
        answered = client.get(page, good | wrong)
        assert answered.status_code == 200 and said in answered.content.decode(), wrong
        assert "<b>" not in answered.content.decode()
