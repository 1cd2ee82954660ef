"""The warm state of a ranker equals a fit from nothing, after any thousand adds, edits and deletes."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.learning import refit
from training.learning.ranking import Answers, PoolRanker, Ranking, RankingSettings

N, D, K = 400, 24, 4
SMALL = RankingSettings(reference_size=200, candidates=60, queue_length=200)
OPEN = np.ones(N, dtype=bool)


def pool(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(N, D)) + rng.normal(size=(K, D))[rng.integers(0, K, N)]
    rows[N // 2 : N // 2 + 20] = rows[:20]
    return (rows * rng.uniform(0.1, 30, D) + rng.uniform(-50, 50, D)).astype(np.float32)


def as_answers(said: dict[int, int], order: np.ndarray | None = None) -> Answers:
    crops = np.array(list(said), dtype=np.int64)
    crops = crops if order is None else crops[order]
    return Answers(crops, np.eye(K)[[said[int(c)] for c in crops]].reshape(-1, K), np.ones(len(crops)))


def change(said: dict[int, int], rng: np.random.Generator) -> None:
    """One answer more, one changed, one deleted, or (rarely) all answers of one annotator: every third crop."""
    kind = rng.random()
    if kind < 0.6 or not said:
        said[int(rng.integers(N))] = int(rng.integers(K))
    elif kind < 0.8:
        said[list(said)[int(rng.integers(len(said)))]] = int(rng.integers(K))
    elif kind < 0.997:
        said.pop(list(said)[int(rng.integers(len(said)))])
    else:
        for crop in [c for c in said if c % 3 == 0]:
            said.pop(crop)


def assert_equal(walked: Ranking, fresh: Ranking) -> None:
    assert walked.digest == fresh.digest
    np.testing.assert_allclose(walked.probabilities, fresh.probabilities, atol=1e-3)
    assert len(set(walked.order[:100]) & set(fresh.order[:100])) >= 99


@pytest.mark.slow
@given(st.integers(0, 10_000), st.integers(1, 60))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_thousand_changes_lead_to_the_state_of_a_fit_from_nothing(seed, every):
    rng, embeddings = np.random.default_rng(seed), pool(seed)
    experiment, said = rng.integers(0, 3, N), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refit, "FROM_NOTHING", 0)
        patch.setattr(refit, "ROWS_PER_COLUMN", 1)
        ranker = PoolRanker(embeddings, experiment, SMALL)
        for step in range(1000):
            change(said, rng)
            if step % every == 0:
                ranker.rank(as_answers(said), OPEN)
        walked = ranker.rank(as_answers(said, rng.permutation(len(said))), OPEN)
    fresh = PoolRanker(embeddings, experiment, SMALL)
    assert_equal(walked, fresh.rank(as_answers(said), OPEN))
    np.testing.assert_allclose(ranker.variance, fresh.variance, rtol=1e-4)


@pytest.mark.parametrize("tuned", [False, True])
def test_deleting_one_annotators_answers_gives_the_ranking_without_them(tuned):
    rng, embeddings = np.random.default_rng(0), pool(0)
    chosen = RankingSettings(reference_size=200, candidates=60, tuned=tuned)
    everyone = {int(c): int(rng.integers(K)) for c in rng.permutation(N)[:150]}
    others = {crop: label for crop, label in everyone.items() if crop % 2}
    ranker = PoolRanker(embeddings, np.arange(N) % 3, chosen)
    ranker.rank(as_answers(everyone), OPEN)
    fresh = PoolRanker(embeddings, np.arange(N) % 3, chosen).rank(as_answers(others), OPEN)
    without = ranker.rank(as_answers(others), OPEN)
    assert_equal(without, fresh)
    assert (without.ridge, without.temperature) == (fresh.ridge, fresh.temperature)


def test_a_warm_fit_is_that_from_nothing_with_classes_that_come_and_go():
    rng, rows = np.random.default_rng(1), np.random.default_rng(2).normal(size=(300, 30))
    phi = np.column_stack([rows / np.sqrt(30), np.ones(300)])
    crops = np.arange(300)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refit, "FROM_NOTHING", 0)
        patch.setattr(refit, "ROWS_PER_COLUMN", 1)
        warm = refit.Refit(lambda index: phi[index], SMALL.head)
        for classes in (3, 9, 2, 9):
            kept = np.sort(rng.permutation(crops)[: rng.integers(150, 300)])
            targets = np.eye(9)[rng.integers(0, classes, len(kept))]
            found = warm.fit(kept, targets, np.ones(len(kept)), 0.05)
            expected = refit.fit_weights(phi[kept], targets, np.ones(len(kept)), SMALL.head)
            np.testing.assert_allclose(found, expected, atol=2e-3)


def test_threads_change_no_bit():
    embeddings = np.tile(pool(3), (5, 1))
    said, is_open = {c: c % K for c in range(0, 300, 3)}, np.ones(5 * N, dtype=bool)
    one, three = (PoolRanker(embeddings, np.zeros(5 * N, int), SMALL, threads=n) for n in (1, 3))
    for answers in (as_answers(said), as_answers({**said, 1: 2})):
        first, second = one.rank(answers, is_open), three.rank(answers, is_open)
        np.testing.assert_array_equal(first.probabilities, second.probabilities)
        np.testing.assert_array_equal(first.order, second.order)


def test_a_pass_that_fails_leaves_no_half_changed_state(monkeypatch):
    embeddings, said = pool(4), {c: c % K for c in range(0, 200, 3)}
    ranker = PoolRanker(embeddings, np.zeros(N, int), SMALL)
    ranker.rank(as_answers(said), OPEN)

    def broken(*_: object) -> None:
        raise OSError("a shard is gone")

    with monkeypatch.context() as patch:
        patch.setattr(ranker._pool, "_rescored", broken)
        with pytest.raises(OSError, match="shard is gone"):
            ranker.rank(as_answers({**said, 1: 0}), OPEN)
    fresh = PoolRanker(embeddings, np.zeros(N, int), SMALL).rank(as_answers(said), OPEN)
    assert_equal(ranker.rank(as_answers(said), OPEN), fresh)
