"""One reader against the others, themselves and time: equal to plain loops, and without their own vote."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from labeling.agreement.intervals import Estimate
from labeling.agreement.one_reader import over_time, with_others, with_themselves
from labeling.agreement.shares import share
from labeling.agreement.table import from_long

READS = st.lists(
    st.tuples(st.sampled_from("123456789"), st.sampled_from("abcd"), st.sampled_from(["x", "y", "z", "unsure"])),
    max_size=60,
    unique_by=lambda row: row[:2],
)


def hits(found: Estimate) -> int:
    """How many of its n a share counts."""
    return round((found.value or 0.0) * found.n)


@given(st.integers(0, 400), st.integers(0, 400))
def test_a_share_lies_in_its_interval_and_zero_of_many_is_not_certain(k: int, more: int) -> None:
    found = share(k, k + more)
    if k + more == 0:
        assert (found.value, found.low, found.high) == (None, None, None)
        return
    assert 0 <= found.low <= found.value + 1e-12 and found.value <= found.high + 1e-12 <= 1 + 2e-12
    assert found.low < 1 and found.high > 0


@given(READS)
def test_with_others_equals_a_plain_count(rows: list[tuple[str, str, str]]) -> None:
    found = with_others(from_long(rows, not_sure="unsure", in_turn=True), "a")
    same, n, divided, alone = 0, 0, 0, 0
    sure = [row for row in rows if row[2] != "unsure"]
    for item, reader, label in sure:
        if reader != "a":
            continue
        others = [other for place, who, other in sure if place == item and who != "a"]
        winners = [name for name in set(others) if 2 * others.count(name) > len(others)]
        alone += not others
        divided += bool(others) and not winners
        n += bool(winners)
        same += winners == [label]
    assert (hits(found.same), found.same.n, found.divided, found.alone) == (same, n, divided, alone)
    assert sum(row.n for row in found.per_class.values()) == n
    assert sum(hits(row) for row in found.per_class.values()) == same


def test_nobody_is_held_against_a_majority_that_their_own_answer_makes() -> None:
    rows = [(str(i), reader, label) for i in range(40) for reader, label in (("a", "x"), ("b", "x"), ("c", "y"))]
    found = with_others(from_long(rows), "a")
    assert (found.same.n, found.divided) == (0, 40)


def test_who_repeats_themselves_in_nine_of_ten_is_shown_so() -> None:
    rows = [(str(i), "a", "x") for i in range(20)] + [(str(i), "a", "y" if i in (3, 7) else "x") for i in range(20)]
    found = with_themselves(from_long(rows), "a")
    assert (hits(found), found.n) == (18, 20)
    assert with_themselves(from_long(rows), "nobody").n == 0


def test_windows_follow_the_order_of_reading_and_show_the_fall() -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(200)
    rows = [(str(i), other, "x" if i % 2 else "y") for i in range(200) for other in "bc"]
    for turn, i in enumerate(order):
        right = "x" if i % 2 else "y"
        rows.append(
            (str(i), "a", "unsure" if turn >= 190 else ("y" if right == "x" else "x") if turn >= 100 else right)
        )
    windows = over_time(from_long(rows, not_sure="unsure", in_turn=True), "a")
    assert [(row.first, row.last) for row in windows] == [(1 + 25 * k, 25 * (k + 1)) for k in range(8)]
    assert [row.same.value for row in windows] == [1.0] * 4 + [0.0] * 4
    assert [hits(row.not_sure) for row in windows] == [0] * 7 + [10]
    assert over_time(from_long(rows, not_sure="unsure"), "a") == []
    assert over_time(from_long(rows[:30], in_turn=True), "a") == []


@pytest.mark.parametrize(("k", "n"), [(0, 10), (3, 10), (50, 60), (199, 200), (7, 7)])
def test_the_interval_is_that_of_scipy(k: int, n: int) -> None:
    found = share(k, n)
    other = binomtest(k, n).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=1e-12)
