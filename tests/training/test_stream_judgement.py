"""Verdicts from the random stream: seldom wrong where nothing is to be found, and found where much is."""

from dataclasses import replace

import numpy as np
import pytest

from labeling.agreement.intervals import Estimate
from tests.training.stream_pools import stream_study
from training.learning.stream import StreamPlan
from training.learning.stream_judgement import (
    FEWEST_TESTED,
    HELPS,
    OPEN,
    PLANNED,
    SAME,
    TARGET_HALF_WIDTH,
    WORSE,
    judge_queue,
    judge_soft_labels,
    needed_crops,
    top_two,
    verdict_of,
)

QUICK = StreamPlan(draws=5, folds=3)


@pytest.mark.slow
def test_where_the_queue_is_random_it_seldom_helps_and_intervals_cover_nothing() -> None:
    judged = [judge_queue(stream_study(seed, queue=200), replace(QUICK, seed=seed)) for seed in range(40)]
    gaps = [row.rows[-1].difference for row in judged]
    # Two of forty are five per cent; more than five come once in seventy times by chance.
    assert sum(row.verdict == HELPS for row in judged) <= 5
    assert np.mean([gap.low <= 0 <= gap.high for gap in gaps]) >= 0.85
    spread = np.std([gap.value for gap in gaps])
    assert 0.6 < np.mean([(gap.high - gap.low) / 2 for gap in gaps]) / (1.96 * spread) < 2


@pytest.mark.slow
def test_a_strong_benefit_is_found() -> None:
    planted = {"prior": (0.84, 0.08, 0.08), "dimension": 40, "separation": 3.0, "stream": 200, "queue": 600}
    judged = [judge_queue(stream_study(seed, balanced_queue=True, **planted), QUICK) for seed in range(6)]
    assert [row.verdict for row in judged].count(HELPS) >= 4
    assert all(row.rows[-1].difference.value > 0 for row in judged)


def test_wrong_answers_of_the_queue_are_found_out() -> None:
    data = stream_study(1, stream=120)
    wrong = np.where(data.in_stream[:, None], data.targets, np.roll(data.targets, 1, axis=1))
    assert judge_queue(replace(data, targets=wrong), QUICK).verdict == WORSE


def test_the_same_answers_give_the_same_verdict() -> None:
    assert judge_queue(stream_study(2), QUICK) == judge_queue(stream_study(2), QUICK)


def test_every_size_is_compared_at_equal_numbers_and_the_largest_leaves_half() -> None:
    judged = judge_queue(stream_study(3, stream=120), QUICK)
    sizes = [row.size for row in judged.rows]
    assert sizes == sorted(set(sizes)) and len(sizes) == 3 and sizes[-1] <= 120 * 2 / 3 / 2


def test_few_checks_are_refused_with_a_number() -> None:
    judged = judge_queue(stream_study(4, stream=FEWEST_TESTED - 1), QUICK)
    assert (judged.verdict, judged.rows, judged.needed) == (OPEN, (), PLANNED)


def test_without_answers_of_the_queue_there_is_nothing_to_compare() -> None:
    judged = judge_queue(stream_study(5, queue=5), QUICK)
    assert judged.verdict == OPEN and judged.needed is None and "answers of the queue" in judged.reason


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.01, 0.3, HELPS), (-0.3, -0.01, WORSE), (-0.04, 0.05, SAME), (-0.1, 0.1, OPEN)],
)
def test_a_verdict_follows_from_the_interval(low: float, high: float, expected: str) -> None:
    verdict, needed = verdict_of(Estimate((low + high) / 2, low, high, 100))
    assert verdict == expected and (needed is None) == (expected != OPEN)


def test_twice_the_width_takes_four_times_the_checks() -> None:
    assert needed_crops(100, 2 * TARGET_HALF_WIDTH) == 400
    assert needed_crops(100, TARGET_HALF_WIDTH / 2) == 100


def test_a_doubt_is_shared_by_the_two_likeliest_classes() -> None:
    assert top_two(np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])).tolist() == [[0.5, 0.0, 0.5], [0.0, 0.5, 0.5]]


def test_soft_labels_of_crops_near_the_boundary_are_judged_with_an_interval_about_what_they_change() -> None:
    data = stream_study(6, stream=150)
    unsure = ~data.in_stream & (np.random.default_rng(0).random(len(data.weight)) < 0.3)
    hidden = replace(data, targets=np.where(unsure[:, None], 0.0, data.targets))
    judged = judge_soft_labels(hidden, unsure.astype(float), QUICK)
    gap = judged.difference
    assert gap.low <= gap.value <= gap.high and gap.value == pytest.approx(judged.with_soft - judged.without)
    assert judged.unsure == unsure.sum()


def test_soft_labels_that_change_no_crop_are_no_certainty() -> None:
    data = stream_study(7, separation=30.0, stream=60)
    doubt = np.where(~data.in_stream & (np.arange(len(data.weight)) % 9 == 0), 1e-9, 0.0)
    judged = judge_soft_labels(data, doubt, QUICK)
    assert judged.difference.value == 0 and judged.difference.high == pytest.approx(3 / 60)


def test_few_doubts_are_refused() -> None:
    judged = judge_soft_labels(stream_study(8), np.zeros(360), QUICK)
    assert judged.verdict == OPEN and judged.difference.value is None and "not sure" in judged.reason
