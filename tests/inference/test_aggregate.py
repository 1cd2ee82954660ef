"""Counts and class shares of samples: denominators add up, intervals cover, rejected fields stay visible."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.pipeline.aggregate import FieldCounts, aggregate, mean_interval, share_interval, summarise
from training.learning.metrics import wilson

CLASSES = ("G1", "S", "M")
fields = st.builds(
    FieldCounts,
    sample=st.sampled_from(["A01", "A02"]),
    field=st.just("s1"),
    rejected=st.booleans(),
    counts=st.dictionaries(st.sampled_from(CLASSES), st.integers(0, 50)),
)


@given(st.lists(fields, max_size=12))
def test_every_field_and_object_is_counted_once(some):
    rows = aggregate(some, CLASSES)
    assert sum(row.fields for row in rows) == len(some)
    assert all(row.rejected_fields + row.used_fields == row.fields for row in rows)
    assert sum(row.objects for row in rows) == sum(f.objects for f in some if not f.rejected)


@given(st.lists(fields, min_size=1, max_size=12))
def test_shares_add_up_to_one_and_lie_in_their_intervals(some):
    for row in aggregate(some, CLASSES):
        assert sum(share.count for share in row.classes) == row.objects
        if row.objects:
            assert sum(share.share.value for share in row.classes) == pytest.approx(1.0)
            assert all(0 <= s.share.low <= s.share.value <= s.share.high <= 1 for s in row.classes)


@given(st.lists(fields, min_size=1, max_size=8))
def test_the_order_of_fields_does_not_matter(some):
    for row, other in zip(aggregate(some, CLASSES), aggregate(some[::-1], CLASSES), strict=True):
        for share, same in zip(row.classes, other.classes, strict=True):
            assert (share.count, share.of) == (same.count, same.of)
            assert share.share.low == pytest.approx(same.share.low)


def test_a_sample_with_only_rejected_fields_keeps_its_row():
    [row] = aggregate([FieldCounts("A01", "s1", True, {}), FieldCounts("A01", "s2", True, {})], CLASSES)
    assert (row.fields, row.rejected_fields, row.used_fields, row.objects) == (2, 2, 0, 0)
    assert row.classes[0].share.value is None
    assert row.classes[0].share.reason == "no objects"
    assert row.objects_per_field.reason == "no field was used"


def test_counts_of_a_rejected_field_never_reach_a_share():
    good, bad = FieldCounts("A01", "s1", False, {"G1": 5}), FieldCounts("A01", "s2", True, {"M": 500})
    assert summarise("A01", [good, bad], CLASSES).classes[2].count == 0


def test_one_field_has_wilsons_interval_and_says_what_it_lacks():
    estimate = share_interval(np.array([3.0]), np.array([20.0]))
    assert (estimate.low, estimate.high) == pytest.approx(wilson(0.15, 20))
    assert "one field" in estimate.reason


def test_fields_that_differ_widen_the_interval_and_equal_ones_do_not_narrow_it():
    of = np.full(6, 50.0)
    equal, unequal = share_interval(of * 0.2, of), share_interval(np.array([0, 0, 0, 20, 20, 20.0]), of)
    assert (equal.low, equal.high) == pytest.approx(wilson(0.2, 300))
    assert unequal.value == equal.value
    assert unequal.high - unequal.low > 3 * (equal.high - equal.low)


def test_no_object_of_a_class_in_any_field_is_not_certainty():
    estimate = share_interval(np.zeros(4), np.full(4, 10.0))
    assert estimate.low == 0.0
    assert estimate.high == pytest.approx(wilson(0.0, 40)[1])


def test_intervals_cover_the_truth_when_fields_are_alike_within():
    rng = np.random.default_rng(7)
    covered = 0
    for _ in range(300):
        shares = rng.beta(6, 14, size=6)
        of = rng.integers(20, 80, size=6)
        estimate = share_interval(rng.binomial(of, shares).astype(float), of.astype(float))
        covered += estimate.low <= 0.3 <= estimate.high
    # Wilson over all cells would cover about 60 %; 300 draws of 95 % stay above 91 %.
    assert covered / 300 > 0.91


def test_the_mean_per_field_is_students_interval():
    estimate = mean_interval(np.array([10.0, 12.0, 14.0]))
    assert (estimate.value, estimate.n) == (12.0, 3)
    assert estimate.high - 12.0 == pytest.approx(4.303 * 2 / np.sqrt(3), rel=1e-3)
    assert "few fields" in estimate.reason
