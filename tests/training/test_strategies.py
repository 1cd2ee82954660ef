"""Which crop each strategy asks first, for one reader and for five at once; what a plug-in has to be."""

import subprocess
import sys

import numpy as np
import pytest

from training.learning.acquisition import strategies
from training.learning.acquisition.scores import margin
from training.learning.ranking import Answers, PoolRanker, RankingSettings

SIZES = (60, 60, 60, 50, 40, 30, 20, 10)
REGION = np.repeat(np.arange(8), SIZES)
NOISE = 0.15 * np.random.default_rng(5).normal(size=(len(REGION), 8)) / np.sqrt(8)
# Eight regions along eight axes, each smaller than the one before it from the third on.
POOL = (np.eye(8)[REGION] + NOISE).astype(np.float32)
N = len(POOL)
OPEN = np.ones(N, dtype=bool)
# Regions 0, 1 and 2 are well answered, each with a class of its own; of the others nobody saw a crop.
ASKED = np.concatenate([np.flatnonzero(k == REGION)[:30] for k in range(3)])
ANSWERS = Answers(ASKED, np.eye(3)[REGION[ASKED]], np.ones(len(ASKED)))
UNSEEN = set(np.flatnonzero(REGION > 2))
LARGEST_UNSEEN = set(np.flatnonzero(REGION == 3))


def ranker(strategy: str, pool: np.ndarray = POOL) -> PoolRanker:
    settings = RankingSettings(strategy, coverage_share=0, random_share=0)
    return PoolRanker(pool, np.zeros(len(pool), int), settings)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("bald", UNSEEN), ("typiclust", LARGEST_UNSEEN), ("maxherding", LARGEST_UNSEEN), ("uherding", UNSEEN)],
)
def test_one_reader_is_asked_in_a_region_that_nobody_saw(strategy, expected):
    ranking = ranker(strategy).rank(ANSWERS, OPEN)
    assert int(ranking.order[0]) in expected
    assert ranking.order[0] == np.argmax(np.where(np.isin(np.arange(N), ASKED), -1, ranking.scores))


@pytest.mark.parametrize(("strategy", "expected"), [("margin", {180, 181}), ("entropy", {181})])
def test_one_reader_is_asked_the_crop_between_the_classes(strategy, expected):
    between = [[0.5, 0.5, 0, 0, 0, 0, 0, 0], [1 / 3, 1 / 3, 1 / 3, 0, 0, 0, 0, 0]]
    pool = np.vstack([POOL[REGION < 3], between]).astype(np.float32)
    ranking = ranker(strategy, pool).rank(ANSWERS, np.ones(len(pool), dtype=bool))
    assert int(ranking.order[0]) in expected
    assert set(ranking.order[:2]) == {180, 181}


def test_random_asks_in_the_order_drawn_for_the_seed():
    drawn = np.random.default_rng([0, 4]).permutation(N)
    expected = drawn[~np.isin(drawn, ASKED)]
    np.testing.assert_array_equal(ranker("random").rank(ANSWERS, OPEN).order, expected)


@pytest.mark.parametrize("strategy", strategies.STRATEGIES)
def test_five_readers_hold_five_crops_and_in_covering_strategies_five_regions(strategy):
    leased: list[int] = []
    asking = ranker(strategy)
    for _ in range(5):
        leased.append(int(asking.rank(ANSWERS, OPEN, np.array(leased, dtype=int)).order[0]))
    assert len(set(leased)) == 5
    if strategy in ("maxherding", "uherding"):
        assert set(REGION[leased]) == {3, 4, 5, 6, 7}
    if strategy == "typiclust":
        assert len(set(asking._coverage.clusters(ASKED).member[leased])) == 5


def test_a_diverse_batch_covers_every_region_once_before_any_twice():
    batch = ranker("uherding").diverse_batch(ANSWERS, OPEN, count=5)
    assert set(REGION[batch]) == {3, 4, 5, 6, 7}


@pytest.mark.parametrize("count", [0, 30, 10 * N])
def test_a_diverse_batch_holds_open_crops_once(count):
    batch = ranker("uherding").diverse_batch(ANSWERS, OPEN, np.array([100]), count)
    assert len(set(batch)) == len(batch) == min(count, N - len(ASKED) - 1)
    assert not set(batch) & {100, *ASKED}


def test_every_file_of_the_folder_is_a_strategy_with_a_line_for_people():
    names = {"random", "margin", "entropy", "bald", "typiclust", "maxherding", "uherding"}
    assert set(strategies.described()) == names
    assert all(10 < len(line) < 120 and line.endswith(".") for line in strategies.described().values())


PLUGIN = """
import numpy as np

def lowest(view):
    \"\"\"Crops of a low number first.\"\"\"
    return -np.arange(len(view.open_mask), dtype=np.float32)
"""
USE = """
import importlib.util, pkgutil, sys
import numpy as np
found = pkgutil.iter_modules
pkgutil.iter_modules = lambda path: found([*path, sys.argv[1]])
sys.meta_path.insert(0, type("Beside", (), {"find_spec": staticmethod(
    lambda name, path=None, target=None: importlib.util.spec_from_file_location(name, sys.argv[1] + "/lowest.py")
    if name.endswith(".lowest") else None)}))
from training.learning.ranking import Answers, PoolRanker, RankingSettings
settings = RankingSettings("lowest", coverage_share=0, random_share=0, reference_size=50)
rows = np.random.default_rng(0).normal(size=(90, 3))
answers = Answers(np.arange(40), np.eye(2)[np.arange(40) % 2], np.ones(40))
order = PoolRanker(rows, np.zeros(90, int), settings).rank(answers, np.ones(90, bool)).order
assert list(order[:3]) == [40, 41, 42], order[:3]
assert "torch" not in sys.modules
"""


def test_a_file_put_into_the_folder_is_a_strategy(tmp_path):
    (tmp_path / "lowest.py").write_text(PLUGIN)
    subprocess.run([sys.executable, "-c", USE, str(tmp_path)], check=True)


def test_a_strategy_whose_scores_are_not_finite_is_refused(monkeypatch):
    monkeypatch.setitem(strategies.STRATEGIES, "broken", lambda view: np.full(N, np.nan, dtype=np.float32))
    with pytest.raises(ValueError, match="not finite"):
        ranker("broken").rank(ANSWERS, OPEN)


def test_margin_of_the_ranking_is_that_of_its_probabilities():
    ranking = ranker("margin").rank(ANSWERS, OPEN)
    np.testing.assert_allclose(ranking.scores, margin(ranking.probabilities), atol=1e-6)
