"""One annotator against all the others: against a count by hand, over any table of reads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from labeling.agreement.table import from_codes
from labeling.agreement.with_others import with_the_others

TABLES = st.tuples(st.integers(1, 12), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.integers(-1, 2))
)


def by_hand(codes: np.ndarray, reader: int) -> tuple[float | None, int]:
    shares = []
    for row in codes:
        others = [code for place, code in enumerate(row) if place != reader and code >= 0]
        if row[reader] >= 0 and others:
            shares.append(sum(code == row[reader] for code in others) / len(others))
    return (sum(shares) / len(shares) if shares else None), len(shares)


@given(TABLES)
def test_it_is_the_mean_share_of_other_reads_that_say_the_same(codes: np.ndarray) -> None:
    for reader, (_, found) in enumerate(with_the_others(from_codes(codes, "abc"))):
        value, n = by_hand(codes, reader)
        assert found.n == n
        assert found.value is None if value is None else found.value == pytest.approx(value)
        if found.low is not None:
            assert 0.0 <= found.low <= found.value + 1e-9 and found.value <= found.high + 1e-9 <= 1.0 + 2e-9


def test_full_agreement_on_a_few_items_claims_no_certainty() -> None:
    (_, found), _ = with_the_others(from_codes(np.zeros((8, 2), dtype=np.int64), "ab"))
    assert found.value == found.high == 1.0 and found.low < 0.9


def test_an_interval_narrows_with_more_items() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2, (400, 3))
    (_, few), *_ = with_the_others(from_codes(codes[:40], "ab"))
    (_, many), *_ = with_the_others(from_codes(codes, "ab"))
    assert many.high - many.low < few.high - few.low
